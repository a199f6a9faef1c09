"""An export to a USB drive: armed or enrolled by a person, whole, then unmounted."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from drive_helper import Helper, drive_helper
from test_export import START, recorded

from edge import drives
from edge.__main__ import main
from edge.commands import export as command
from edge.config import load
from edge.control import Server
from edge.drives import Drive
from edge.errors import ControlError, ExportError
from edge.export import TABLES, errand
from edge.export.desk import Desk
from edge.export.errand import ROOM, choose
from edge.records import Event, Record
from edge.store import Store

WITHIN_S = 30.0
STICK = Drive("sda1", "stick/1", "STICK", 1 << 20, "vfat", False, (8, 1), "1")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "recording.db"
    with Store(path) as store:
        store.append(recorded())
    return path


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Helper]:
    (tmp_path / "usb").mkdir()
    with drive_helper(tmp_path / "usb") as helper:
        monkeypatch.setattr(command, "present", lambda: [helper.drive])
        monkeypatch.setattr(drives, "HELPER", helper.path)
        yield helper


def export(database: Path, *words: str) -> int:
    return main(["export", "--database", str(database), "--drive", "any", *words])


def test_drive_is_written_and_released(
    database: Path, helper: Helper, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(database) == 0

    assert capsys.readouterr().out.endswith("safe to remove\n")
    assert helper.asked == ["mount sda1", "release sda1"]
    (folder,) = (helper.medium / ROOM).iterdir()
    assert folder.name == "P-07_20251122T082642Z_20251122T082652Z"
    assert main(["verify", str(folder)]) == 0


def test_failed_export_releases_the_drive(
    database: Path, helper: Helper, capsys: pytest.CaptureFixture[str]
) -> None:
    room = helper.medium / ROOM / "P-07_20251122T082642Z_20251122T082652Z"
    room.mkdir(parents=True)
    (room / "ecg.csv").write_text("mine")

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


def test_one_stretch_goes_to_a_drive_with_several_contents(
    database: Path, helper: Helper
) -> None:
    """Nobody can choose another folder on a drive."""
    contents = [(), ("--formats", "edf"), ("--deidentify",), ("--tables", "ecg"), ()]
    for words in contents:
        assert export(database, *words) == 0

    folders = sorted((helper.medium / ROOM).iterdir())
    assert len(folders) == 4
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


class Bench:
    """A desk whose command is a small program, and the drives that a test plugs in."""

    def __init__(self, folder: Path, program: str) -> None:
        self.drives: list[Drive] = []
        self.kept: list[Record] = []
        self.folder = folder
        self.program = program
        self.desk = self.fresh()

    def close(self) -> None:
        self.desk.close()

    def fresh(self) -> Desk:
        """Return a desk as after a restart of the recorder."""
        run = [sys.executable, "-c", self.program, str(self.folder / "ran")]
        return Desk(run, self.folder, self.kept.extend, lambda: START, self.drives.copy)

    def ask(self, what: str, **request: Any) -> dict[str, Any]:
        return self.desk.handlers()[f"export {what}"](request, b"")

    def turns(self, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Let the desk take turns until its state is so."""
        end = time.monotonic() + WITHIN_S
        while time.monotonic() < end:
            self.desk.turn()
            if until(state := self.ask("state")):
                return state
            threading.Event().wait(0.01)
        pytest.fail(f"the desk stays at {state}")

    def ran(self) -> list[str]:
        """Return the options of each run of the program."""
        file = self.folder / "ran"
        return file.read_text().splitlines() if file.exists() else []


WORKS = """
import json, sys
with open(sys.argv[1], "a") as file: print(*sys.argv[2:], file=file)
print(json.dumps({"begin": "5", "end": "9", "drive": "stick/1"}))
print(json.dumps({"share": 0.5, "remaining_s": 3, "written": 7, "file": "ecg.csv"}))
print(json.dumps({"done": True, "files": ["ecg.csv"], "size": 14, "place": "x"}))
"""
FAILS = """
import json, sys
with open(sys.argv[1], "a") as file: print(*sys.argv[2:], file=file)
print(json.dumps({"begin": "5", "end": "9", "drive": "stick/1"}), flush=True)
sys.exit("edge: ecg.csv: the drive was removed")
"""
HANGS = """
import sys, time
with open(sys.argv[1], "a") as file: print(*sys.argv[2:], file=file)
time.sleep(60)
"""


