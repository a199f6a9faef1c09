"""An export to a USB drive: armed or enrolled by a person, whole, then unmounted."""

import os
import re
from pathlib import Path

import export_rig
import pytest
from desk_rig import STICK, WORKS, Bench
from drive_helper import Helper, drive_helper
from export_rig import export, recorded

from edge import drives
from edge.__main__ import main
from edge.commands import export as command
from edge.config import load
from edge.control import Server
from edge.errors import ExportError
from edge.export import TABLES, errand
from edge.export.errand import ROOM, choose
from edge.export.folder import DiskFolder
from edge.records import Event, Session
from edge.store import Store


def test_drive_is_written_and_released(
    database: Path, helper: Helper, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(database) == 0

    assert capsys.readouterr().out.endswith("safe to remove\n")
    assert helper.asked == ["mount sda1", "release sda1"]
    (folder,) = (helper.medium / ROOM).iterdir()
    name, _, mark = folder.name.rpartition("_")
    assert name == "P-07_20251122T082642Z_20251122T082652Z"
    assert len(mark) == errand.MARK
    assert main(["verify", str(folder)]) == 0


def test_failed_export_releases_the_drive(
    database: Path, helper: Helper, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(database) == 0
    (room,) = (helper.medium / ROOM).iterdir()
    for path in room.iterdir():
        path.unlink()
    (room / "ecg.csv").write_text("mine")
    helper.asked.clear()
    capsys.readouterr()

    assert export(database) == 1

    assert "safe" not in capsys.readouterr().out
    assert helper.asked == ["mount sda1", "release sda1"]
    assert (room / "ecg.csv").read_text() == "mine"


def test_full_drive_is_said_and_released(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "usb").mkdir()
    with drive_helper(tmp_path / "usb", size="200k") as helper:
        monkeypatch.setattr(command, "present", lambda: [helper.drive])
        monkeypatch.setattr(drives, "HELPER", helper.path)

        assert export(database) == 1

        assert "the drive is full" in capsys.readouterr().err
        assert helper.asked[-1] == "release sda1"
        assert not list(helper.medium.glob("*/*/manifest.json"))


def test_drive_that_another_process_left_mounted(
    database: Path, helper: Helper
) -> None:
    drives.ask(helper.path, "mount sda1")

    assert export(database) == 0

    assert helper.asked == ["mount sda1", "release sda1", "mount sda1", "release sda1"]


def test_names_on_the_drive_are_those_of_fat(database: Path, helper: Helper) -> None:
    assert export(database) == 0

    names = [path.name for path in (helper.medium / ROOM).rglob("*")]
    for name in names:
        assert len(name) <= errand.LONGEST_NAME
        assert not set(name) - set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
        )
    assert len({name.lower() for name in names}) == len(names)


@pytest.mark.parametrize(
    ("subject", "begins"),
    [("", "2025"), ("../M\u00fcller: Bett 3?", "M_ller__Bett"), ("x" * 300, "xxxx")],
)
def test_any_subject_makes_a_name_of_fat(
    tmp_path: Path, helper: Helper, subject: str, begins: str
) -> None:
    first, *others = recorded()
    assert isinstance(first, Session)
    with Store(tmp_path / "other.db") as store:
        store.append([first._replace(subject=subject), *others])

    assert export(tmp_path / "other.db") == 0

    (folder,) = (helper.medium / ROOM).iterdir()
    assert folder.name.startswith(begins)
    assert len(folder.name) <= errand.LONGEST_NAME
    assert re.fullmatch("[A-Za-z0-9_-]+", folder.name)


def test_two_exports_into_one_folder_of_a_drive_do_not_meet(
    database: Path, helper: Helper, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(database) == 0
    (folder,) = (helper.medium / ROOM).iterdir()
    with DiskFolder.at(folder) as other:
        other.hold()
        assert export(database) == 1
    assert "another export is being written there" in capsys.readouterr().err
    assert main(["verify", str(folder)]) == 0


def test_room_is_asked_for_before_an_export_and_not_before_its_rest(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "usb").mkdir()
    with drive_helper(tmp_path / "usb", size="600k") as helper:
        monkeypatch.setattr(command, "present", lambda: [helper.drive])
        monkeypatch.setattr(drives, "HELPER", helper.path)
        other = helper.medium / "other"

        other.write_bytes(bytes(500_000))
        assert export(database) == 1
        assert "are needed; free some room" in capsys.readouterr().err
        assert not list(helper.medium.glob("*/*/*"))
        other.unlink()
        assert export(database) == 0
        room = os.statvfs(helper.medium)
        other.write_bytes(bytes(room.f_bavail * room.f_frsize - 20_000))
        assert export(database) == 0


def test_one_stretch_goes_to_a_drive_in_several_ways(
    database: Path, helper: Helper
) -> None:
    """Nobody can choose another folder on a drive."""
    ways = (
        *((), ("--formats", "edf"), ("--deidentify",), ("--tables", "ecg")),
        *(("--tolerance-ms", "5"), ("--part-mb", "100"), ()),
    )
    for words in ways:
        assert export(database, *words) == 0

    folders = sorted((helper.medium / ROOM).iterdir())
    assert len(folders) == 6
    assert all(main(["verify", str(folder)]) == 0 for folder in folders)


def test_one_stretch_of_two_boxes_goes_to_one_drive(
    database: Path, helper: Helper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """At one bed, or with no code: subject and UTC are the same, box time is not."""
    monkeypatch.setattr(export_rig, "START", export_rig.START + 3 * export_rig.S)
    monkeypatch.setattr(export_rig, "UTC_AHEAD", -export_rig.S)
    with Store(tmp_path / "other.db") as store:
        store.append(recorded())

    assert export(database) == 0
    assert export(tmp_path / "other.db") == 0

    folders = list((helper.medium / ROOM).iterdir())
    assert len(folders) == 2
    assert all(main(["verify", str(folder)]) == 0 for folder in folders)


def test_no_drive_or_two_are_said() -> None:
    other = STICK._replace(name="sdb1", id="stick/2", label="OTHER")
    with pytest.raises(ExportError, match="insert one"):
        choose([])
    with pytest.raises(ExportError, match=r"STICK \(sda1\) and OTHER \(sdb1\)"):
        choose([STICK, other])
    with pytest.raises(ExportError, match="no file system"):
        choose([STICK._replace(file_system="")])
    assert choose([STICK, other], "stick/2") == other
    assert choose([STICK, other._replace(file_system="ntfs")]) == STICK


@pytest.mark.parametrize("place", ["out", "one.csv"])
@pytest.mark.parametrize("words", [[], ["--deidentify"]])
def test_recording_keeps_what_an_export_to_a_folder_holds(
    tmp_path: Path, words: list[str], place: str
) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(f"[box]\ndata_dir = '{tmp_path}'\n")
    with Store(load(file).database) as store:
        store.append(recorded())
    bench = Bench(tmp_path, WORKS)
    server = Server(load(file).control_socket, bench.desk.handlers())
    try:
        out = str(tmp_path / place)
        assert main(["export", "--config", str(file), "--output", out, *words]) == 0
    finally:
        server.close()

    (event,) = bench.kept
    assert isinstance(event, Event)
    tables = list(TABLES) if place == "out" else ["joined"]
    wanted = {"formats": ["csv"], "tables": tables, "deidentify": bool(words)}
    assert wanted.items() <= event.detail.items()
