"""Which stretch of the recording an export has, and what of it is missing."""

import json
from pathlib import Path

import numpy as np
import pytest
from export_rig import START, S, box, edge, pose, rows
from formats_rig import a_segment, a_session, second

from edge.export.folder import DiskFolder
from edge.records import BoxNs, Event, Record
from edge.store import Store


def test_all_of_a_recording_has_the_events_around_its_samples(
    database: Path, tmp_path: Path
) -> None:
    """The board is unplugged, no camera is there, and somebody sets a mark."""
    with Store(database) as store:
        begun = Event(BoxNs(START - 3 * S), None, "session", "", "recording began")
        lost = Event(BoxNs(START + 15 * S), None, "state", "ecg", "ecg lost")
        mark = Event(BoxNs(START + 600 * S), None, "marker", "", "cable replaced")
        store.append([begun, lost, mark])

    edge(database, "--output", str(tmp_path / "all"))
    later = np.datetime64(START + 30 * S, "ns").astype("datetime64[s]")
    edge(database, "--from", f"{later}Z", "--output", str(tmp_path / "later"))

    said = [row["cause"] for row in rows(tmp_path / "all" / "events.csv")]
    assert (said[0], *said[-2:]) == (begun.cause, lost.cause, mark.cause)
    (row,) = rows(tmp_path / "later" / "events.csv")
    assert row["cause"] == mark.cause


def test_manifest_says_where_nothing_came(database: Path, tmp_path: Path) -> None:
    """All ends with the tenth second; poses come again 20 s later, ECG never."""
    again = START + 30 * S
    with Store(database) as store:
        store.append([pose(again + number * S, 0.5) for number in range(3)])
        store.append([Event(START, BoxNs(again), "gap", "camera", "camera unplugged")])

    edge(database, "--output", str(tmp_path / "out"))

    said = json.loads((tmp_path / "out" / "manifest.json").read_text())
    poses = said["streams"]["pose"]["camera"]
    (gap,) = poses["gaps_listed"]
    assert (poses["poses"], poses["gaps"]) == (53, 1)
    assert poses["gaps_seconds"] == pytest.approx(20.2, abs=0.01)
    assert poses["complete"] == pytest.approx(1 - 20.2 / 32, abs=0.001)
    assert box(gap["end"]) == again
    assert gap["seconds"] == poses["gaps_seconds"]
    assert gap["causes"] == ["camera unplugged"]
    ecg = said["streams"]["ecg"]["serial"]
    assert ecg["gaps_seconds"] == pytest.approx(2 + 22, abs=0.01)
    assert ecg["gaps_listed"][-1]["end"] == said["range"]["end"]


@pytest.mark.parametrize(
    ("first_s", "until_s", "named"),
    [
        (0, 300, ["P01", "P02", "P03"]),
        (19, 120, ["P01", "P02"]),  # the last second of the first
        (20, 120, ["P02"]),  # it ended: the box was off
        (20, 300, ["P02", "P03"]),
        (110, 300, ["P02", "P03"]),
        (120, 300, ["P03"]),
    ],
)
def test_manifest_names_those_who_were_recorded(
    tmp_path: Path, first_s: int, until_s: int, named: list[str]
) -> None:
    """A patient each 100 s, with 20 s of ECG, for which the box was on."""
    records: list[Record] = []
    for number in range(3):
        at = START + number * 100 * S
        records += [a_session(number + 1, at, "a", f"P0{number + 1}")]
        records += [a_segment(number + 1, number + 1)]
        records += [second(at + step * S, 11, number + 1) for step in range(20)]
    path = tmp_path / "recording.db"
    with Store(path) as store:
        store.append(records)

    when = [f"--from=box:{START + first_s * S}", f"--to=box:{START + until_s * S}"]
    words = ["--tables=ecg", "--output", str(tmp_path / "out")]
    assert edge(path, *when, *words) == 0

    said = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert said["subjects"] == named


@pytest.mark.parametrize("words", [["--from", "-1h"], ["--to", "2026-11-22"]])
def test_what_is_new_to_a_drive_is_of_no_other_stretch(
    words: list[str], database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edge(database, "--since-last", *words, "--drive", "any") == 1
    assert "leave --from and --to out" in capsys.readouterr().err


def test_folder_takes_one_export_at_a_time(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with DiskFolder.at(out) as folder:
        folder.hold()
        assert edge(database, "--output", str(out)) == 1
        assert "another export is being written there" in capsys.readouterr().err
        assert list(out.iterdir()) == []

    assert edge(database, "--output", str(out)) == 0
