"""The recorder's workers, each by itself."""

import functools
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from dataclasses import replace
from pathlib import Path

import pytest
from records_store import EVER

from edge import config, recorder
from edge.errors import SourceLost, SourceUnavailable, StoreError
from edge.health import Health
from edge.history import History
from edge.records import BoxNs, EcgChunk, Event, MonotonicNs, Record, SerialChunk
from edge.sources import EcgSource
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


def test_stop_waits_for_a_card_that_hangs(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in memory would be lost, and the end of the session with it."""
    monkeypatch.setattr(recorder, "STOP_WITHIN_S", 0.05)
    hanging, answers = threading.Event(), threading.Event()
    with Store(settings.database) as store:
        box = recorder.Recorder(settings, store, threading.Event())
        box.workers = box.workers[:2]  # store and clock
        kept = store.append

        def append(records: Iterable[Record]) -> None:
            hanging.set()
            answers.wait(20)
            kept(records)

        monkeypatch.setattr(store, "append", append)
        box.begin()
        box.start()
        assert hanging.wait(20)
        with ThreadPoolExecutor(1) as elsewhere:
            stopped = elsewhere.submit(box.stop)
            stopped.add_done_callback(lambda _: answers.set())
            with pytest.raises(StillWaiting):
                stopped.result(0.5)
            answers.set()
            assert stopped.result()
    with History(settings.database) as history:
        causes = [event.cause for event in history.events(BoxNs(0), BoxNs(2**62))]
    assert "recording ended" in causes


def test_trouble_of_the_machine_is_an_event_once(
    settings: config.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supply sags in the second of three seconds."""
    flags = tmp_path / "root/sys/devices/platform/soc/soc:firmware/get_throttled"
    flags.parent.mkdir(parents=True)
    said = iter(["0", "1", "1"])

    def second(_: float) -> bool:
        flags.write_text(text := next(said, ""))
        return bool(text)

    monkeypatch.setattr(
        recorder, "Health", lambda folder: Health(folder, tmp_path / "root")
    )
    with Store(settings.database) as store:
        box = recorder.Recorder(settings, store, threading.Event())
        (clock,) = [worker for worker in box.workers if worker.name == "clock"]
        monkeypatch.setattr(clock, "pause", second)
        box.keep_ledger(clock)
        kept = [one for one in box.intake.take(0.0) if isinstance(one, Event)]

    (sagged,) = [event for event in kept if event.stream == "box"]
    assert (sagged.kind, sagged.cause) == ("state", "the supply sagged below 4.63 V")
    assert box.health.state["troubles"] == [sagged.cause], "for the page"


def test_records_that_the_card_refuses_are_given_again_until_it_takes_them(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(recorder, "REOPEN_S", 0.0)
    with Store(settings.database) as store:
        box = recorder.Recorder(settings, store, threading.Event())
        work = box.workers[0]
        kept = store.append

        def append(records: Iterable[Record]) -> None:
            given.append(len(list(records)))
            if len(given) <= 3:
                raise StoreError("no room is left")
            kept(records)
            work.stopping.set()

        monkeypatch.setattr(store, "append", append)
        box.begin()
        box.intake.close()
        box.keep_store(work)
    with History(settings.database) as history:
        (about,) = history.sessions()
        # A folder in memory is told as well, which is no change of state.
        told = [e.detail for e in history.events(*EVER) if e.stream == "store"]
        states = [detail["to"] for detail in told if "to" in detail]
    assert about.id == box.session
    assert states == ["lost", "ok"]
    assert given[1] == given[0] + 1  # with the event that tells of it
    assert box.intake.waiting == 0


@pytest.mark.parametrize(
    ("looks_s", "state"),
    [((1, 2, 3, 4), "stale"), ((1, 6), "ok"), ((1, 6, 7), "stale")],
)
def test_card_is_not_blamed_for_a_box_that_stood_still(
    settings: config.Settings,
    monkeypatch: pytest.MonkeyPatch,
    looks_s: tuple[int, ...],
    state: str,
) -> None:
    """Only where the next look finds it silent still."""
    with Store(settings.database) as store:
        box = recorder.Recorder(settings, store, threading.Event())
    box.card.enter("ok", BoxNs(1))
    began = box.workers[0].beaten
    for look_s in looks_s:
        now = began + look_s * 1_000_000_000
        at = functools.partial(int, now)
        monkeypatch.setattr("edge.recorder.time.monotonic_ns", at)
        box._judge_card()
    assert box.card.state.state == state


class PluggedIn(EcgSource):
    """A board that says two lines until it is pulled."""

    identity = "serial number 7"

    def __init__(self) -> None:
        self.said = [b"\n1.5\n", b"2.5\n"]

    def read(self, timeout_s: float) -> SerialChunk | None:
        if not self.said:
            raise SourceLost("pulled")
        later = time.monotonic_ns() + 1_000_000_000  # than the start, by any line
        return SerialChunk(MonotonicNs(later), self.said.pop(0))

    def write(self, data: bytes) -> None:
        """Have no start-up command to be sent."""

    def close(self) -> None:
        """Have nothing to release."""


def test_time_without_a_board_is_a_gap_from_the_start_of_the_session(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ecg = config.Ecg(source="serial", board="csv", columns=("ii",))
    sources = iter([None, PluggedIn(), None])
    wanted: list[str] = []
    with Store(settings.database) as store:
        box = recorder.Recorder(replace(settings, ecg=ecg), store, threading.Event())
        (work,) = [worker for worker in box.workers if worker.name == "ecg"]

        def open_ecg(ecg: config.Ecg, baud: int, identity: str) -> EcgSource:
            wanted.append(identity)
            if source := next(sources):
                return source
            if box.ecg.state.cause == "pulled":
                work.stopping.set()
            raise SourceUnavailable("no board")

        monkeypatch.setattr(recorder, "REOPEN_S", 0.0)
        monkeypatch.setattr(recorder, "open_ecg", open_ecg)
        box.keep_ecg(work)
        records = box.intake.take(0.0)

    (gap,) = [one for one in records if isinstance(one, Event) and one.kind == "gap"]
    (first, *_) = [one for one in records if isinstance(one, EcgChunk)]
    assert (gap.began, gap.ended) == (box.started, first.start)
    assert (gap.stream, gap.cause) == ("ecg", "no board")
    assert wanted == ["", "", PluggedIn.identity]  # no other board in its place


class Minute(PluggedIn):
    """Two lines every 16 ms for a minute of its own time, then it is pulled."""

    def __init__(self) -> None:
        later = time.monotonic_ns() + 1_000_000_000
        self.arrivals = [later + at * 16_000_000 for at in range(60_000 // 16)]
        self.left = self.arrivals.copy()
        self.now = 0

    def read(self, timeout_s: float) -> SerialChunk | None:
        if not self.left:
            raise SourceLost("pulled")
        self.now = self.left.pop(0)
        return SerialChunk(MonotonicNs(self.now), b"1.5\n2.5\n")


@pytest.mark.parametrize("interval_ms", [100, 500, 900])
def test_commits_follow_the_ecg(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch, interval_ms: int
) -> None:
    """
    Two rhythms, one of taking in and one of commits, are more commits than either, and
    a sample waits for both.
    """
    ecg = config.Ecg(source="serial", board="csv", columns=("ii",))
    card = config.Store(commit_interval_ms=interval_ms)
    minute = Minute()
    written: list[int] = []
    samples = 0
    with Store(settings.database) as store:
        box = recorder.Recorder(
            replace(settings, ecg=ecg, store=card), store, threading.Event()
        )
        (work,) = [worker for worker in box.workers if worker.name == "ecg"]

        def put(records: Iterable[Record], at_once: bool = False) -> int:
            nonlocal samples
            chunks = [one for one in records if isinstance(one, EcgChunk)]
            if minute.left and chunks:
                assert at_once
                written.append(minute.now)
                samples += sum(len(chunk.counts) for chunk in chunks)
            if not minute.left:
                work.stopping.set()
            return 0

        monkeypatch.setattr(recorder, "open_ecg", lambda *_: minute)
        monkeypatch.setattr(box.intake, "put", put)
        box.keep_ecg(work)

    bounds = [minute.arrivals[0], *written]
    waits_ms = [(b - a) / 1e6 for a, b in zip(bounds, bounds[1:], strict=False)]
    assert max(waits_ms) < interval_ms, "else it ends in between, with a commit"
    assert len(written) <= 60_000 / (0.8 * interval_ms)
    assert samples >= 2 * (len(minute.arrivals) - interval_ms / 16 - 1)
