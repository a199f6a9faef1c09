"""The desk for exports where something fails: a process, the box, what it kept."""

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from desk_rig import FAILS, NOTHING, STICK, STOPS, WITHIN_S, WORKS, Bench, over

from edge.drives import Drive
from edge.errors import ControlError
from edge.export.running import Run
from edge.export.standing import STATE_FILE
from edge.records import Event
from edge.worker import Worker


class Turns(Worker):
    """A worker that takes *count* turns without waiting."""

    def __init__(self, count: int) -> None:
        super().__init__("export", lambda _: None, lambda: None)
        self._left = count

    def pause(self, seconds: float) -> bool:
        self._left -= 1
        return self._left >= 0


def test_desk_goes_on_after_an_export_that_could_not_be_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, WORKS)
    bench.drives.append(STICK)
    bench.ask("arm", by="nurse")

    def no_process(*_: object) -> Run:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as crowded:
        crowded.setattr("edge.export.desk.Run", no_process)
        bench.desk.work(Turns(3))
    state = bench.ask("state")
    assert state["state"] == "failed"
    assert "Resource temporarily unavailable" in state["sentence"]

    bench.ask("arm", by="nurse")
    assert bench.turns(over)["state"] == "done"


def test_enrolled_drive_has_another_try_when_there_is_a_process_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, WORKS)
    bench.drives.append(STICK)
    bench.ask("enrol", drive=STICK.id, by="nurse")
    bench.drives.clear()
    bench.desk.turn()
    bench.drives.append(STICK)

    def no_process(*_: object) -> Run:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as crowded:
        crowded.setattr("edge.export.desk.Run", no_process)
        bench.desk.work(Turns(3))
    assert not bench.ran()
    assert bench.turns(lambda state: state["state"] == "done")


def test_failure_stays_said_when_its_drive_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.export.desk.ARMED_S", -1.0)
    bench = Bench(tmp_path, FAILS)
    bench.drives.append(STICK)
    bench.ask("enrol", by="nurse", drive="sda1")
    bench.drives[:] = [STICK._replace(insertion="2")]
    bench.turns(over)
    bench.desk.turn()
    state = bench.ask("state")
    assert state["state"] == "failed"
    assert state["sentence"] == "ecg.csv: the drive was removed"
    assert state["armed_s"] == 0

    bench.ask("arm", by="nurse")
    bench.desk.turn()
    state = bench.ask("state")
    assert (state["state"], state["sentence"]) == ("idle", "no drive came in time")
    assert len(bench.ran()) == 1


ORDER = {
    "by": "nurse", "drive": "stick/1", "from": "", "to": "", "since_last": True,
    "formats": ["csv"], "tables": ["ecg"], "deidentify": False, "shift_days": 0.0,
    "label": "STICK",
}  # fmt: skip
BEGUN = {"what": ORDER, "span": ["5", "9"]}
NO_ORDERS: tuple[dict[str, object], ...] = (
    {"formats": 5}, {"formats": ["xls"]}, {"tables": [[]]}, {"from": "junk"},
    {"shift_days": "x"}, {"shift_days": [1]}, {"shift_days": 10**400},
)  # fmt: skip
NEVER_BEGUN: tuple[dict[str, object], ...] = (
    {"span": 5}, {"span": ["5"]}, {"span": ["a", "b"]}, {"span": [None, 1e999]},
    {"what": []}, {"what": {}}, {"what": "x"},
)  # fmt: skip


@pytest.mark.parametrize(
    "damaged",
    [
        *("", "{", "\0" * 99, "[]", "5", "null", '"x"', "[" * 100_000, "\ud800"),
        *({"enrolled": []}, {"pending": 7}, {"enrolled": {"stick/1": 5}}),
        *({"enrolled": {"stick/1": {**ORDER, **wrong}}} for wrong in NO_ORDERS),
        *({"enrolled": {"stick/1": {n: ORDER[n] for n in ORDER if n != name}}}
          for name in ("by", "label")),
        *({"pending": {"stick/1": {**BEGUN, **wrong}}} for wrong in NEVER_BEGUN),
    ],
)  # fmt: skip
def test_desk_begins_anew_where_what_it_kept_is_damaged(
    tmp_path: Path, damaged: object
) -> None:
    text = damaged if isinstance(damaged, str) else json.dumps(damaged)
    data = text.encode(errors="surrogatepass")
    (tmp_path / STATE_FILE).write_bytes(data)
    bench = Bench(tmp_path, WORKS)
    said = bench.ask("state")

    assert (tmp_path / "exports.damaged-1.json").read_bytes() == data
    assert said["state"] == "failed"
    assert "exports.damaged-1.json" in said["sentence"]
    (told,) = bench.kept
    assert isinstance(told, Event)
    assert (told.kind, told.stream, told.cause) == ("state", "export", said["sentence"])
    bench.drives.append(STICK)
    bench.ask("enrol", by="nurse", drive="sda1")
    assert [order["label"] for order in bench.ask("state")["enrolled"]] == ["STICK"]
    bench.drives[:] = [STICK._replace(insertion="2")]
    assert bench.turns(over)["state"] == "done"


