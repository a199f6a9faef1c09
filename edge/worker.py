"""
Threads that can be stopped and watched, and the queue between them and the store.
"""

import itertools
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import cast

from edge.errors import StoreError
from edge.records import Event, MonotonicNs, Pose, Record

logger = logging.getLogger(__name__)

HIGH_WATER_RECORDS = 50_000
"""Records held while the card is busy: an hour of ECG chunks and poses at full rate."""

BEAT_EVERY_S = 1.0
"""While a worker waits on purpose."""


class Worker(threading.Thread):
    """
    A thread that runs *work(self)* until it is stopped.

    *work* calls `beat` at every turn of its loop and returns once `stopping` is set.
    What it raises is a fault of this program: it is kept in `failure`, and *failed* is
    called so that the whole recorder stops and is started afresh.
    """

    def __init__(
        self, name: str, work: Callable[["Worker"], None], failed: Callable[[], None]
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.beaten = MonotonicNs(time.monotonic_ns())
        self._work = work
        self._failed = failed

    def run(self) -> None:
        """Do the work; called by `start`."""
        try:
            self._work(self)
        except Exception as error:
            logger.exception("%s failed", self.name)
            self.failure = error
            self._failed()

    def beat(self) -> None:
        """Say that the work moves."""
        self.beaten = MonotonicNs(time.monotonic_ns())

    def pause(self, seconds: float) -> bool:
        """Wait, or less if stopped; return whether to go on. Beats meanwhile."""
        end = time.monotonic() + seconds
        self.beat()
        while (left := end - time.monotonic()) > 0:
            self.stopping.wait(min(left, BEAT_EVERY_S))
            self.beat()
            if self.stopping.is_set():
                break
        return not self.stopping.is_set()

    def stop(self, timeout_s: float) -> bool:
        """Ask the work to end and return whether it did within *timeout_s*."""
        self.stopping.set()
        self.join(timeout_s)
        return not self.is_alive()


class Ending:
    """
    Set once, by any thread or a signal's handler, and waited for by any thread.

    Without a lock, unlike `threading.Event`: a handler that interrupts the wait for
    such an event while it holds its lock would wait for that lock for ever.
    """

    def __init__(self) -> None:
        self._bell = os.eventfd(0)

    def set(self) -> None:
        """Let every `wait` return true, now and later."""
        os.eventfd_write(self._bell, 1)

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self.wait(0.0)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Return whether it is set, after *timeout_s* at most if that is given."""
        waiting = select.poll()  # one serves one thread at a time
        waiting.register(self._bell, select.POLLIN)
        return bool(waiting.poll(None if timeout_s is None else timeout_s * 1000))

    def __del__(self) -> None:
        os.close(self._bell)


class Intake:
    """
    The records on their way to the store, in order, from any thread.

    At the high-water mark poses of the camera are refused, each of which *refused* is
    told, and once there is room again a gap says which. Nothing else is: ECG, vitals
    and events are few, and somebody waits for what was uploaded.
    """

    def __init__(
        self,
        high_water: int = HIGH_WATER_RECORDS,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._high_water = high_water
        self._refused = refused
        self._records: deque[Record] = deque()
        self._changed = threading.Condition()
        self._put = 0
        self._saved = 0
        self._awaited = 0
        self._closed = False
        self._gap: Event | None = None  # of the poses refused since there was room

    def put(self, records: Iterable[Record], at_once: bool = False) -> int:
        """
        Queue *records*, to be written *at_once* with all before them or when it is
        time, and return the ticket that `wait` takes.
        """
        with self._changed:
            for record in records:
                if (
                    self._full
                    and isinstance(record, Pose)
                    and record.source == "camera"
                ):
                    self._refused()
                    self._gap = longer(self._gap, record)
                    continue
                self._records.append(record)
                self._put += 1
            if at_once:
                self._awaited = self._put
                self._changed.notify_all()
            return self._put

    def wait(self, ticket: int, timeout_s: float) -> None:
        """
        Return once everything up to *ticket* is on the card; asks for it at once.

        :raises StoreError: if that takes longer than *timeout_s*
        """
        with self._changed:
            self._awaited = max(self._awaited, ticket)
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._saved >= ticket, timeout_s):
                raise StoreError(
                    f"not saved within {timeout_s:g} s: the card is full or does not "
                    "answer; see 'edge doctor'"
                )

    def take(self, timeout_s: float, most: int | None = None) -> list[Record]:
        """
        Return the first *most* queued records, or all, after *timeout_s*, or at once if
        there are more, some are to be written so or the intake is closed. They stay
        queued until `saved`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._urgent(most), timeout_s)
            return list(itertools.islice(self._records, most))

    def saved(self, count: int) -> None:
        """Say that the first *count* records are on the card."""
        with self._changed:
            for _ in range(count):
                self._records.popleft()
            self._saved += count
            if self._gap and not self._full:
                self._records.append(self._gap)
                self._put += 1
                self._gap = None
            self._changed.notify_all()

    def close(self) -> None:
        """Let `take` return at once from now on, so that the rest is written."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """How many records are not on the card yet."""
        return len(self._records)

    @property
    def _full(self) -> bool:
        return len(self._records) > self._high_water

    def _urgent(self, most: int | None) -> bool:
        backlog = most is not None and len(self._records) > most
        return backlog or self._closed or self._awaited > self._saved


def longer(gap: Event | None, pose: Pose) -> Event:
    """Return *gap*, or a new one, made longer by *pose*, which was refused."""
    missing = cast(int, gap.detail["poses"]) + 1 if gap else 1
    began = gap.began if gap else pose.exposed
    cause = f"{missing} poses were not kept: the card had not taken those before them"
    return Event(began, pose.exposed, "gap", "pose", cause, {"poses": missing})
