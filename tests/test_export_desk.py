"""The desk for exports while the machine has no process to spare."""

from pathlib import Path

import pytest
from test_export_drive import STICK, WORKS, Bench, over

from edge.export.running import Run
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
