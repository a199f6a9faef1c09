"""One bed, one subject after the other: nothing of one is shown beside another."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_rig import Row, edge, pose, rows
from records_store import EVER, S
from web_rig import QuietRecorder, ask

from edge.__main__ import main
from edge.clock import boot_id
from edge.config import Settings
from edge.given import records_of, segment_of
from edge.history import History
from edge.join.columns import JoinedRow
from edge.join.rows import joined_rows
from edge.records import (
    BoxNs,
    BoxState,
    ClockReading,
    EcgChunk,
    Record,
    Segment,
    Session,
    UtcNs,
    Vital,
)
from edge.store import Store
from edge.web.app import make_app

START = BoxNs(1_763_800_000 * S)
STAY_S = 10
"""Each subject stays so long; the next one's recording begins at once."""


def stay(number: int, subject: str, ecg_from_s: float = 0.0) -> list[Record]:
    """Return the recording of *subject*, the *number*th: a pose a second, and ECG."""
    began = START + (number - 1) * STAY_S * S
    counts = np.full((1, 1), number, np.int32)
    records: list[Record] = [
        Session(number, boot_id(), BoxNs(began), 0, "0.1", subject, "{}"),
        Segment(
            number, number, "serial", "csv", ("I",), (1.0,), (0,), 10.0, True, "counter"
        ),
        ClockReading(number, BoxNs(began), UtcNs(began), True, 0),
    ]
    for tenth in range(round(10 * ecg_from_s), 10 * STAY_S):
        at = BoxNs(began + tenth * S // 10)
        records.append(EcgChunk(number, at, 1e8, 1000, counts))
    return records + [pose(began + n * S + S // 50, 0.5) for n in range(STAY_S)]


def pressure(number: int, value: float) -> Vital:
    """Return a blood pressure of the *number*th stay, in its third second."""
    at = BoxNs(START + (number - 1) * STAY_S * S + 3 * S)
    return Vital(at, "blood_pressure_systolic", value, "", "upload")


def shown(database: Path, tolerance_ns: int = S) -> list[JoinedRow]:
    with History(database) as history:
        return list(joined_rows(history, *EVER, tolerance_ns))


def exported(database: Path, out: Path, *words: str) -> list[Row]:
    assert edge(database, "--output", str(out), "--tables", "joined", *words) == 0
    return rows(out / "joined.csv")


def kept(path: Path, *records: Record) -> Path:
    with Store(path) as store:
        store.append(records)
    return path


@pytest.mark.parametrize(
    ("subjects", "pressures"),
    [
        (("A", "A"), (120.0, 120.0)),  # the recorder was started afresh
        (("A", "B"), (120.0, None)),
        (("A", ""), (120.0, None)),
        (("A", "B", "A"), (120.0, None, None)),  # who comes back is measured anew
        (("A", "A", "B"), (120.0, 120.0, None)),
    ],
)
def test_vital_is_that_of_the_subject(
    tmp_path: Path, subjects: tuple[str, ...], pressures: tuple[float | None, ...]
) -> None:
    records = [
        record
        for number, subject in enumerate(subjects, start=1)
        for record in stay(number, subject)
    ]
    database = kept(tmp_path / "edge.db", *records, pressure(1, 120.0))

    found = exported(database, tmp_path / "out")
    live = shown(database)

    for number, value in enumerate(pressures):
        last = (number + 1) * STAY_S - 1
        text = found[last]["blood_pressure_systolic"]
        assert (float(text) if text else None) == value
        assert bool(found[last]["blood_pressure_systolic_age_ms"]) == bool(text)
        then = live[last].vitals["blood_pressure_systolic"]
        assert (then.value, then.age_ms is None) == (value, value is None)


def test_vital_of_the_new_subject_alone_counts_from_then_on(tmp_path: Path) -> None:
    told = pressure(1, 120.0), pressure(2, 95.0)
    database = kept(tmp_path / "edge.db", *stay(1, "A"), *stay(2, "B"), *told)

    found = exported(database, tmp_path / "out")

    texts = [row["blood_pressure_systolic"] for row in found]
    assert texts == [""] * 3 + ["120.0"] * 7 + [""] * 3 + ["95.0"] * 7


def test_export_that_begins_after_the_change_has_no_vital_of_before(
    tmp_path: Path,
) -> None:
    told = pressure(1, 120.0), pressure(2, 95.0)
    database = kept(tmp_path / "edge.db", *stay(1, "A"), *stay(2, "B"), *told)

    found = exported(database, tmp_path / "out", "--from=-9s")

    texts = [row["blood_pressure_systolic"] for row in found]
    assert texts[0] == ""
    assert texts[-1] == "95.0"


@pytest.mark.parametrize(("subject", "matched"), [("A", True), ("B", False)])
def test_pose_finds_no_ecg_of_another_subject(
    tmp_path: Path, subject: str, matched: bool
) -> None:
    """The board of the second recording begins four seconds late."""
    late = stay(2, subject, ecg_from_s=4.0)
    database = kept(tmp_path / "edge.db", *stay(1, "A"), *late)

    found = exported(database, tmp_path / "out", "--tolerance-ms=1500")
    live = shown(database, 3 * S // 2)

    first = found[STAY_S]
    assert (first["ecg_matched"] == "True") is matched
    assert first["ecg_segment"] == ("1" if matched else "")
    assert (live[STAY_S].sample is not None) is matched
    assert found[STAY_S + 3]["ecg_segment"] == "2"


def test_ecg_further_away_is_found_where_the_nearer_is_of_another(
    tmp_path: Path,
) -> None:
    late = stay(2, "B", ecg_from_s=4.0)
    database = kept(tmp_path / "edge.db", *stay(1, "A"), *late)

    found = exported(database, tmp_path / "out", "--tolerance-ms=5000")
    live = shown(database, 5 * S)

    assert [row["ecg_segment"] for row in found] == ["1"] * 10 + ["2"] * 10
    assert [row.sample and row.sample.segment.id for row in live] == [1] * 10 + [2] * 10


def test_session_whose_row_is_damaged_is_of_nobody_known(tmp_path: Path) -> None:
    records = [*stay(1, "A"), *stay(2, "A"), *stay(3, "A"), pressure(1, 120.0)]
    database = kept(tmp_path / "edge.db", *records, pressure(2, 95.0))
    with closing(sqlite3.connect(database)) as file, file:
        file.execute("UPDATE sessions SET subject = 'B' WHERE id = 2")

    found = exported(database, tmp_path / "out")
    live = [row.vitals.get("blood_pressure_systolic") for row in shown(database)]

    texts = [row["blood_pressure_systolic"] for row in found]
    known = [""] * 3 + ["120.0"] * 7 + [""] * 3 + ["95.0"] * 7 + [""] * 10
    assert texts == known
    values = [then.value if then else None for then in live]
    assert values == [float(text) if text else None for text in known]


@pytest.mark.parametrize("source", ["upload", "file"])
def test_manifest_names_no_subject_who_was_not_there(
    tmp_path: Path, source: str
) -> None:
    """What is sent in the stay of one may be dated in that of another."""
    sent = segment_of(3, 2, source)
    late = records_of(sent, BoxNs(START + 5 * S), {"ecg_lead1": 1.0})
    records = [*stay(1, "A"), *stay(2, "B"), sent, *late]
    database = kept(tmp_path / "edge.db", *records)
    words = ["--to", f"box:{START + STAY_S * S}", "--output", str(tmp_path / "out")]

    assert edge(database, *words) == 0

    said = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert said["subjects"] == ["A"]
    (segment,) = said["streams"]["ecg"][source]["segments"]
    assert segment["subject"] == ""
    (segment,) = said["streams"]["ecg"]["serial"]["segments"]
    assert segment["subject"] == "A"
    table = rows(tmp_path / "out" / "ecg.csv")
    assert [row["session"] for row in table if row["segment"] == "3"] == ["1"]


class Restarted(QuietRecorder):
    """A recorder that is in the recording of another subject."""

    subject, session, started = "A", 1, START

    def state(self) -> BoxState:
        said = super().state()
        return said._replace(
            subject=self.subject, session=self.session, started=self.started
        )


def vitals_shown(app: Any, session: int) -> list[float]:
    """Return what the page is told once it has heard of *session*."""
    while (reply := ask(app, "GET", "/live").json)["session"]["id"] != session:
        pass
    return [vital["value"] for vital in reply["vitals"]]


@pytest.mark.parametrize(("subject", "left"), [("A", [120.0]), ("B", [])])
def test_page_shows_no_vital_of_the_subject_before(
    tmp_path: Path, subject: str, left: list[float]
) -> None:
    recorder = Restarted()
    recorder.now = BoxNs(START + (STAY_S - 1) * S)
    database = kept(tmp_path / "edge.db", *stay(1, "A"), pressure(1, 120.0))
    app = make_app(database, recorder, Settings(), tmp_path / "web")
    assert vitals_shown(app, 1) == [120.0]

    kept(database, *stay(2, subject)[:3])  # nothing has come yet
    recorder.session, recorder.subject = 2, subject
    recorder.started = recorder.now = BoxNs(START + STAY_S * S)

    assert vitals_shown(app, 2) == left


@pytest.mark.parametrize(("subject", "segment"), [("A", "1"), ("B", "")])
def test_files_of_an_export_are_joined_as_the_box_joins(
    tmp_path: Path, subject: str, segment: str
) -> None:
    """The first pose of the second stay has near ECG of the first one alone."""
    late = stay(2, subject, ecg_from_s=4.0)
    told = pressure(1, 120.0)
    database = kept(tmp_path / "edge.db", *stay(1, "A"), *late, told)
    out, joined = tmp_path / "out", tmp_path / "again.csv"
    words = ["--output", str(out), "--tables", "joined,ecg", "--tolerance-ms=1500"]
    assert edge(database, *words) == 0
    files = [str(out / "joined.csv"), str(out / "ecg.csv")]

    assert main(["join", *files, "--tolerance-ms=1500", "--output", str(joined)]) == 0

    here, there = rows(joined), rows(out / "joined.csv")
    assert [row["ecg_segment"] for row in here] == [row["ecg_segment"] for row in there]
    assert here[STAY_S]["ecg_segment"] == segment
    assert [row["subject"] for row in here] == ["A"] * STAY_S + [subject] * STAY_S
    assert list(here[0])[-1] == list(there[0])[-1] == "subject"
