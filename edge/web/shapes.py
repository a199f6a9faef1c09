"""
Records as the JSON that the page and programs read.

Instants are milliseconds of box time with the fraction kept: a double holds them to
0.0003 ms, while nanoseconds would not survive a browser.
"""

import math

import numpy as np
from numpy.typing import NDArray

from edge.ledger import Ledger
from edge.records import (
    MISSING,
    VITALS,
    BoxNs,
    BoxState,
    EcgChunk,
    Event,
    Kept,
    Pose,
    Segment,
    StreamState,
    UtcNs,
    Vital,
)

Json = dict[str, object]

DRAWN_HZ = 250.0
"""A page 1,000 pixels wide that shows 10 s cannot draw more than this."""


def ms(instant: int) -> float:
    """Return an *instant* or a length of nanoseconds in milliseconds."""
    return round(instant / 1e6, 3)


def of_segment(segment: Segment) -> Json:
    """Return how to read the chunks of *segment*; ``live`` if a board sends it."""
    return {
        "leads": list(segment.leads),
        "rate_hz": segment.sampling_rate_hz,
        "board": segment.board,
        "source": segment.source,
        "live": segment.source == "serial",
    }


def of_chunk(chunk: EcgChunk, segment: Segment) -> Json:
    """
    Return *chunk* in millivolts, one list a lead, ``None`` where no value.

    A rate above `DRAWN_HZ` is thinned to the lowest and the highest sample of each
    stretch, so that no peak is lost.
    """
    mv = millivolts(chunk, segment)
    shape: Json = {"segment": chunk.segment, "start": ms(chunk.start)}
    if chunk.offsets_us is not None:
        shape["offsets"] = [round(int(us) / 1e3, 3) for us in chunk.offsets_us]
        shape["period"] = 0.0
    else:
        factor = thinning(chunk.period_ns)
        mv = thin(mv, factor)
        shape["period"] = chunk.period_ns * factor / 1e6
    shape["mv"] = [rounded(lead) for lead in mv.T]
    if any(chunk.reasons):
        shape["reasons"] = list(chunk.reasons)
    return shape


def millivolts(chunk: EcgChunk, segment: Segment) -> NDArray[np.float64]:
    """Return the samples of *chunk*, shape (samples, leads), NaN where no value."""
    mv: NDArray[np.float64] = chunk.counts.astype(np.float64)
    mv = (mv - np.array(segment.baseline)) / np.array(segment.gain)
    mv[chunk.counts == MISSING] = np.nan
    return mv


def thinning(period_ns: float) -> int:
    """Return how many samples become one, 1 for a rate that can be drawn."""
    if period_ns <= 0:
        return 1
    return max(1, math.ceil(1e9 / period_ns / DRAWN_HZ - 0.01))


