"""An enrolled drive: what is new, all of it, at every insertion."""

import json
from pathlib import Path
from typing import Any

import pytest
from drive_helper import Helper
from test_export import START, S
from test_export_drive import (
    FAILS,
    STICK,
    WORKS,
    Bench,
    database,
    export,
    helper,
    over,
)

from edge.export import TABLES
from edge.export.errand import ROOM
from edge.records import BoxNs, Event
from edge.store import Store

__all__ = ["database", "helper"]  # fixtures

Said = dict[str, Any]


def exported(begin_s: float, end_s: float, **other: Any) -> Said:
    """Return what the recording keeps of an export of these seconds to the stick."""
    return {
        "drive": "stick/1", "whole": True, "formats": ["csv"], "tables": list(TABLES),
        "deidentify": False, "begin_box_ns": str(START + round(begin_s * S)),
        "end_box_ns": str(START + round(end_s * S)), **other,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("exports", "reached_s"),
    [
        ([exported(0, 5)], 5),
        ([exported(2, 5), exported(0, 3)], 5),
        ([exported(0, 2), exported(8, 9)], 2),  # armed meanwhile: the last second
        ([exported(0, 2), exported(1, 9, tables=["events"])], 2),
        ([exported(0, 2), exported(2, 9, formats=["edf"])], 2),
        ([exported(0, 2), exported(2, 9, deidentify=True)], 2),
        ([exported(0, 2), exported(2, 9, formats=["edf", "csv"])], 9),
        ([exported(0, 2), exported(2, 9, whole=False)], 2),
        ([exported(0, 2), exported(2, 9, drive="stick/2")], 2),
        ([exported(0, 2), {"drive": "stick/1", "whole": True}], 2),
        ([exported(0, 2), exported(8, 9), exported(2, 8)], 9),
    ],
)
def test_what_the_drive_has_not_is_exported(
    database: Path, helper: Helper, exports: list[Said], reached_s: float
) -> None:
    at = BoxNs(START + 9 * S)
    with Store(database) as store:
        store.append([Event(at, at, "export", "export", "", said) for said in exports])

    assert export(database, "--since-last") == 0

    (folder,) = (helper.medium / ROOM).iterdir()
    said = json.loads((folder / "manifest.json").read_text())
    assert said["request"]["begin_box_ns"] == str(START + round(reached_s * S))


def test_recording_keeps_what_was_in_an_export(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WORKS)
    bench.drives.append(STICK)
    bench.ask("arm", by="nurse", tables=["events"], formats=["csv", "edf"])
    bench.turns(over)

    (event,) = bench.kept
    assert isinstance(event, Event)
    wanted = {"tables": ["events"], "formats": ["csv", "edf"], "deidentify": False}
    assert wanted.items() <= event.detail.items()


OTHER = STICK._replace(name="sdb1", id="stick/2", label="OTHER")


def both_enrolled(bench: Bench) -> None:
    bench.drives += [STICK, OTHER]
    for drive in bench.drives:
        bench.ask("enrol", by="nurse", drive=drive.name)
    bench.desk = bench.fresh()


def written_to(bench: Bench) -> list[str]:
    """Return the drives that got an export, in order."""
    return [options.split()[1] for options in bench.ran()]


def test_two_enrolled_drives_that_are_there_at_a_restart_both_get_theirs(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, WORKS)
    both_enrolled(bench)

    bench.turns(lambda state: len(bench.ran()) == 2 and over(state))

    assert written_to(bench) == ["--drive=sda1", "--drive=sdb1"]
    for _ in range(5):
        bench.desk.turn()
    assert len(bench.ran()) == 2


def test_enrolled_drive_waits_until_the_order_of_a_person_is_over(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, WORKS)
    both_enrolled(bench)
    third = STICK._replace(name="sdc1", id="stick/3")
    bench.ask("arm", by="nurse", drive=third.id)
    for _ in range(5):
        bench.desk.turn()
    assert bench.ran() == []

    bench.drives.append(third)
    bench.turns(lambda state: len(bench.ran()) == 3 and over(state))

    assert written_to(bench) == ["--drive=sdc1", "--drive=sda1", "--drive=sdb1"]


def test_enrolled_drive_waits_for_another_to_come_back_and_gets_its_own(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, FAILS)
    both_enrolled(bench)
    bench.turns(over)
    bench.desk.turn()
    assert written_to(bench) == ["--drive=sda1"]

    bench.ask("cancel")  # nobody brings it back
    bench.turns(lambda state: len(bench.ran()) == 2 and over(state))

    assert written_to(bench) == ["--drive=sda1", "--drive=sdb1"]