def over(state: dict[str, Any]) -> bool:
    return state["state"] in ("done", "failed")


def test_nothing_happens_on_plugging_in_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORKS)
    for insertion in range(20):
        bench.drives[:] = [STICK._replace(insertion=str(insertion))]
        bench.desk.turn()
        bench.drives.clear()
        bench.desk.turn()

    assert bench.ran() == []
    assert bench.kept == []
    assert bench.ask("state")["state"] == "idle"


def test_armed_export_goes_to_the_drive_that_comes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORKS)
    bench.ask("arm", by="nurse", **{"from": "-1h"})
    bench.desk.turn()
    assert bench.ask("state")["state"] == "armed"

    bench.drives.append(STICK)
    state = bench.turns(over)

    assert state["state"] == "done"
    assert state["sentence"] == "STICK is safe to remove"
    (options,) = bench.ran()
    assert "--json --drive=sda1 --from=-1h --to= --formats=csv" in options
    (event,) = bench.kept
    assert isinstance(event, Event)
    assert event.kind == "export"
    assert event.detail["by"] == "nurse"
    assert event.detail["whole"] is True
    assert event.detail["end_box_ns"] == "9"
    bench.desk.turn()
    assert bench.ran() == [options]


def test_failure_is_said_and_tried_again_when_it_comes_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FAILS)
    bench.drives.append(STICK)
    bench.ask("arm", by="nurse")
    state = bench.turns(over)
    assert state["sentence"] == "ecg.csv: the drive was removed"
    for _ in range(5):  # still there: not again and again
        bench.desk.turn()
    assert len(bench.ran()) == 1

    bench.drives[:] = [STICK._replace(insertion="2")]
    bench.turns(lambda state: len(bench.ran()) == 2 and over(state))

    # The same stretch, not what "everything" is by now.
    assert "--from=box:5 --to=box:9" in bench.ran()[1]
    assert [event.detail["whole"] for event in bench.kept] == [False, False]  # type: ignore[union-attr]


def test_stretch_of_what_is_new_outlives_a_restart(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FAILS)
    bench.drives.append(STICK)
    bench.ask("enrol", by="nurse", drive="sda1")
    bench.drives[:] = [STICK._replace(insertion="2")]
    bench.turns(over)

    bench.program = WORKS
    for number, begins in ((2, "--from=box:5"), (3, "--from= ")):
        bench.desk = bench.fresh()
        bench.drives[:] = [STICK._replace(insertion=str(number + 1))]
        bench.turns(over)
        assert begins in bench.ran()[number - 1]


@pytest.mark.parametrize("restarted", [False, True])
def test_new_order_is_of_the_recording_as_it_is_now(
    tmp_path: Path, restarted: bool
) -> None:
    bench = Bench(tmp_path, FAILS)
    bench.drives.append(STICK)
    bench.ask("arm", by="nurse")
    bench.turns(over)

    if restarted:
        bench.desk = bench.fresh()
    bench.ask("arm", by="nurse")
    bench.turns(lambda state: len(bench.ran()) == 2 and over(state))

    assert "--from= --to= " in bench.ran()[1]


