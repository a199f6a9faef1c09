"""Threads that can be stopped, and the intake."""

import threading

import numpy as np
import pytest

from edge.errors import StoreError
from edge.records import BoxNs, Event, Pose, Record
from edge.streams import Stream
from edge.worker import Intake, Worker

POSE = Pose(
    BoxNs(0), 0, "sensor", "camera", "pose", np.zeros((17, 3), np.float32),
    640, 480, 0, "model", "cpu", 1.0,
)  # fmt: skip


def event(number: int) -> Event:
    return Event(BoxNs(number), None, "marker", "", f"number {number}")


def test_records_come_out_in_order_and_stay_until_saved() -> None:
    intake = Intake()
    intake.put([event(1)])
    intake.put([event(2), event(3)])

    assert intake.take(0) == [event(1), event(2), event(3)]
    intake.saved(2)
    assert intake.take(0) == [event(3)]
    assert intake.waiting == 1


def test_backlog_is_taken_in_parts_without_waiting() -> None:
    intake = Intake()
    intake.put(event(number) for number in range(5))
    assert intake.take(60, 2) == [event(0), event(1)]
    intake.saved(2)
    assert intake.take(60, 2) == [event(2), event(3)]
    intake.saved(2)
    assert intake.take(0, 2) == [event(4)]


def test_waiting_for_a_ticket_wakes_the_store_and_returns_once_saved() -> None:
    intake = Intake()
    ticket = intake.put([event(1)])
    taken: list[Record] = []

    def store() -> None:
        taken.extend(intake.take(60))
        intake.saved(len(taken))

    thread = threading.Thread(target=store)
    thread.start()
    intake.wait(ticket, 30)
    thread.join()

    assert taken == [event(1)]


def test_what_is_to_be_written_at_once_takes_along_what_waits() -> None:
    intake = Intake()
    intake.put([event(1)])
    intake.put([event(2)], at_once=True)
    assert intake.take(60) == [event(1), event(2)]
    intake.saved(2)

    intake.put([event(3)])
    assert intake.take(0) == [event(3)]


def test_waiting_in_vain_says_why() -> None:
    intake = Intake()
    with pytest.raises(StoreError, match="not saved within"):
        intake.wait(intake.put([event(1)]), 0.01)


def test_poses_are_refused_at_the_high_water_mark_and_ecg_never() -> None:
    pose = Stream("pose", BoxNs(0))
    intake = Intake(high_water=2, refused=lambda: pose.count(dropped=1))
    intake.put([POSE] * 5 + [event(1)])

    assert pose.state.dropped == 2
    assert intake.take(0)[-1] == event(1)


def test_uploaded_pose_is_kept_at_the_high_water_mark_and_waited_for() -> None:
    intake = Intake(high_water=2)
    uploaded = POSE._replace(source="upload", exposed=BoxNs(9), picture="a.jpg")
    intake.put([POSE] * 4)
    ticket = intake.put([uploaded])

    intake.saved(3)
    with pytest.raises(StoreError):
        intake.wait(ticket, 0)
    kept, gap = intake.take(0)
    assert kept is uploaded
    assert isinstance(gap, Event)
    assert (gap.ended, gap.detail) == (0, {"poses": 1})


def test_refused_poses_are_one_gap_once_there_is_room() -> None:
    intake = Intake(high_water=2)
    intake.put(POSE._replace(exposed=BoxNs(number)) for number in range(6))
    ticket = intake.put([])

    intake.saved(3)
    (gap,) = intake.take(0)
    assert isinstance(gap, Event)
    assert (gap.kind, gap.stream, gap.began, gap.ended) == ("gap", "pose", 3, 5)
    assert gap.detail == {"poses": 3}
    intake.wait(ticket, 0)
    intake.put([POSE])
    intake.saved(2)
    assert intake.waiting == 0


def test_stopped_worker_ends() -> None:
    def work(worker: Worker) -> None:
        while worker.pause(60):
            pass

    worker = Worker("loop", work, lambda: None)
    worker.start()
    assert worker.stop(10)
    assert worker.failure is None


def test_failing_worker_keeps_its_error_and_calls_for_a_stop() -> None:
    called = threading.Event()

    def work(worker: Worker) -> None:
        raise ZeroDivisionError("a fault of ours")

    worker = Worker("loop", work, called.set)
    worker.start()
    assert called.wait(10)
    worker.join()
    assert isinstance(worker.failure, ZeroDivisionError)


def test_stream_tells_each_change_once() -> None:
    stream = Stream("ecg", BoxNs(1))

    lost = stream.enter("lost", BoxNs(2), "cable pulled")
    again = stream.enter("lost", BoxNs(3), "cable pulled")
    back = stream.enter("ok", BoxNs(4))

    assert [made.cause for made in (*lost, *again, *back)] == [
        "cable pulled",
        "ECG is back",
    ]
    assert stream.state.since == 4


def test_stream_counts() -> None:
    stream = Stream("ecg", BoxNs(1), off=True)
    stream.count(BoxNs(9), received=3, board="csv")
    stream.count(damaged=1, dropped=2)

    state = stream.state
    assert (state.last, state.received, state.dropped, state.damaged) == (9, 3, 2, 1)
    assert state.detail == {"board": "csv"}
    assert state.state == "off"


def test_pause_longer_than_the_watchdog_waits_is_no_standstill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No clock runs but the one that the wait itself moves on."""
    worker = Worker("pausing", lambda _: None, lambda: None)
    now_s, waits = 0.0, []

    def wait(seconds: float) -> bool:
        nonlocal now_s
        now_s += seconds
        waits.append(now_s - worker.beaten / 1e9)
        return False

    monkeypatch.setattr("edge.worker.time.monotonic", lambda: now_s)
    monkeypatch.setattr("edge.worker.time.monotonic_ns", lambda: round(now_s * 1e9))
    monkeypatch.setattr(worker.stopping, "wait", wait)
    assert worker.pause(10.0)
    assert now_s == 10.0
    assert max(waits) <= 1.0
