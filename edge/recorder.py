"""
The recorder's workers: what is done with a source that is absent, lost or silent, and
with a card that does not take records. That policy lives here and nowhere else.

A source is waited for and reopened, for ever; the page says so meanwhile. Records that
the card refuses stay in memory and are tried again. A fault of this program stops the
recorder, and the service manager starts it afresh.
"""

import functools
import itertools
import logging
import threading
import time
from collections import Counter

from edge import config
from edge.clock import BoxClock, LedgerKeeper, boot_id
from edge.derived import HeartFlow
from edge.errors import SourceEnded, SourceError, StoreDamaged, StoreError
from edge.health import Health
from edge.history import History
from edge.ledger import Ledger
from edge.opening import (
    BEGAN,
    ENDED,
    edge_of_session,
    file_records,
    notices_of,
    pause_before,
    pause_unread,
)
from edge.pipeline import EcgFlow
from edge.protocols.configured import decoder_of
from edge.records import (
    BoxNs,
    EcgChunk,
    Event,
    MonotonicNs,
    Pose,
    Record,
    Session,
    Vital,
)
from edge.release import version
from edge.sources import EcgSource, open_ecg
from edge.sources.starting import Starter
from edge.store import Store
from edge.streams import Stream
from edge.vision.supervision import Supervision
from edge.worker import Ending, Intake, Worker

logger = logging.getLogger(__name__)

ECG_STALE_S = 1.5
"""An open port without a sample for so long is said to be stale."""
REOPEN_S = 0.5
"""Pause before a lost port is tried again."""
CHUNK_SHARE = 0.8
"""Of the time between two commits: ECG is taken in for so long, then written at once
with all else. So the interval, which begins after each commit, ends only where no ECG
comes, and a sample need not wait for both."""
BEAT_LIMIT_S = 4.0
CARD_LIMIT_S = 120.0
"""A worker that has not moved for so long keeps the watchdog hungry: with the 3 s of
edge.service it records again within 10 s. A card that hangs gets longer: what is taken
in meanwhile waits in memory, and a restart would lose it."""
CARD_LATE_S = 3.0
"""A commit that takes so long is told; a card that only tidies up is quicker."""
TAKEN_AT_ONCE = 500
"""Records that one turn of the store writes; a minute of them is 300. So a backlog of
hours is told as saved, and the worker as moving, bit by bit."""
LOADED_AHEAD = 2 * TAKEN_AT_ONCE
"""Records of the ECG file that wait at a time: what is recorded meanwhile waits for no
more commits than these take, and the memory is not filled."""
STOP_WITHIN_S = 5.0
WEIGH_EVERY_S = 10.0
COUNTED: dict[type, str] = {Pose: "poses", Vital: "vitals", Event: "events"}
"""Records that `BoxState.saved` counts one by one; ECG is counted in samples."""


