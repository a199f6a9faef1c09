"""Recordings that earlier programs wrote are read as they were, and go on."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from records_store import EVER, START, S, same

from edge.history import History
from edge.records import (
    MISSING,
    BoxNs,
    ClockReading,
    EcgChunk,
    Event,
    Pose,
    Record,
    Segment,
    Session,
    UtcNs,
    Vital,
)
from edge.store import Store

OPENED: list[Record] = [
    Session(1, "boot", START, 5, "0.1.0", "bed-1", '{"ecg": {"source": "serial"}}'),
    ClockReading(1, BoxNs(START + S), UtcNs(START + S // 2), True, -250_000),
    Segment(
        1, 1, "serial", "csv", ("I", "II"), (1000.0, 44739.25), (0, -7), 500.0, True,
        "counter",
    ),
    Segment(2, 1, "upload", "", ("I",), (1000.0,), (0,), 0.0, True, "given"),
    EcgChunk(
        1, START, 2e6, 500_000,
        np.array([[0, -1], [128, -129], [32768, MISSING]], np.int32), None,
        ("", "lead_off"),
    ),
    EcgChunk(
        2, BoxNs(START + S), 0.0, 0, np.array([[8_000_000], [1 - 2**31]], np.int32),
        np.array([0, 40_000], np.uint32),
    ),
    Pose(
        BoxNs(START + 7), 333, "sensor", "camera", "pose",
        (np.arange(51).reshape(17, 3) / 4).astype(np.float32), 640, 480, 90,
        "movenet.tflite", "tpu", 3.5,
    ),
    Pose(
        BoxNs(START + S), 0, "given", "upload", "absent",
        np.zeros((17, 3), np.float32), 320, 240, 0, "movenet.tflite", "cpu", 4.0,
        "bed.jpg",
    ),
    Vital(BoxNs(START + 3), "heart_rate", 61.5, "", "serial", True),
    Vital(BoxNs(START + 4), "oxygen_saturation", None, "probe_off", "serial"),
    Event(
        START, BoxNs(START + S), "gap", "ecg", "The cable was pulled, “again”.",
        {"größe": 0.5, "l": [1]},
    ),
    Event(BoxNs(START + 2), None, "marker", "", "turned", {"by": "anna"}),
]  # fmt: skip
"""What was given to the program that wrote `recording_1.sql`."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a recording of schema 1."""
    path = tmp_path / "recording.db"
    text = Path(__file__).with_name("recording_1.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)
    return path


def test_an_early_recording_goes_on_and_keeps_what_it_has(path: Path) -> None:
    more = Event(BoxNs(START + 9 * S), None, "marker", "", "of today")
    with Store(path, ballast_bytes=0) as store:
        # Nothing was set aside, nothing mended; where the folder lies is told as well.
        assert all("The data folder" in sentence for sentence in store.opening)
        store.append([more])

    with History(path) as history:
        found: list[Record] = [*history.sessions(), *history.clock_readings()]
        found += history.segments().values()
        found += [*history.chunks(*EVER), *history.poses(*EVER)]
        found += [*history.vitals(*EVER), *history.events(*EVER)]
        assert history.damaged == 0
        assert (history.counts().posted, history.counts().instants) == (2, 5)
    expected = [*OPENED, more]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert same(one, other), f"{one} is not {other}"
