"""How complete the last minutes are, as the strip on the page shows it."""

from pathlib import Path
from typing import Any

import pytest
from web_rig import (
    SECOND,
    SEGMENT,
    STARTED,
    QuietRecorder,
    ask,
    make_recording,
)

from edge.config import Settings
from edge.database.reading import Reader
from edge.database.sums import Row
from edge.records import (
    BoxNs,
)
from edge.store import Store
from edge.web.app import make_app
from edge.web.strip import covered, gaps


def test_completeness_shows_the_gap(app: Any) -> None:
    strip = ask(app, "GET", "/completeness?minutes=3").json

    ecg_row, pose_row = strip["streams"]
    assert ecg_row["share"][0] is None, "nothing was recorded before the session"
    assert ecg_row["overall"] == pytest.approx(50 / 60, abs=0.02)
    assert ecg_row["gaps"] == 1
    assert pose_row["overall"] >= 0.98


def test_completeness_reads_no_signal_and_no_list_of_segments(
    tmp_path: Path, recorder: QuietRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day has 1.3 million poses; a board that flaps leaves thousands of segments."""
    path = make_recording(tmp_path)
    with Store(path, ballast_bytes=0) as store:
        store.append([SEGMENT._replace(id=number) for number in range(2, 400)])
    app = make_app(path, recorder, Settings(), tmp_path / "web")
    ask(app, "GET", "/status")  # has the labels read
    told: list[Row] = []
    fetch = Reader.fetch

    def watched(reader: Reader, query: str, values: Row = ()) -> list[Row]:
        rows = fetch(reader, query, values)
        told.extend(rows)
        return rows

    monkeypatch.setattr(Reader, "fetch", watched)
    ask(app, "GET", "/completeness?minutes=60")

    assert not [row for row in told if any(isinstance(cell, bytes) for cell in row)]
    assert len(told) < 100 + 60 + 10, "chunks, seconds of poses, and next to nothing"


@pytest.mark.parametrize("minutes", ["0", "1441", "-1", "a", "1e3", "٣", "1.5"])
def test_completeness_refuses_other_spans(app: Any, minutes: str) -> None:
    answer = ask(app, "GET", f"/completeness?minutes={minutes}")

    assert answer.status == 400
    assert "minutes" in answer.json["error"]


def test_covered_counts_overlaps_once() -> None:
    assert covered([(5, 9), (0, 6), (8, 20)], 2, 12) == 10
    assert covered([], 0, 10) == 0


@pytest.mark.parametrize(
    ("shares", "count"),
    [([], 0), ([1.0], 0), ([0.5], 1), ([1, 0, 0, 1, 0.9, 1, 0], 3), ([0, 0], 1)],
)
def test_gaps_counts_stretches(shares: list[float], count: int) -> None:
    assert gaps(shares) == count


def test_completeness_of_a_recording_that_just_began(tmp_path: Path) -> None:
    recorder = QuietRecorder()
    recorder.now = BoxNs(STARTED + SECOND)
    app = make_app(make_recording(tmp_path), recorder, Settings(), tmp_path / "web")
    strip = ask(app, "GET", "/completeness").json

    assert [row["overall"] for row in strip["streams"]] == [None, None]
