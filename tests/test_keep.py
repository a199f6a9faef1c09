"""Stretches of the recording that stay, as the recorder and its commands keep them."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from records_store import EVER, S, each_second, segment

from edge import config
from edge.__main__ import main
from edge.clock import BoxClock
from edge.control import Client, Server
from edge.errors import ControlError
from edge.export.tables import veiled
from edge.history import History
from edge.recorder import Recorder
from edge.records import BoxNs, Event
from edge.requests import handlers
from edge.store import Store

RECORDED_S = 300
CAPACITY_GB = 0.02


class Box:
    """A recorder that has recorded for `RECORDED_S`, and answers."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "edge.toml"
        self._file.write_text(
            f"[box]\ndata_dir = {str(folder)!r}\n[store]\n"
            f"capacity_gb = {CAPACITY_GB}\n[camera]\nsource = 'none'\n"
            "[ecg]\nsource = 'none'\n"
        )
        self.settings = config.load(self._file)
        self._store = Store(self.settings.database)
        recorder = Recorder(self.settings, self._store, threading.Event())
        recorder.begin()
        self.begin = recorder.started
        recorder.intake.put([segment()._replace(session=recorder.session)])
        for records in each_second(self.begin, range(RECORDED_S)):
            recorder.intake.put(records)
        recorder.clock = BoxClock(BoxNs(self.begin + RECORDED_S * S), lambda: 0)
        self._keeper, *_ = recorder.workers
        self._keeper.start()
        recorder.intake.wait(recorder.intake.put([]), 60)
        self._server = Server(self.settings.control_socket, handlers(recorder))
        self.client = Client(self.settings.control_socket)

    def command(self, *words: str) -> int:
        """Return what `edge keep` with *words* exits with."""
        return main(["keep", *words, "--config", str(self._file)])

    def close(self) -> None:
        self.client.close()
        self._server.close()
        assert self._keeper.stop(5)
        self._store.close()

    def told(self) -> list[Event]:
        """Return the events that tell of what is kept."""
        with History(self.settings.database) as history:
            return [e for e in history.events(*EVER) if " min kept" in e.cause]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.close()


def test_stretch_is_kept_listed_and_released(
    box: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    begin, end = (f"box:{box.begin + n * S}" for n in (60, 180))
    assert box.command("add", "--from", begin, "--to", end, "--why", "a fall") == 0
    (line,) = capsys.readouterr().out.splitlines()
    number, first, _, last, *why = line.split()
    assert (number, why) == ("1", ["a", "fall"])
    assert first < last
    with History(box.settings.database) as history:
        (kept,) = history.kept().values()
    assert kept == (box.begin + 60 * S, box.begin + 180 * S, "a fall")

    assert box.command("release", "1") == 0
    assert capsys.readouterr().out == "nothing is kept\n"
    said = [event.cause.partition(" by ")[0] for event in box.told()]
    assert said == ["2.0 min kept", "2.0 min kept no longer"]
    # Who and what for is no matter of a de-identified export.
    assert [veiled(event).cause for event in box.told()] == ["", ""]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("add", "--from", "-1m"), "--why"),
        (("add", "--why", "a fall"), "--from"),
        (("add", "--from", "yesterday", "--why", "a fall"), "yesterday"),
        (("release",), "which number"),
        (("release", "7"), "nothing is kept under number 7"),
    ],
)
def test_what_cannot_be_kept_is_said(
    box: Box, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], named: str
) -> None:
    assert box.command(*words) == 1
    assert named in capsys.readouterr().err
    assert box.told() == []


def test_recording_has_half_of_the_room_for_itself(box: Box) -> None:
    with History(box.settings.database) as history:
        all_of_it = history.weight_bytes(*EVER)
    times = int(CAPACITY_GB * 1e9 / 2 / all_of_it)
    assert times > 2
    whole: dict[str, Any] = {
        "begin": box.begin,
        "end": box.begin + RECORDED_S * S,
        "by": "anna",
    }
    for _ in range(times):
        box.client.ask("keep", why="all of it", **whole)
    with pytest.raises(ControlError, match="50% is the most"):
        box.client.ask("keep", why="once more", **whole)
    with History(box.settings.database) as history:
        assert len(history.kept()) == times


def test_stretch_that_ends_before_it_begins_is_refused(box: Box) -> None:
    with pytest.raises(ControlError, match="ends after it begins"):
        box.client.ask("keep", begin=box.begin, end=box.begin, why="", by="anna")
