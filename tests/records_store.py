"""Records of every kind for tests of the store, drawn from a seed."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.history import History
from edge.records import (
    KEYPOINTS,
    MISSING,
    BoxNs,
    ClockReading,
    EcgChunk,
    Event,
    Pose,
    PoseState,
    Record,
    Segment,
    Session,
    UtcNs,
    Vital,
)
from edge.store import Store

S = 1_000_000_000
START = BoxNs(1_700_000_000 * S)
EVER = (BoxNs(0), BoxNs(2**62))
BALLAST = 1 << 16


@contextlib.contextmanager
def quick_folder() -> Iterator[Path]:
    """Give a folder in memory, where syncing costs nothing, if there is one."""
    memory = Path("/dev/shm")
    quick = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=quick) as folder:
        yield Path(folder)


Random = np.random.Generator


def session(number: int = 1, started: int = START) -> Session:
    return Session(number, "boot", BoxNs(started), 5, "0.1.0", "bed 1", "{}")


def segment(number: int = 1, source: str = "serial", leads: int = 3) -> Segment:
    names = ("I", "II", "III", *(f"V{n}" for n in range(1, 14)))[:leads]
    return Segment(
        number, 1, source, "csv", names, (1000.0,) * leads, (0,) * leads,
        500.0, True, "counter",
    )  # fmt: skip


def ecg_counts(random: Random, samples: int, leads: int) -> np.ndarray:
    """Return counts in one of the shapes that boards send."""
    kind = random.integers(6)
    if kind == 0:
        counts = np.cumsum(random.integers(-90, 90, (samples, leads)), axis=0)
    elif kind == 1:
        counts = random.integers(-32768, 32768, (samples, leads))
    elif kind == 2:
        counts = random.integers(-(2**31) + 1, 2**31, (samples, leads))
    elif kind == 3:
        steps = random.integers(-9999, 9999, (samples, leads))
        counts = 8_000_000 + np.cumsum(steps, axis=0)
    elif kind == 4:
        edges = [-128, -127, 0, 127, 128, -32768, -32767]
        counts = random.choice(edges, (samples, leads))
    else:
        counts = random.integers(-100, 100, (samples, leads))
    counts = counts.astype(np.int32)
    if random.random() < 0.3:
        counts[:, random.integers(leads)] = MISSING
    if random.random() < 0.3:
        counts[random.random(counts.shape) < 0.2] = MISSING
    return counts


def chunk(random: Random, start: int, number: int = 1, leads: int = 3) -> EcgChunk:
    samples = int(random.integers(1, 600))
    counts = ecg_counts(random, samples, leads)
    reasons = ("lead_off", "", "")[:leads] if random.random() < 0.5 else ()
    if random.random() < 0.3:
        offsets = np.sort(random.integers(0, 1_000_000, samples)).astype(np.uint32)
        return EcgChunk(number, BoxNs(start), 0.0, 500_000, counts, offsets, reasons)
    period = float(random.uniform(1e6, 1e9 / samples))
    return EcgChunk(number, BoxNs(start), period, 500_000, counts, None, reasons)


def pose(random: Random, at: int, source: str = "camera") -> Pose:
    states: tuple[PoseState, ...] = ("pose", "no pose", "absent")
    state = states[int(random.integers(3))]
    points = random.uniform(-10, 2000, (len(KEYPOINTS), 3)).astype(np.float32)
    if state != "pose":
        points[:] = 0
    return Pose(
        BoxNs(at), int(random.integers(10**7)), "sensor", source, state, points,
        640, 480, int(random.choice([0, 90, 180, 270])), "movenet.tflite",
        str(random.choice(["cpu", "tpu"])), float(random.uniform(1, 50)),
        "bed.jpg" if source == "upload" else "",
    )  # fmt: skip


def vital(random: Random, at: int) -> Vital:
    name = str(random.choice(["heart_rate", "oxygen_saturation", "temperature"]))
    if random.random() < 0.2:
        return Vital(BoxNs(at), name, None, "probe_off", "serial")
    value = float(random.uniform(0, 200))
    return Vital(BoxNs(at), name, value, "", "serial", bool(random.random() < 0.5))


def event(random: Random, at: int) -> Event:
    ended = BoxNs(at + int(random.integers(10 * S)))
    return Event(
        BoxNs(at), None if random.random() < 0.5 else ended, "gap", "ecg",
        "The cable was pulled, “again”.", {"größe": float(random.random()), "l": [1]},
    )  # fmt: skip


def reading(random: Random, at: int) -> ClockReading:
    return ClockReading(
        1, BoxNs(at), UtcNs(at + int(random.integers(S))), bool(random.random() < 0.5),
        int(random.integers(-S, S)),
    )  # fmt: skip


def second(random: Random, at: int) -> list[Record]:
    """Return what one second of recording may bring."""
    records: list[Record] = [chunk(random, at)]
    records += [pose(random, at + n * S // 15) for n in range(int(random.integers(16)))]
    records += [vital(random, at + n) for n in range(int(random.integers(4)))]
    if random.random() < 0.2:
        records += [event(random, at), reading(random, at)]
    return records


def same(one: Record, other: Record) -> bool:
    """Return whether the two say the same, arrays and types included."""
    pairs = zip(one, other, strict=True)
    return type(one) is type(other) and all(equal(a, b) for a, b in pairs)


def equal(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return type(a) is type(b) and a == b


def unlike(stored: list[Record], given: list[Record]) -> list[int]:
    """Return the places where the two lists differ."""
    if len(stored) != len(given):
        return [min(len(stored), len(given))]
    places = range(len(given))
    return [n for n in places if not same(stored[n], given[n])]


def fill(store: Store, seconds: range, seed: int = 0) -> None:
    """Append a chunk, a pose and a vital for each of *seconds*."""
    for records in each_second(START, seconds, seed):
        store.append(records)


def each_second(start: int, seconds: range, seed: int = 0) -> Iterator[list[Record]]:
    """Yield a chunk, a pose and a vital for each of *seconds* after *start*."""
    random = np.random.default_rng(seed)
    for number in seconds:
        at = start + number * S
        yield [chunk(random, at), pose(random, at), vital(random, at)]


def starts(path: Path) -> list[int]:
    """Return the seconds from START at which the chunks that are left begin."""
    with History(path) as history:
        return [(chunk.start - START) // S for chunk in history.chunks(*EVER)]


def of(kind: type, records: list[Record]) -> list[Record]:
    return [record for record in records if type(record) is kind]


def covers(record: Record) -> tuple[int, int]:
    """Return the first and the last instant that *record* is about."""
    if isinstance(record, EcgChunk):
        if record.offsets_us is not None:
            return record.start, record.start + 1000 * int(record.offsets_us.max())
        length = (len(record.counts) - 1) * record.period_ns
        return record.start, record.start + round(length)
    if isinstance(record, ClockReading):
        return record.box, record.box
    if isinstance(record, Event):
        ended = record.began if record.ended is None else record.ended
        return record.began, ended
    assert isinstance(record, Pose | Vital)
    at = record.exposed if isinstance(record, Pose) else record.sampled
    return at, at
