"""The desk for exports: who is served when, and what becomes of an order."""

from pathlib import Path
from typing import Any

import pytest
from desk_rig import FAILS, HANGS, STICK, WORKS, Bench, over

from edge.__main__ import main
from edge.commands.drive import as_text
from edge.config import load
from edge.control import Server
from edge.errors import ControlError
from edge.records import Event


@pytest.mark.parametrize("away", [False, True])
def test_drive_is_forgotten_by_its_name_in_the_list(away: bool, tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORKS)
    bench.drives.append(STICK)
    bench.ask("enrol", drive="sda1", by="nurse")
    if away:
        bench.drives.clear()
    name, label, *said = as_text(bench.ask("state")).splitlines()[1].split()
    assert (label, "enrolled" in " ".join(said)) == (f"{STICK.label}:", True)

    bench.ask("forget", drive=name, by="nurse")

    assert bench.ask("state")["enrolled"] == []
    for unknown in (name, ""):
        with pytest.raises(ControlError, match="edge drive list"):
            bench.ask("forget", drive=unknown, by="nurse")
    with pytest.raises(ControlError, match="'sdz'; 'edge drive list' names them"):
        bench.ask("enrol", drive="sdz", by="nurse")


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
    kept = [event for event in bench.kept if isinstance(event, Event)]
    assert [event.detail["whole"] for event in kept] == [False, False]


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


def test_what_is_not_to_be_told_is_not_told_on_a_drive_either(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORKS)
    bench.drives.append(STICK)
    bench.ask("arm", by="nurse", deidentify=True, shift_days=-12.5, tables=["ecg"])
    bench.turns(over)

    (options,) = bench.ran()
    assert options.endswith("--tables=ecg --deidentify --shift-days=-12.5")
    (event,) = bench.kept
    assert isinstance(event, Event)
    assert event.detail["deidentify"] is True


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
        assert "there is no drive 'sdzz9'" in capsys.readouterr().err
    finally:
        server.close()
