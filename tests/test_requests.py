"""What the recorder keeps for the page, over longer than the ring holds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from records_store import EVER, S, pose, segment

from edge import config
from edge.clock import BoxClock
from edge.errors import InputError
from edge.history import History
from edge.recorder import Recorder
from edge.records import BoxNs, EcgChunk
from edge.requests import handlers
from edge.store import Store
from edge.worker import HIGH_WATER_RECORDS

RETENTION_H = 0.01
"""36 s, which stand for weeks."""


@contextmanager
def recording(folder: Path, retention_h: float = 24.0) -> Iterator[Recorder]:
    """Give a recorder without camera and board, which keeps what it is told."""
    settings = config.Settings(
        box=config.Box(data_dir=folder),
        camera=config.Camera(source="none"),
        ecg=config.Ecg(source="none"),
    )
    with Store(settings.database, retention_h=retention_h) as store:
        recorder = Recorder(settings, store, threading.Event())
        recorder.begin()
        keeper, *_ = recorder.workers
        keeper.start()
        yield recorder
        assert keeper.stop(60)


def test_upload_is_read_back_though_none_came_for_as_long_as_the_ring_holds(
    tmp_path: Path,
) -> None:
    with recording(tmp_path, RETENTION_H) as recorder:
        upload = handlers(recorder)["ecg_records"]

        def post(at: BoxNs) -> None:
            recorder.clock = BoxClock(at, lambda: 0)
            upload({"posts": [(at, 0, {"ecg_lead1": 1.0})]}, b"")

        post(recorder.started)
        for number in range(2, 82):  # a loose cable: each time a segment
            at = BoxNs(recorder.started + number * 2 * S)
            counts = np.zeros((250, 3), np.int32)
            begun = segment(number)._replace(session=recorder.session)
            ticket = recorder.intake.put([begun, EcgChunk(number, at, 4e6, 0, counts)])
            recorder.intake.wait(ticket, 60)
        late = BoxNs(recorder.started + 170 * S)
        post(late)
    with History(recorder.settings.database) as history:
        known = history.segments()
        newest = [one for one in history.chunks(*EVER) if one.start >= late - S]

    assert [known[one.segment].source for one in newest] == ["upload"]
    assert len(known) < 80  # the ring turned


def test_upload_that_is_refused_costs_the_next_one_nothing(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        upload = handlers(recorder)["ecg_records"]
        at = BoxNs(recorder.started + S)
        for values in ({"ecg_lead9": 1.0}, {"ecg_lead1": 1e9}, {"ecg_lead1": "much"}):
            with pytest.raises((InputError, ValueError)):
                upload({"posts": [(at, 0, values)]}, b"")
        upload({"posts": [(at, 0, {"ecg_lead1": 1.0})]}, b"")
    with History(recorder.settings.database) as history:
        (chunk,) = history.chunks(*EVER)
        assert history.segments()[chunk.segment].source == "upload"


def test_mark_is_dated_when_it_was_begun_or_when_it_came(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        now = BoxNs(recorder.started + 3600 * S)
        recorder.clock = BoxClock(now, lambda: 0)
        marker = handlers(recorder)["marker"]

        def kept(**at: object) -> int:
            answer = marker({"note": "Turned", "by": "anna", **at}, b"")
            return int(answer["at"]) - now

        assert kept() == kept(at=None) == 0
        assert kept(at=now - 12 * S) == -12 * S
        assert kept(at=now - 601 * S) == kept(at=now + 1) == kept(at=-now) == 0
    with History(recorder.settings.database) as history:
        marks = [one for one in history.events(*EVER) if one.kind == "marker"]
    assert [one.began - now for one in marks] == [-12 * S, 0, 0, 0, 0, 0]


def test_poses_that_are_refused_are_told_as_dropped(tmp_path: Path) -> None:
    settings = config.Settings(
        box=config.Box(data_dir=tmp_path), ecg=config.Ecg(source="none")
    )
    with Store(tmp_path / "recording.db") as store:
        recorder = Recorder(settings, store, threading.Event())
        recorder.intake.put(
            [pose(np.random.default_rng(1), 1)] * (HIGH_WATER_RECORDS + 3)
        )
        state = handlers(recorder)["state"]({}, b"")

    dropped = {stream["name"]: stream["dropped"] for stream in state["streams"]}
    assert dropped == {"ecg": 0, "camera": 0, "pose": 2, "store": 0}
