"""Records as JSON: what is drawn, and what is said at the door."""

from typing import Any

import numpy as np
import pytest
from web_rig import (
    SECOND,
    SEGMENT,
    STARTED,
    QuietRecorder,
    ecg,
)

from edge.records import (
    BoxNs,
    StreamState,
)
from edge.web import shapes


def stream(name: str, state: Any = "ok") -> StreamState:
    return StreamState(name, state, BoxNs(STARTED + SECOND), "pulled", None, 0, 0, 0)


@pytest.mark.parametrize(
    ("states", "level", "headline"),
    [
        ({}, "ok", "Recording"),
        ({"camera": "off"}, "ok", "Recording"),
        ({"camera": "lost"}, "warn", "Recording without camera"),
        ({"ecg": "stale"}, "warn", "Recording without ECG"),
        ({"ecg": "late"}, "warn", "Recording, ECG late"),
        ({"store": "stale"}, "warn", "Recording with a fault"),
        ({"ecg": "lost", "camera": "lost"}, "bad", "Nothing is recorded"),
        ({"ecg": "lost", "camera": "off"}, "bad", "Nothing is recorded"),
    ],
)
def test_verdict_in_words(states: dict[str, Any], level: str, headline: str) -> None:
    recorder = QuietRecorder()
    for name, state in states.items():
        found = stream(name, "stale" if state == "late" else state)
        since = BoxNs(recorder.now - SECOND) if state == "late" else found.since
        recorder.streams[name] = found._replace(since=since)

    verdict = shapes.verdict(recorder.state())

    assert (verdict["level"], verdict["headline"]) == (level, headline)
    if level == "warn" and "late" not in states.values():
        assert f"{{{(STARTED + SECOND) / 1e6}}}: pulled" in str(verdict["why"])


def test_verdict_of_a_recorder_that_stopped() -> None:
    recorder = QuietRecorder()
    recorder.recording = False

    assert shapes.verdict(recorder.state())["headline"] == "Not recording"


def test_thinning_keeps_every_peak() -> None:
    seed = 5
    random = np.random.default_rng(seed)
    mv = random.normal(0, 0.1, (1000, 3))
    peaks = random.choice(1000, 12, replace=False)
    mv[peaks, 1] = 5.0 + np.arange(12)

    thinned = shapes.thin(mv, 4)

    assert thinned.shape == (250, 3)
    assert len(set(peaks // 8)) <= sum(thinned[:, 1] >= 5.0), f"seed {seed}"
    assert thinned[:, 1].max() == mv[:, 1].max()
    for block in range(125):
        inside = mv[8 * block : 8 * block + 8]
        pair = thinned[2 * block : 2 * block + 2]
        assert pair.min(axis=0) == pytest.approx(inside.min(axis=0))
        assert pair.max(axis=0) == pytest.approx(inside.max(axis=0))


@pytest.mark.parametrize(
    ("rate_hz", "factor"), [(125, 1), (250, 1), (500, 2), (1000, 4)]
)
def test_thinning_only_what_cannot_be_drawn(rate_hz: float, factor: int) -> None:
    assert shapes.thinning(1e9 / rate_hz) == factor


def test_missing_values_are_null_and_never_numbers() -> None:
    chunk = ecg(0)
    chunk.counts[3, 1] = -(2**31)

    mv = shapes.of_chunk(chunk, SEGMENT)["mv"]

    assert isinstance(mv, list)
    assert mv[1][3] is None
    assert mv[0][3] is not None