def test_drives_whose_orders_are_sound_stay_enrolled_beside_a_damaged_one(
    tmp_path: Path,
) -> None:
    enrolled = {"stick/1": ORDER, "stick/2": 5}
    pending = {"stick/1": BEGUN, "stick/2": 5}
    text = json.dumps({"enrolled": enrolled, "pending": pending})
    (tmp_path / STATE_FILE).write_text(text)
    bench = Bench(tmp_path, WORKS)
    for _ in range(2):  # what was set aside is not told again
        assert bench.ask("state")["enrolled"] == [ORDER]
        bench.desk = bench.fresh()

    assert len(bench.kept) == 1
    assert [path.name for path in tmp_path.glob("*damaged*")] == [
        "exports.damaged-1.json"
    ]


def test_what_cannot_be_kept_is_told_to_who_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, WORKS)
    bench.drives.append(STICK)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("edge.export.standing.os.fsync", full)
        with pytest.raises(ControlError, match="enrolled only until .* No space left"):
            bench.ask("enrol", by="nurse", drive="sda1")
        with pytest.raises(ControlError, match="forgotten only until the recorder"):
            bench.ask("forget", by="nurse", drive="sda1")
    bench.ask("enrol", by="nurse", drive="sda1")


def test_drive_that_has_everything_is_no_failed_export(tmp_path: Path) -> None:
    bench = Bench(tmp_path, NOTHING)
    bench.drives.append(STICK)
    bench.ask("arm", by="nurse", since_last=True)
    state = bench.turns(over)

    assert state["state"] == "done"
    assert state["sentence"] == (
        "nothing was recorded since the last export to STICK, which is safe to remove"
    )
    assert bench.kept == []
    for number in (2, 3):  # nothing waits for it to come back
        bench.drives[:] = [STICK._replace(insertion=str(number))]
        bench.desk.turn()
    assert len(bench.ran()) == 1
    assert bench.ask("state")["armed_s"] == 0


def test_export_is_ended_in_good_order_with_the_recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.export.running.ENDS_WITHIN_S", WITHIN_S)
    bench = Bench(tmp_path, STOPS)
    bench.drives.append(STICK)
    bench.ask("arm", by="nurse")
    bench.turns(lambda state: state["progress"] == {"share": 0.25})
    bench.close()

    assert bench.ran() == ["began", "stopped"]


def test_turn_that_fails_ends_no_export(tmp_path: Path) -> None:
    class Crowded(list[Drive]):
        crowded = False

        def copy(self) -> list[Drive]:
            if self.crowded:
                raise OSError(24, "Too many open files")
            return super().copy()

    bench = Bench(tmp_path, STOPS)
    drives = bench.drives = Crowded([STICK])
    bench.desk = bench.fresh()
    bench.ask("arm", by="nurse")
    bench.turns(lambda state: len(bench.ran()) == 1)
    drives.crowded = True
    bench.desk.work(Turns(2))
    drives.crowded = False
    state = bench.ask("state")
    bench.close()

    assert (state["state"], state["sentence"][:16]) == ("writing", "writing to STICK")


def test_enrolled_drive_goes_on_after_a_restart_in_the_middle(tmp_path: Path) -> None:
    """Else a half export would lie on it for ever, beside one with all of it again."""
    bench = Bench(tmp_path, FAILS.replace("sys.exit(", "import time; time.sleep(60)#"))
    bench.drives.append(STICK)
    bench.ask("enrol", by="nurse", drive="sda1")
    bench.drives[:] = [STICK._replace(insertion="2")]
    bench.turns(lambda state: "span" in (tmp_path / STATE_FILE).read_text())
    bench.close()

    bench.program = WORKS
    bench.desk = bench.fresh()
    bench.turns(over)
    assert "--from=box:5 --to=box:9" in bench.ran()[1]
    bench.drives[:] = [STICK._replace(insertion="3")]
    bench.turns(lambda state: len(bench.ran()) == 3 and over(state))
    assert "--since-last" in bench.ran()[2]


def test_stretch_that_is_recorded_no_more_is_not_asked_for_for_ever(
    tmp_path: Path,
) -> None:
    gone = 'if "--from=box:5" in sys.argv: sys.exit("edge: nothing is recorded")\n'
    bench = Bench(tmp_path, FAILS.replace("print(json", f"{gone}print(json"))
    bench.drives.append(STICK)
    bench.ask("enrol", by="nurse", drive="sda1")
    for number in (2, 3, 4):
        bench.drives[:] = [STICK._replace(insertion=str(number))]

        def has_run(_: Any, count: int = number - 1) -> bool:
            return len(bench.ran()) == count

        bench.turns(has_run)
        bench.turns(over)

    asked = [options.split()[2] for options in bench.ran()]
    assert asked == ["--from=", "--from=box:5", "--from="]


def test_export_that_cannot_be_heard_is_ended_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would go on writing to a drive of which the page says that it is free."""
    bench = Bench(tmp_path, STOPS)
    bench.drives.append(STICK)
    bench.ask("arm", by="nurse")
    begun: list[subprocess.Popen[str]] = []

    class Begun(subprocess.Popen[str]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            begun.append(self)

    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as crowded:
        crowded.setattr("edge.export.running.subprocess.Popen", Begun)
        crowded.setattr("edge.export.running.threading.Thread.start", no_thread)
        bench.desk.work(Turns(3))
    state = bench.ask("state")

    assert state["state"] == "failed"
    assert "can't start new thread" in state["sentence"]
    assert begun[0].returncode is not None
    assert len(begun) == 1
