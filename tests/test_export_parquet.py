"""Parquet: notes as they were written, tables without rows, and how far it has come."""

from pathlib import Path
from typing import Any

import pytest
from export_rig import START, edge, pose, recorded
from pulled_drive import PulledDrive, whole

from edge.errors import ExportError
from edge.export.job import Job, Progress
from edge.export.request import Request
from edge.export.span import find_span
from edge.history import History
from edge.records import BoxNs, Event, Record, UtcNs
from edge.store import Store

pq: Any = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

NOTES = ["NA", "null", "nan", "'tis", "=1+1", 'a "b", c', "first\nsecond\r\nthird"]


def request_of(database: Path) -> Request:
    with History(database) as history:
        return Request(*find_span(history), formats=("parquet",))


def test_notes_are_kept_as_they_were_written(tmp_path: Path) -> None:
    """Also where they are more than the reader takes at once."""
    notes = [*NOTES, *(f"{number}\n" + "line\n" * 98 for number in range(2500))]
    events: list[Record] = [
        Event(BoxNs(START + number), None, "marker", "", note)
        for number, note in enumerate(notes)
    ]
    database, out = tmp_path / "recording.db", tmp_path / "out"
    with Store(database) as store:
        store.append([*recorded()[:3], *events])

    assert edge(database, "--formats", "parquet", "--output", str(out)) == 0
    assert pq.read_table(out / "events.parquet")["cause"].to_pylist() == notes


def test_table_without_rows_is_a_file_with_its_columns(tmp_path: Path) -> None:
    with Store(tmp_path / "recording.db") as store:
        store.append([*recorded()[:3], pose(START, 0.5)])
    request = request_of(tmp_path / "recording.db")
    drive = PulledDrive()
    said = Job(tmp_path / "recording.db", request, drive, UtcNs(0)).run()

    rows = {file["name"]: file["rows"] for file in said["files"]}
    assert rows == {
        "joined.parquet": 1, "ecg.parquet": 0, "vitals.parquet": 0, "events.parquet": 0,
    }  # fmt: skip
    (tmp_path / "ecg.parquet").write_bytes(dict(whole(drive))["ecg.parquet"])
    assert "box_ns" in pq.read_table(tmp_path / "ecg.parquet").column_names
    about = dict(whole(drive))["README.txt"].decode()
    assert "why there is no value" in about


def test_parquet_tells_how_far_it_is_and_can_be_cancelled(database: Path) -> None:
    told: list[Progress] = []
    request = request_of(database)
    Job(database, request, PulledDrive(), UtcNs(0), told.append).run()
    assert [one.file for one in told[:2]] == ["joined.parquet", "ecg.parquet"]
    assert 0 < told[0].share < told[-1].share == 1

    job = Job(database, request, PulledDrive(), UtcNs(0))
    job.cancel()
    with pytest.raises(ExportError, match="cancelled"):
        job.run()
