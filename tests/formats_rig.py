"""Recordings to export in the field's formats, and what their files say."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from records_store import EVER, START, S, session

from edge.__main__ import main
from edge.export.recording import Recording
from edge.history import History
from edge.records import (
    MISSING,
    BoxNs,
    ClockReading,
    EcgChunk,
    Event,
    Record,
    Segment,
    Session,
    UtcNs,
)
from edge.store import Store

RATE_HZ = 250
PERIOD_NS = 4_000_000
TRUE_PERIOD_NS = 4e6 * (1 + 50e-6)
"""The board's crystal is slow by 50 ppm."""


def a_session(number: int, started: int, boot: str, subject: str) -> Session:
    return Session(number, boot, BoxNs(started), 5, "0.1.0", subject, "{}")


def a_segment(number: int, session: int, leads: tuple[str, ...] = ("I",)) -> Segment:
    many = len(leads)
    return Segment(
        number, session, "serial", "openbci-cyton", leads, (100.0,) * many,
        (0,) * many, 250.0, False, "counter",
    )  # fmt: skip


def second(start: int, count: int, segment: int, leads: int = 1) -> EcgChunk:
    counts = np.full((250, leads), count, np.int32)
    return EcgChunk(segment, BoxNs(start), float(PERIOD_NS), 1000, counts)


def chunks(first: int, until: int, scale: int, segment: int = 1) -> list[Record]:
    """Return the seconds *first* to *until* of a board that keeps its own time."""
    random = np.random.default_rng(first + scale)
    found: list[Record] = []
    for second in range(first, until):
        start = START + round(second * RATE_HZ * TRUE_PERIOD_NS)
        counts = random.integers(-scale, scale, (RATE_HZ, 2)).astype(np.int32)
        reasons: tuple[str, ...] = ()
        if second % 20 == 7:
            counts[:, 1] = MISSING
            reasons = ("", "lead_off")
        found.append(
            EcgChunk(segment, BoxNs(start), TRUE_PERIOD_NS, 1000, counts, None, reasons)
        )
    return found


def with_gaps(scale: int) -> list[Record]:
    """Two minutes with a gap of 3 s, one of 25 s, and a marker."""
    records: list[Record] = [
        session(),
        Segment(
            1, 1, "serial", "csv", ("I", "V 1"), (200.0, 350.5), (3, -7),
            float(RATE_HZ), True, "counter",
        ),
        ClockReading(1, START, UtcNs(START + 123_456_700), True, 0),
        Event(BoxNs(START + 10 * S), None, "marker", "", "turned over, Käthe"),
    ]  # fmt: skip
    for first, until in ((0, 40), (43, 60), (85, 120)):
        records += chunks(first, until, scale)
    return records


@contextmanager
def exported(tmp_path: Path, records: list[Record], formats: str) -> Iterator[Any]:
    """Give the folder of an export of *records*, and the recording."""
    path = tmp_path / "recording.db"
    with Store(path) as store:
        store.append(records)
    out = tmp_path / "out"
    words = ["--database", str(path), "--output", str(out), "--formats", formats]
    assert main(["export", *words]) == 0
    assert main(["verify", str(out)]) == 0
    with History(path) as history:
        yield out, Recording(history, *EVER)


def start_of(file: Path) -> int:
    """Return the whole second of UTC at which the header of an EDF file begins."""
    text = file.read_bytes()[168:184].decode()
    moment = datetime.datetime.strptime(text + "+0000", "%d.%m.%y%H.%M.%S%z")
    return int(moment.timestamp())


def onsets_of(file: Path) -> np.ndarray:
    """Return the onset of each record of an EDF+ file, read without any library."""
    data = file.read_bytes()
    size, count, signals = int(data[184:192]), int(data[236:244]), int(data[252:256])
    width = 2 if data[:1] == b"0" else 3
    samples = [
        int(data[256 + signals * 216 + 8 * n : 256 + signals * 216 + 8 * n + 8])
        for n in range(signals)
    ]
    record = sum(samples) * width
    begin = size + sum(samples[:-1]) * width
    texts = (data[begin + n * record :].split(b"\x14", 1)[0] for n in range(count))
    return np.array([float(text) for text in texts])
