"""A de-identified export: a code, moved times, and nothing that a person wrote."""

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from export_rig import START, UTC_AHEAD, S, edge, pose, recorded, rows
from formats_rig import start_of

from edge import config
from edge.__main__ import main
from edge.errors import ExportError, SourceUnavailable
from edge.export.folder import DiskFolder
from edge.export.job import Job
from edge.export.recording import Veil
from edge.export.request import Request
from edge.export.span import find_span
from edge.given import Line, Refused, file_name, segment_of
from edge.history import History
from edge.ledger import Ledger
from edge.opening import loaded
from edge.records import BoxNs, ClockReading, Event, Record, Session, UtcNs
from edge.store import Store

DAYS = -1234.5
SHIFT_NS = round(DAYS * 86_400 * S)
CANARIES = ("Mr. Y", "Mueller", "bedside-7", "canary.jpg", "reading by", "2025", "1763")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    upload = pose(START + S, 0.5)._replace(source="upload", picture="canary.jpg")
    by = Event(BoxNs(START + S), None, "export", "export", "reading by Mr. Y", {})
    named = Session(2, "bedside-7", BoxNs(START + 30 * S), 5, "0.1", "P-07", "{}")
    records: list[Record] = [*recorded(), upload, by, named]
    records.append(ClockReading(2, BoxNs(START + 31 * S), UtcNs(START), False, 0))
    records.append(pose(START + 32 * S, 0.5))
    records += of_a_file("Mueller 1951.csv", START + 3 * S)
    # The box has no battery: its clock began in 1970 and was set to today.
    today = UtcNs(START + 2 * S)
    records.append(ClockReading(1, BoxNs(START + 2 * S), today, True, today - 9 * S))
    path = tmp_path / "recording.db"
    with Store(path) as store:
        store.append(records)
    return path


def of_a_file(name: str, at: int) -> list[Record]:
    """Return what is kept of an ECG file, and of one that cannot be read."""
    utc = UtcNs(at + UTC_AHEAD)
    lines: list[Line | Refused] = [
        Line(2, utc, {"ecg_lead1": 0.5}),
        Refused(3, "heart_rate = 'Hans Mueller' is not a number"),
    ]
    ledger = Ledger([ClockReading(1, START, UtcNs(START + UTC_AHEAD), True, 0)])
    segment = segment_of(2, 1, "file", f"{name} 20ac1b836968")
    with pytest.raises(SourceUnavailable) as missing:
        file_name(Path(name))
    unread = Event(BoxNs(at), None, "state", "ecg", str(missing.value))
    return [*chain(*loaded(segment, lines, ledger, BoxNs(at))), unread]


def test_states_keep_their_causes(database: Path, tmp_path: Path) -> None:
    with Store(database) as store:
        detail: dict[str, object] = {"from": "ok", "to": "lost"}
        at = BoxNs(START + 9 * S)
        store.append([Event(at, None, "state", "ecg", "the board was pulled", detail)])

    assert edge(database, "--deidentify", "--output", str(tmp_path / "out")) == 0

    states = [
        row["cause"]
        for row in rows(tmp_path / "out" / "events.csv")
        if row["kind"] == "state"
    ]
    assert states == ["", "", "the board was pulled"]


def test_subject_of_each_session_is_said(database: Path, tmp_path: Path) -> None:
    """Also of one that recorded no ECG."""
    later = Session(3, "bedside-7", BoxNs(START + 60 * S), 5, "0.1", "P-08", "{}")
    with Store(database) as store:
        store.append([later, pose(START + 61 * S, 0.5)])

    assert edge(database, "--deidentify", "--output", str(tmp_path / "out")) == 0

    said = json.loads((tmp_path / "out" / "manifest.json").read_text())
    subjects = {run["session"]: run["subject"] for run in said["clock"]["sessions"]}
    assert subjects == {1: "P-07", 2: "P-07", 3: "P-08"}


def test_box_has_a_name_where_nothing_is_left_out(tmp_path: Path) -> None:
    settings = config.Settings(box=config.Box(name="ward-3", subject="P-07"))
    runs = [Session(1, "boot", START, 5, "0.1", "P-07", settings.as_json())]
    with Store(tmp_path / "recording.db") as store:
        store.append([*runs, pose(START + S, 0.5)])

    for words in ([], ["--deidentify"]):
        out = tmp_path / f"out{len(words)}"
        assert edge(tmp_path / "recording.db", *words, "--output", str(out)) == 0
    said, veiled = (
        json.loads((tmp_path / name / "manifest.json").read_text())
        for name in ("out0", "out1")
    )
    assert said["configuration"]["1"]["box"]["name"] == "ward-3"
    assert said["clock"]["sessions"][0]["boot"] == "boot"
    assert "ward-3" not in json.dumps(veiled)
    assert "boot" not in veiled["clock"]["sessions"][0]


