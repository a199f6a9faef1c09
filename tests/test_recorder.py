"""The recorder's workers, each by itself."""

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from edge import config, recorder
from edge.records import BoxNs, Event, MonotonicNs, Record
from edge.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    """Return the settings of a box without camera and board."""
    none = config.Camera(source="none")
    return config.Settings(
        config.Box(data_dir=tmp_path), none, ecg=config.Ecg(source="none")
    )


def test_backlog_of_a_card_that_is_slow_is_told_bit_by_bit(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit of it takes nearly as long as the watchdog waits."""
    turns = 5
    marks = [
        Event(BoxNs(at), None, "marker", "", "said")
        for at in range(1, turns * recorder.TAKEN_AT_ONCE)
    ]
    now_ns = 0
    moving: list[bool] = []
    left: list[int] = []
    monkeypatch.setattr("edge.worker.time.monotonic_ns", lambda: now_ns)
    with Store(settings.database) as store:
        box = recorder.Recorder(settings, store, threading.Event())
        kept = store.append

        def append(records: Iterable[Record]) -> None:
            nonlocal now_ns
            kept(records)
            now_ns += round((recorder.CARD_LIMIT_S - 1) * 1e9)
            moving.append(box.moving(MonotonicNs(now_ns)))
            left.append(box.intake.waiting)

        box.workers = box.workers[:1]
        box.begin()
        begun = box.intake.waiting
        box.intake.put(marks)
        box.intake.close()
        box.workers[0].stopping.set()
        monkeypatch.setattr(store, "append", append)
        box.keep_store(box.workers[0])

    assert moving == [True] * (turns + 1)
    assert left[0] == begun + len(marks)
    assert left[-1] <= recorder.TAKEN_AT_ONCE
    assert box.saved["events"] >= len(marks)
