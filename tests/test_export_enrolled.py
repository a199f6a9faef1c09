"""An enrolled drive: what is new, all of it, at every insertion."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from desk_rig import FAILS, STICK, WORKS, Bench, over
from drive_helper import Helper
from export_rig import START, S, box, ecg, export, pose, recorded, rows

from edge.clock import boot_id
from edge.export import TABLES
from edge.export.errand import ROOM
from edge.given import records_of, segment_of
from edge.records import BoxNs, Event, Record, Session
from edge.store import Store

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


def running(upload_s: float) -> list[Record]:
    """Return what a recorder that runs has recorded up to now, and an upload ahead."""
    opening = recorded()[:3]
    offset_ns = START + 30 * S - time.monotonic_ns()
    opening[0] = Session(1, boot_id(), START, offset_ns, "0.1", "P-07", "{}")
    upload = segment_of(2, 1, "upload")
    given = records_of(upload, BoxNs(START + round(upload_s * S)), {"ecg_lead1": 1.0})
    return [*opening, upload, *given]


def of_seconds(first: int, stop: int, poses_until: float) -> list[Record]:
    """Return ECG of whole seconds, and poses that are stored sooner than their ECG."""
    steps = range(first * 5, round(poses_until * 5))
    poses = [pose(START + step * S // 5, 0.5, "pose") for step in steps]
    return [*(ecg(second) for second in range(first, stop)), *poses]


@pytest.mark.parametrize("upload_s", [-3600, 35, 366 * 86_400])
def test_exports_to_a_drive_follow_each_other_without_hole_or_overlap(
    database: Path, helper: Helper, upload_s: float
) -> None:
    database.unlink()
    with Store(database) as store:
        store.append([*running(upload_s), *of_seconds(0, 29, 30)])
        for first, stop in ((29, 45), (45, 60)):
            assert export(database, "--since-last") == 0
            store.append([noted(helper), *of_seconds(first, stop, stop + 1)])
        assert export(database, "--since-last") == 0

    tables = (helper.medium / ROOM).glob("*/ecg.csv")
    times = [box(row) for path in tables for row in rows(path) if row["segment"] == "1"]
    assert len(times) == len(set(times))
    assert sorted(times) == [START + k * 2_000_000 for k in range(len(times))]
    assert len(times) >= 500 * 50


def test_drive_that_has_everything_is_left_alone(
    database: Path, helper: Helper, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(database, "--since-last") == 0
    with Store(database) as store:
        store.append([noted(helper)])
    before = sorted(helper.medium.rglob("*"))
    capsys.readouterr()

    assert export(database, "--since-last") == 0
    assert capsys.readouterr().out.startswith("nothing was recorded since the last exp")
    assert export(database, "--since-last", "--json") == 0
    said = json.loads(capsys.readouterr().out)

    assert said["nothing"].startswith("nothing was recorded since the last export")
    assert sorted(helper.medium.rglob("*")) == before


def brought(kind: str, at: BoxNs) -> list[Record]:
    """Return what comes in with *at* for its time."""
    if kind == "picture":
        return [pose(at, 0.5)._replace(source="upload", picture="a.jpg")]
    segment = segment_of(3, 1, kind)
    return [segment, *records_of(segment, at, {"ecg_lead1": 1.0, "heart_rate": 70.0})]


@pytest.mark.parametrize("kind", ["upload", "file", "picture"])
def test_what_comes_in_dated_before_the_recording_brings_nothing_twice(
    database: Path, helper: Helper, kind: str
) -> None:
    database.unlink()
    with Store(database) as store:
        store.append([*running(10), *of_seconds(0, 29, 30)])
        assert export(database, "--since-last") == 0
        earlier = brought(kind, BoxNs(START - 3600 * S))
        store.append([noted(helper), *earlier, *of_seconds(29, 45, 46)])
        assert export(database, "--since-last") == 0

    tables = (helper.medium / ROOM).glob("*/ecg.csv")
    times = [box(row) for path in tables for row in rows(path) if row["segment"] == "1"]
    assert len(times) >= 500 * 30
    assert sorted(times) == [START + k * 2_000_000 for k in range(len(times))]


def test_drive_without_an_export_gets_uploads_from_before_the_recording(
    database: Path, helper: Helper
) -> None:
    with Store(database) as store:
        store.append(brought("upload", BoxNs(START - 3600 * S)))

    assert export(database, "--since-last") == 0

    (table,) = (helper.medium / ROOM).glob("*/ecg.csv")
    assert box(rows(table)[0]) == START - 3600 * S


def noted(helper: Helper) -> Event:
    """Return the event of the newest export, as the recorder keeps it."""
    manifests = (helper.medium / ROOM).glob("*/manifest.json")
    requests = [json.loads(path.read_text())["request"] for path in manifests]
    newest = max(requests, key=lambda said: int(said["end_box_ns"]))
    span = {name: newest[name] for name in ("begin_box_ns", "end_box_ns")}
    at = BoxNs(int(span["end_box_ns"]) + 10 * S)
    return Event(at, at, "export", "export", "", exported(0, 0) | span)


def test_relative_time_counts_back_from_what_was_recorded(
    database: Path, helper: Helper
) -> None:
    with Store(database) as store:
        store.append(running(3600)[3:])

    assert export(database, "--from", "-4s") == 0

    (table,) = (helper.medium / ROOM).glob("*/ecg.csv")
    seconds = [(box(row) - START) / S for row in rows(table)]
    assert (seconds[0], seconds[-1]) == pytest.approx((6, 10), abs=0.01)


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
