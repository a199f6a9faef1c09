"""A de-identified export: a code, moved times, and nothing that a person wrote."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from test_export import START, UTC_AHEAD, S, edge, pose, recorded

from edge.errors import SourceUnavailable
from edge.given import Line, Refused, file_name, segment_of
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
    path = tmp_path / "recording.db"
    with Store(path) as store:
        store.append(records)
    return path


def of_a_file(name: str, at: int) -> list[Record]:
    """Return what is kept of an ECG file, and of one that cannot be read."""
    utc = UtcNs(at + UTC_AHEAD)
    lines = [
        Line(2, utc, {"ecg_lead1": 0.5}),
        Refused(3, "heart_rate = 'Hans Mueller' is not a number"),
    ]
    ledger = Ledger([ClockReading(1, START, UtcNs(START + UTC_AHEAD), True, 0)])
    segment = segment_of(2, 1, "file", f"{name} 20ac1b836968")
    with pytest.raises(SourceUnavailable) as missing:
        file_name(Path(name))
    unread = Event(BoxNs(at), None, "state", "ecg", str(missing.value))
    return [*loaded(segment, lines, ledger, BoxNs(at)), unread]


def test_states_keep_their_causes(database: Path, tmp_path: Path) -> None:
    with Store(database) as store:
        detail: dict[str, object] = {"from": "ok", "to": "lost"}
        at = BoxNs(START + 9 * S)
        store.append([Event(at, None, "state", "ecg", "the board was pulled", detail)])

    assert edge(database, "--deidentify", "--output", str(tmp_path / "out")) == 0

    states = [
        row["cause"]
        for row in table(tmp_path / "out" / "events.csv")
        if row["kind"] == "state"
    ]
    assert states == ["", "", "the board was pulled"]


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
    assert edge(database, "--output", str(plain)) == 0
    words = ["--deidentify", f"--shift-days={DAYS}"]
    assert edge(database, *words, "--output", str(moved)) == 0

    for name in ("joined", "ecg", "vitals", "events"):
        before, after = (table(folder / f"{name}.csv") for folder in (plain, moved))
        assert len(before) == len(after)
        for old, new in zip(before, after, strict=True):
            for column in old:
                if column.endswith("timestamp") and old[column]:
                    assert utc(new[column]) - utc(old[column]) == SHIFT_NS // 1000
                if column.endswith("box_s") and old[column]:
                    assert box(new, column) - box(old, column) == SHIFT_NS
                if column in ("difference_ms", "duration_s", "I_mv", "nose_x"):
                    assert new[column] == old[column]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def utc(text: str) -> int:
    return int(np.datetime64(text.removesuffix("+00:00"), "us").astype(np.int64))


def box(row: dict[str, str], column: str) -> int:
    return int(row[column]) * S + int(row[column.removesuffix("_s") + "_ns"])


def test_shift_without_deidentification_is_refused(
    database: Path, tmp_path: Path
) -> None:
    assert edge(database, "--shift-days", "5", "--output", str(tmp_path / "out")) == 1