class Recorder:
    """
    Everything that runs between the opened *store* and the last commit.

    *ending* is set when a worker fails.
    """

    def __init__(
        self, settings: config.Settings, store: Store, ending: threading.Event | Ending
    ) -> None:
        self.settings = settings
        self.store = store
        self.clock = BoxClock.start(store.last_box)
        self.session = store.next_session
        self.segment_ids = itertools.count(store.next_segment)
        now = self.clock.now()
        self.started = now
        no_camera, no_ecg = (
            settings.camera.source == "none",
            settings.ecg.source == "none",
        )
        self.camera = Stream("camera", now, off=no_camera)
        self.ecg = Stream("ecg", now, off=no_ecg)
        self.pose = Stream("pose", now)
        self.card = Stream("store", now)
        self.intake = Intake(refused=lambda: self.pose.count(dropped=1))
        self.saved = dict.fromkeys(("samples", "poses", "vitals", "events"), 0)
        self.storage = store.storage()
        self._weighed = now  # when `storage` was asked
        self.keeper = LedgerKeeper(self.session, self.clock)
        self._ledger_before = Ledger(())
        self.health = Health(settings.box.data_dir)
        self._judged = time.monotonic_ns()  # when the card was looked at last
        self.vision = Supervision(
            settings, self.clock, self.intake.put, self.camera, self.pose
        )
        works = {"store": self.keep_store, "clock": self.keep_ledger}
        works |= {"vision": self.vision.work} | (
            {} if no_ecg else {"ecg": self.keep_ecg}
        )
        works |= {"file": self.keep_file} if settings.ecg.file else {}
        self.workers = [Worker(name, work, ending.set) for name, work in works.items()]

    def begin(self) -> None:
        """Queue what opens the session."""
        about = Session(
            id=self.session,
            boot_id=boot_id(),
            started=self.started,
            offset_ns=self.clock.offset_ns,
            version=version(),
            subject=self.settings.box.subject,
            configuration=self.settings.as_json(),
        )
        self.intake.put(
            [
                about,
                *self.keeper.observe(),
                edge_of_session(BEGAN, self.started),
                *self._before(),
            ]
        )

    def _before(self) -> list[Record]:
        """
        Return what there is to say of the time before this session.

        Nothing that the card holds keeps the recorder from recording: a damaged file
        is set aside, and what cannot be read all the same is not known.
        """
        try:
            try:
                return self._read_before()
            except StoreDamaged as error:
                self.store.begin_anew(str(error))
                return self._read_before()
        except StoreError as error:
            logger.warning("the recording before cannot be read: %s", error)
            gap = pause_unread(self.store.last_box, self.started, str(error))
            return [*gap, *notices_of(self.store.opening, self.started)]

    def _read_before(self) -> list[Record]:
        with History(self.settings.database) as history:
            gap = pause_before(history, self.store.last_box, self.started)
            if self.settings.ecg.file:
                readings, sessions = history.clock_readings(), history.sessions()
                self._ledger_before = Ledger(readings, sessions)
        return [*gap, *notices_of(self.store.opening, self.started)]

    def start(self) -> None:
        """Start the workers."""
        for worker in self.workers:
            worker.start()

    def stop(self) -> bool:
        """
        Stop the workers, the store last, and return whether all of them ended.

        Everything that was taken in is committed before this returns, also by a card
        that is slow or hangs for a while.
        """
        *others, store = reversed(self.workers)
        ended = [worker.stop(STOP_WITHIN_S) for worker in others]
        self.intake.put([edge_of_session(ENDED, self.clock.now())])
        store.stopping.set()
        self.intake.close()
        return all([*ended, store.stop(CARD_LIMIT_S)])

    def moving(self, now: MonotonicNs) -> bool:
        """Return whether every worker has moved lately: what the watchdog asks."""
        limits_s = dict.fromkeys(("store", "file"), CARD_LIMIT_S)
        return all(
            now - worker.beaten < limits_s.get(worker.name, BEAT_LIMIT_S) * 1e9
            for worker in self.workers
        )

    def keep_store(self, worker: Worker) -> None:
        """Intake → card: one transaction an interval, tried again until it succeeds."""
        interval_s = self.settings.store.commit_interval_ms / 1000
        while True:
            worker.beat()
            stopping = worker.stopping.is_set()
            records = self.intake.take(interval_s, TAKEN_AT_ONCE)
            if not self._commit(worker, records) and stopping:
                return
            if stopping and not self.intake.waiting:
                return

    def _commit(self, worker: Worker, records: list[Record]) -> bool:
        """Write *records* and return whether they are on the card."""
        try:
            if records:
                self.store.append(records)
        except StoreError as error:
            self.intake.put(self.card.enter("lost", self.clock.now(), str(error)))
            worker.pause(REOPEN_S)
            return False
        self.intake.saved(len(records))
        tell(records)
        self.intake.put(self.card.enter("ok", self.clock.now()))
        self.card.count(self.clock.now(), received=len(records))
        self._add_up(records)
        return True

    def _add_up(self, records: list[Record]) -> None:
        """Count what is on the card; weigh the card now and then."""
        counts = Counter[str]()
        for record in records:
            if isinstance(record, EcgChunk):
                counts["samples"] += record.counts.size
            elif type(record) in COUNTED:
                counts[COUNTED[type(record)]] += 1
        self.saved = {name: had + counts[name] for name, had in self.saved.items()}
        now = self.clock.now()
        if now - self._weighed > WEIGH_EVERY_S * 1e9:
            self.storage, self._weighed = self.store.storage(), now

    def keep_ledger(self, worker: Worker) -> None:
        """Wall clock → ledger, each second; whether card and machine are well."""
        while worker.pause(1.0):
            self.intake.put(self.keeper.observe())
            self._judge_card()
            now = self.clock.now()
            self.intake.put(self.health.changes(self.health.read(), now))

    def _judge_card(self) -> None:
        """
        Say that a commit takes long, which the worker that waits for it cannot. Where
        this look is late as well, the box stood still, and the next one tells.
        """
        store, *_ = self.workers
        now = time.monotonic_ns()
        late, self._judged = now - self._judged > (CARD_LATE_S - 1) * 1e9, now
        silent_s = (now - store.beaten) / 1e9
        if not late and silent_s > CARD_LATE_S and self.card.state.state == "ok":
            cause = "the card does not answer; what comes in waits in memory"
            self.intake.put(self.card.enter("stale", self.clock.now(), cause))

    def keep_file(self, worker: Worker) -> None:
        """The configured ECG file → intake, no faster than the card takes it."""
        new_segment = functools.partial(next, self.segment_ids)
        about = self._ledger_before, self.session, new_segment, self.started
        try:
            with History(self.settings.database) as history:
                for records in file_records(self.settings, history, *about):
                    self.intake.put(records)
                    worker.beat()
                    while self.intake.waiting > LOADED_AHEAD and worker.pause(0.05):
                        pass
                    if worker.stopping.is_set():
                        return
        except StoreError as error:
            cause = f"the ECG file cannot be compared with the recording: {error}"
            self.intake.put([Event(self.started, None, "state", "ecg", cause)])
        while worker.pause(1.0):  # a worker that has ended would not beat
            pass

    def keep_ecg(self, worker: Worker) -> None:
        """Serial port → intake, reopened for ever."""
        ecg = self.settings.ecg
        flow = EcgFlow(
            decoder_of(ecg),
            self.clock,
            self.session,
            self.segment_ids,
            round(ecg.latency_ms * 1e6),
            baud=ecg.baud,
            leads=ecg.leads,
            since=self.started,
            chunk_ns=round(self.settings.store.commit_interval_ms * 1e6 * CHUNK_SHARE),
        )
        heart = HeartFlow()
        identity = ""
        over = False
        while not worker.stopping.is_set():
            cause = "the recorder stopped"
            try:
                with open_ecg(ecg, flow.board.baud, identity) as source:
                    identity = source.identity
                    self._read_ecg(worker, source, flow, heart)
            except SourceError as error:
                cause = str(error)
                self.intake.put(self.ecg.enter("lost", self.clock.now(), cause))
                over = isinstance(error, SourceEnded)
            self.intake.put(flow.lost(cause))
            while worker.pause(REOPEN_S) and over:  # nothing to open any more
                pass

    def _read_ecg(
        self, worker: Worker, source: EcgSource, flow: EcgFlow, heart: HeartFlow
    ) -> None:
        board = flow.decoder.board
        self.ecg.count(board=board.name, checked=board.checked)
        started = MonotonicNs(time.monotonic_ns())
        starter = Starter(source, board.start_command, started)
        opened = self.clock.now()
        before = flow.decoder.tally
        while not worker.stopping.is_set():
            worker.beat()
            chunk = source.read(0.1)
            now = MonotonicNs(time.monotonic_ns())
            records = flow.feed(chunk) if chunk else flow.idle(now)
            self.intake.put([*records, *heart.feed(records)], at_once=bool(records))
            tally = flow.decoder.tally
            if tally != before:
                self.ecg.count(
                    flow.newest,
                    received=tally.packets - before.packets,
                    damaged=tally.damaged - before.damaged,
                    skipped_bytes=tally.skipped_bytes,
                )
                before = tally
            starter.follow(chunk, tally.packets, now)
            self._judge(flow, opened)

    def _judge(self, flow: EcgFlow, opened: BoxNs) -> None:
        """Say whether an open port delivers."""
        now = self.clock.now()
        silent_s = (now - max(opened, flow.newest or opened)) / 1e9
        if silent_s <= ECG_STALE_S:
            if flow.newest is not None and flow.newest > opened:
                self.intake.put(self.ecg.enter("ok", now))
        elif self.ecg.state.state != "stale":
            board = flow.decoder.board.name
            cause = f"the port is open but no {board} sample comes; is the board on?"
            self.intake.put(self.ecg.enter("stale", now, cause))


def tell(records: list[Record]) -> None:
    """Log each change of state that was kept: one line."""
    for record in records:
        if isinstance(record, Event) and record.kind in (
            "state",
            "clock step",
            "session",
        ):
            logger.info("%s: %s", record.stream or record.kind, record.cause)
