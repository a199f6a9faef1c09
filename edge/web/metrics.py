"""How the box does, in the text format of Prometheus (exposition format 0.0.4)."""

from collections.abc import Iterator
from typing import get_args

from edge.records import BoxNs, BoxState, Condition

Labels = dict[str, str]


def exposition(box: BoxState | None, now: BoxNs) -> bytes:
    """Return the metrics; without *box*, because the recorder is silent, few."""
    lines: list[str] = []
    for name, kind, about, samples in families(box, now):
        lines += [f"# HELP edge_{name} {about}", f"# TYPE edge_{name} {kind}"]
        lines += [f"edge_{name}{braces(labels)} {value}" for labels, value in samples]
    return ("\n".join(lines) + "\n").encode()


def braces(labels: Labels) -> str:
    """Return *labels* as they are written behind a name."""
    if not labels:
        return ""
    pairs = (f'{name}="{escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def escaped(value: str) -> str:
    """Return *value* so that it can stand in quotes."""
    for plain, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        value = value.replace(plain, written)
    return value


Family = tuple[str, str, str, list[tuple[Labels, float]]]


def families(box: BoxState | None, now: BoxNs) -> Iterator[Family]:
    """Yield name, type, help and samples of each metric."""
    yield one("up", "gauge", "1 if the recorder answers", box is not None)
    if box is None:
        return
    yield one("recording", "gauge", "1 if records reach the card", box.recording)
    seconds = (now - box.started) / 1e9
    yield one("session_seconds", "gauge", "since the recorder started", seconds)
    streams = box.streams
    yield (
        "stream_state",
        "gauge",
        "1 for the state a stream is in",
        [
            ({"stream": s.name, "state": state}, int(s.state == state))
            for s in streams
            for state in get_args(Condition)
        ],
    )
    for field in ("received", "dropped", "damaged"):
        counted = [({"stream": s.name}, float(getattr(s, field))) for s in streams]
        yield f"stream_{field}_total", "counter", f"records {field}", counted
    yield (
        "stream_age_seconds",
        "gauge",
        "since the instant of the newest record",
        [
            ({"stream": s.name}, (now - s.last) / 1e9)
            for s in streams
            if s.last is not None
        ],
    )
    saved = [({"kind": kind}, float(count)) for kind, count in box.saved.items()]
    yield "saved_total", "counter", "records on the card since the start", saved
    for group, told in (("storage", box.storage), ("machine", box.machine)):
        for name, value in told.items():
            if isinstance(value, (int, float)):
                yield one(f"{group}_{name}", "gauge", f"{group}: {name}", value)


def one(name: str, kind: str, about: str, value: float) -> Family:
    """Return a metric of one sample without labels."""
    return name, kind, about, [({}, float(value))]