def test_order_after_a_cancelled_one_is_of_the_recording_as_it_is_now(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, FAILS.replace("sys.exit(", "import time; time.sleep(60)#"))
    bench.drives.append(STICK)
    bench.ask("enrol", by="nurse", drive="sda1")
    bench.drives[:] = [STICK._replace(insertion="2")]
    bench.turns(lambda state: bool(bench.ran()))
    bench.ask("cancel")
    bench.turns(over)

    bench.drives[:] = [STICK._replace(insertion="3")]
    bench.turns(lambda state: len(bench.ran()) == 2)
    bench.ask("cancel")
    bench.turns(over)

    assert "--from= --to= --since-last" in bench.ran()[1]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"from": "junk"}, "'junk' is not an ISO time"),
        ({"to": "2026-02-30"}, "write 2026-11-22T10:15 or -1h"),
        ({"from": "-1 hour"}, "not an ISO time"),
        ({"from": "-1h", "since_last": True}, "leave --from and --to out"),
        ({"to": "2026-11-22", "since_last": True}, "leave --from and --to out"),
    ],
)
def test_order_that_no_export_can_follow_is_refused(
    asked: dict[str, Any], says: str, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, WORKS)
    bench.drives.append(STICK)
    with pytest.raises(ControlError, match=says):
        bench.ask("arm", by="nurse", drive="sda1", **asked)
    with pytest.raises(ControlError, match="leave --from and --to out"):
        bench.ask("enrol", by="nurse", drive="sda1", **asked)

    assert bench.ask("state")["state"] == "idle"
    for good in ("-1.5h", "2026-11-22T10:15", "box:12", ""):
        bench.ask("arm", **{"by": "nurse", "from": good, "to": good})
    bench.ask("arm", by="nurse", since_last=True)


def test_enrolled_drive_gets_what_is_new_at_every_insertion(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORKS)
    bench.drives.append(STICK)
    bench.ask("enrol", by="nurse", drive="sda1")
    bench.desk.turn()
    assert bench.ran() == []

    for number in (2, 3):
        bench.desk = bench.fresh()
        bench.drives.clear()
        bench.desk.turn()
        bench.drives.append(STICK._replace(insertion=str(number)))
        bench.turns(over)
    assert len(bench.ran()) == 2
    assert all("--since-last" in options for options in bench.ran())

    bench.ask("forget", drive=STICK.id)
    bench.drives[:] = [STICK._replace(insertion="4")]
    bench.desk.turn()
    assert len(bench.ran()) == 2
    with pytest.raises(ControlError):
        bench.ask("forget", drive=STICK.id)


def test_cancelled_export_ends_and_is_not_tried_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, HANGS)
    bench.drives.append(STICK)
    bench.ask("arm", by="nurse")
    bench.turns(lambda state: len(bench.ran()) == 1)
    with pytest.raises(ControlError, match="being written"):
        bench.ask("arm", by="nurse")

    bench.ask("cancel")
    state = bench.turns(over)

    assert state["state"] == "failed"
    bench.drives[:] = [STICK._replace(insertion="2")]
    bench.desk.turn()
    assert len(bench.ran()) == 1


def test_order_that_cannot_be_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORKS)
    for wrong in ({"formats": ["xls"]}, {"tables": ["ecg; rm"]}):
        with pytest.raises(ControlError, match="there are"):
            bench.ask("arm", by="nurse", **wrong)
    with pytest.raises(ControlError, match="no drive"):
        bench.ask("enrol", by="nurse", drive="sdz1")
    with pytest.raises(KeyError):
        bench.ask("arm")


def test_two_drives_wait_for_a_person(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORKS)
    bench.drives += [STICK, STICK._replace(name="sdb1", id="stick/2", label="B")]
    bench.ask("arm", by="nurse")
    bench.desk.turn()

    assert "remove one" in bench.ask("state")["sentence"]
    assert bench.ran() == []

    del bench.drives[0]
    bench.turns(over)
    assert "--drive=sdb1" in bench.ran()[0]


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


def test_orders_come_from_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(f"[box]\ndata_dir = '{tmp_path}'\n")
    bench = Bench(tmp_path, WORKS)
    bench.drives.append(STICK)
    server = Server(load(file).control_socket, bench.desk.handlers())
    try:
        words = ["--config", str(file)]
        assert main(["drive", "arm", "--from", "-1h", *words]) == 0
        assert capsys.readouterr().out.startswith("armed: ")
        bench.turns(over)
        assert main(["drive", "list", *words]) == 0
        assert "STICK is safe to remove" in capsys.readouterr().out
        assert "--from=-1h" in bench.ran()[0]
        assert main(["drive", "enrol", "sda1", *words]) == 0
        assert "0.0 GB, vfat, enrolled" in capsys.readouterr().out
        assert main(["drive", "enrol", "sdzz9", *words]) == 1
        assert "there is no drive sdzz9" in capsys.readouterr().err
    finally:
        server.close()