def thin(mv: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """
    Return of each 2 x *factor* samples the lowest and the highest, in the order in
    which they came; shape (ceil(samples / factor), leads).
    """
    if factor == 1 or len(mv) == 0:
        return mv
    wide = 2 * factor
    missing = -len(mv) % wide
    blocks = np.concatenate([mv, np.repeat(mv[-1:], missing, axis=0)])
    blocks = blocks.reshape(-1, wide, mv.shape[1])
    empty = np.isnan(blocks)
    low = np.where(empty, np.inf, blocks).argmin(axis=1)
    high = np.where(empty, -np.inf, blocks).argmax(axis=1)
    pair = np.sort(np.stack([low, high], axis=1), axis=1)
    thinned = np.take_along_axis(blocks, pair, axis=1).reshape(-1, mv.shape[1])
    return thinned[: math.ceil(len(mv) / factor)]


def rounded(lead: NDArray[np.float64]) -> list[float | None]:
    """Return one lead to the microvolt, ``None`` for NaN."""
    return [None if value != value else round(value, 3) for value in lead.tolist()]


def of_pose(pose: Pose) -> Json:
    """Return *pose*; ``xys`` holds x, y, score of the 17 keypoints in a row."""
    flat: list[float] = []
    for x, y, score in pose.keypoints.tolist():
        flat += [round(x, 1), round(y, 1), round(score, 2)]
    return {
        "at": ms(pose.exposed),
        "state": pose.state,
        "source": pose.source,
        "size": [pose.width, pose.height],
        "xys": flat,
        "device": pose.device,
        "model": pose.model,
        "ms": round(pose.inference_ms, 1),
        "uncertainty": ms(pose.uncertainty_ns),
    }


def of_vital(vital: Vital) -> Json:
    """Return *vital* with its unit."""
    return {
        "name": vital.name,
        "value": vital.value,
        "unit": VITALS.get(vital.name, ""),
        "reason": vital.reason,
        "at": ms(vital.sampled),
        "source": vital.source,
        "derived": vital.derived,
    }


def of_event(row: int, event: Event, utc: UtcNs, ledger: Ledger) -> Json:
    """Return *event*, which began at *utc*, with the row it is kept in."""
    ended = event.ended
    return {
        "row": row,
        "began": ms(event.began),
        "utc": ms(utc),
        "ended": None if ended is None else ms(ended),
        "lasted": 0.0 if ended is None else ms(ledger.elapsed(event.began, ended)),
        "kind": event.kind,
        "stream": event.stream,
        "cause": event.cause,
        "detail": event.detail,
    }


def of_kept(number: int, kept: Kept, utc: UtcNs) -> Json:
    """Return the stretch that is *kept* under *number*; it began at *utc*."""
    return {
        "number": number,
        "begin": ms(kept.begin),
        "end": ms(kept.end),
        "utc": ms(utc),
        "why": kept.why,
    }


def of_stream(stream: StreamState) -> Json:
    """Return how *stream* does; ``about`` says in words what it works with."""
    told = ("board", "port", "model", "device", "source", "rate", "mode")
    about = [
        str(stream.detail[key]).rpartition("/")[2]
        for key in told
        if stream.detail.get(key)
    ]
    return {
        "name": stream.name,
        "state": stream.state,
        "since": ms(stream.since),
        "cause": stream.cause,
        "last": None if stream.last is None else ms(stream.last),
        "received": stream.received,
        "dropped": stream.dropped,
        "damaged": stream.damaged,
        "about": ", ".join(about),
        "detail": stream.detail,
    }


def of_session(session: int, started: BoxNs, subject: str) -> Json:
    """Return the session that is going on."""
    return {"id": session, "started": ms(started), "subject": subject}


def verdict(box: BoxState | None, silence: str = "") -> Json:
    """
    Return what a person at the door must know: ``level`` (ok, warn, bad), one
    headline and why. ``{123.4}`` in the text stands for that instant of box time.

    *box* is ``None`` when the recorder does not answer, for the reason *silence*.
    """
    if box is None:
        return {
            "level": "bad",
            "headline": "Not recording",
            "why": f"{WAIT}: {silence}",
        }
    wrong = [part for part in box.streams if part.state in ("lost", "stale")]
    why = ". ".join(sentence(part) for part in wrong)
    if not box.recording:
        return {"level": "bad", "headline": "Not recording", "why": why or "Stopped."}
    sources = [part for part in box.streams if part.name in ("ecg", "camera")]
    lost = [part for part in sources if part.state in ("lost", "off")]
    if sources and len(lost) == len(sources):
        return {"level": "bad", "headline": "Nothing is recorded", "why": why}
    if wrong:
        return {"level": "warn", "headline": headline(wrong, box.now), "why": why}
    return {"level": "ok", "headline": "Recording", "why": well(box)}


WAIT = (
    "Wait half a minute: the box starts itself again. "
    "If this stays, call the technician"
)
"""What a person at the door can do about a recorder that does not answer."""


def headline(wrong: list[StreamState], now: int) -> str:
    """Return in a few words what the recording lacks."""
    missing = [part for part in wrong if part.name in SOURCES]
    gone = [
        part
        for part in missing
        if part.state == "lost" or now - part.since > LATE_IS_LOST_NS
    ]
    if gone:
        return f"Recording without {' and '.join(NAMES[part.name] for part in gone)}"
    names = " and ".join(NAMES[part.name] for part in missing)
    return f"Recording, {names} late" if missing else "Recording with a fault"


LATE_IS_LOST_NS = 5_000_000_000
"""A stream that is late for longer records nothing, whatever the reason."""

SOURCES = ("ecg", "camera", "pose")
"""The streams that bring data, which can be late."""

NAMES = {
    "ecg": "ECG",
    "camera": "camera",
    "pose": "pose",
    "store": "storage",
    "tpu": "TPU",
    "clock": "clock",
}


def sentence(part: StreamState) -> str:
    """Return what is wrong with *part* and since when."""
    name = NAMES.get(part.name, part.name)
    late = "late" if part.name in SOURCES else "poor"  # only data can be late
    state = {"lost": "lost", "stale": late}[part.state]
    cause = f": {part.cause.rstrip('.')}" if part.cause else ""
    return f"{name[:1].upper()}{name[1:]} {state} since {{{ms(part.since)}}}{cause}"


def well(box: BoxState) -> str:
    """Return what is recorded without a fault, and since when."""
    on = [NAMES.get(p.name, p.name) for p in box.streams if p.state == "ok"]
    names = ", ".join(dict.fromkeys(on)) or "nothing yet"
    since = max([part.since for part in box.streams], default=box.started)
    return f"{names[:1].upper()}{names[1:]} well since {{{ms(since)}}}."