def test_nothing_leads_back(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--deidentify", f"--shift-days={DAYS}", "--formats", "csv,edf,edf-d,wfdb"]

    assert edge(database, *words, "--output", str(out)) == 0

    for path in out.iterdir():
        content = path.read_bytes().decode("utf-8", "replace")
        for canary in CANARIES:
            assert canary not in content.replace("utf-8-sig", ""), (path.name, canary)
    said = json.loads((out / "manifest.json").read_text())
    assert said["subjects"] == ["P-07"]
    assert said["de_identified"] is True
    assert not {"configuration", "made"} & said.keys()


def test_nothing_leads_back_from_the_joined_table_alone(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "alone.csv"
    words = ["--deidentify", f"--shift-days={DAYS}", "--output"]

    assert edge(database, *words, str(out)) == 0
    assert edge(database, *words, "-") == 0

    text = out.read_text()
    assert capsys.readouterr().out.splitlines() == text.splitlines()
    assert [name for name in CANARIES if name in text] == []


def test_all_times_are_moved_alike(database: Path, tmp_path: Path) -> None:
    plain, moved = tmp_path / "plain", tmp_path / "moved"
    formats = "--formats=csv,edf,edf-d,wfdb"
    assert edge(database, formats, "--output", str(plain)) == 0
    words = ["--deidentify", f"--shift-days={DAYS}", formats]
    assert edge(database, *words, "--output", str(moved)) == 0

    for name in ("manifest.json", "ecg-001.edf", "ecg-d-001.edf", "ecg-001.hea"):
        begun, later = (begins(folder / name) for folder in (plain, moved))
        by = {new - old for old, new in zip(begun, later, strict=True)}
        assert by == {SHIFT_NS // S}, name
    for name in ("joined", "ecg", "vitals", "events"):
        before, after = (rows(folder / f"{name}.csv") for folder in (plain, moved))
        assert len(before) == len(after)
        for row, shifted in zip(before, after, strict=True):
            for column in row:
                if column.endswith("timestamp") and row[column]:
                    assert utc(shifted[column]) - utc(row[column]) == SHIFT_NS // 1000
                if column.endswith("box_s") and row[column]:
                    assert box(shifted, column) - box(row, column) == SHIFT_NS
                if column in ("difference_ms", "duration_s", "I_mv", "nose_x"):
                    assert shifted[column] == row[column]


def begins(path: Path) -> list[float]:
    """Return the seconds of UTC, and of box time if it is told, of a file."""
    if path.suffix == ".edf":
        return [start_of(path)]
    if path.suffix == ".json":
        begin = json.loads(path.read_text())["range"]["begin"]
        return [utc(begin["utc"]) / 1e6, begin["box_s"]]
    first, *_, last = path.read_text().splitlines()
    clock, date = first.split()[-2:]
    day, month, year = date.split("/")
    box_s = int(last.split()[-4])
    return [utc(f"{year}-{month}-{day}T{clock}") / 1e6, box_s]


def utc(text: str) -> int:
    return int(np.datetime64(text.removesuffix("+00:00"), "us").astype(np.int64))


def box(row: dict[str, str], column: str) -> int:
    return int(row[column]) * S + int(row[column.removesuffix("_s") + "_ns"])


def test_shift_without_deidentification_is_refused(
    database: Path, tmp_path: Path
) -> None:
    assert edge(database, "--shift-days", "5", "--output", str(tmp_path / "out")) == 1


@pytest.mark.parametrize(
    ("veil", "first", "later"), [(Veil(SHIFT_NS), "", 0), (Veil(), "-30s", 9 * S)]
)
def test_cancelled_one_goes_on_where_it_was(
    database: Path, tmp_path: Path, veil: Veil, first: str, later: int
) -> None:
    out = tmp_path / "out"
    with History(database) as history:
        span = find_span(history, first)
    asked = Request(*span, veil=veil, words=(first, ""))
    with DiskFolder.at(out) as folder:
        job = Job(database, asked, folder, UtcNs(0), lambda told: job.cancel())
        with pytest.raises(ExportError, match="cancelled"):
            job.run()
    if later:
        with Store(database) as store:
            store.append([pose(START + 32 * S + later, 0.5)])

    days = veil.shift_ns / (86_400 * S)
    words = ["--deidentify", f"--from={first}", f"--shift-days={days}"]
    assert edge(database, *words, "--output", str(out)) == 0
    assert main(["verify", str(out)]) == 0
    said = json.loads((out / "manifest.json").read_text())
    assert said["range"]["seconds"] == (span[1] - span[0]) / S
