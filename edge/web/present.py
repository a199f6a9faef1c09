"""
The present: what the recorder says, what time it is, and how instants are dated.

Asked by many pages at once, answered from one question to the recorder and one look
into the recording.
"""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import NamedTuple, Protocol

import numpy as np

from edge.clock import boot_id
from edge.errors import ControlError
from edge.history import History
from edge.join.rows import Labels, read_labels
from edge.records import BoxNs, BoxState, Event, UtcNs
from edge.web import shapes
from edge.web.shapes import Json

STATE_KEPT_S = 0.2
"""Pages that ask within this time share one question to the recorder."""

ANSWER_WITHIN_S = 1.0
"""A page waits no longer for the recorder, and says that it is silent."""

SILENCE_KEPT_S = 1.0
"""A recorder that did not answer is not asked again before."""


class Recorder(Protocol):
    """What tells how the box does: `edge.control.Client`."""

    def state(self) -> BoxState: ...


class Reading(NamedTuple):
    """What the recorder said, or why it said nothing."""

    box: BoxState | None
    silence: str  # one sentence, "" where it answered
    asked: float  # time.monotonic() after the answer


LABELS_KEPT_S = 5.0
"""The clock ledger and the segments are not read again before, nor if none has come: of
weeks they take a second."""


class StateCache:
    """
    The recorder's state for many pages; asks the recorder a few times a second.

    A recorder that hangs is not waited for: it is silent until it answers again.
    """

    def __init__(
        self,
        recorder: Recorder,
        monotonic: Callable[[], float] = time.monotonic,
        said: Callable[[object], str] = str,
    ) -> None:
        """*said* makes the sentence for an error."""
        self._recorder = recorder
        self._said = said
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asker = ThreadPoolExecutor(1, "asks the recorder")
        self._question: Future[BoxState] | None = None
        self._last: Reading | None = None

    def read(self) -> Reading:
        """Return the state, at most a fraction of a second old."""
        with self._lock:
            last = self._last
            if last is None or self._monotonic() - last.asked > kept(last):
                self._last = last = self._ask()
            return last

    def _ask(self) -> Reading:
        box, silence = None, ""
        if self._question is None or self._question.done():  # a late answer is old
            self._question = self._asker.submit(self._recorder.state)
        try:
            box = self._question.result(ANSWER_WITHIN_S)
        except FutureTimeout:
            silence = f"the recorder has not answered for {ANSWER_WITHIN_S:g} s"
        except ControlError as error:
            silence = self._said(error)
        return Reading(box, silence, self._monotonic())


def kept(reading: Reading) -> float:
    """Return for how many seconds *reading* may be shown again."""
    return STATE_KEPT_S if reading.box else SILENCE_KEPT_S


class Moment(NamedTuple):
    """The present, as well as it is known."""

    now: BoxNs
    known: bool  # False: the recorder is silent and the box was restarted since
    utc_offset_ns: int  # UTC − box time
    synchronised: bool  # a time server had set the clock
    stay_begin: BoxNs = BoxNs(-(2**62))  # when the subject's stay began


class Present:
    """Tells the time. Any thread may ask."""

    def __init__(
        self,
        open_past: Callable[[], History],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_past = open_past
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._labels: Labels | None = None
        self._labelled: tuple[object, ...] = ()  # what the recording said of them
        self._read = 0.0

    def labels(self, session: int | None = None) -> Labels:
        """
        Return the segments and the clock ledger, at most some seconds old, and not
        from before *session* began.

        :raises StoreError: if there is no recording
        """
        with self._lock:
            young = self._monotonic() - self._read < LABELS_KEPT_S
            if self._labels and young and self._labels.ledger.knows(session):
                return self._labels
            with self._open_past() as past:
                labelled = past.labelled()
                if self._labels is None or labelled != self._labelled:
                    self._labels, self._labelled = read_labels(past), labelled
            self._read = self._monotonic()
            return self._labels

    def moment(self, reading: Reading) -> Moment:
        """
        Return the present box time: the recorder's, else of the session it left.

        :raises StoreError: if there is no recording
        """
        now, known = self._now(reading)
        ledger = self.labels(reading.box and reading.box.session).ledger
        dates = ledger.date(np.array([now], np.int64))
        offset, synchronised = int(dates.utc[0]) - now, bool(dates.synchronised[0])
        return Moment(now, known, offset, synchronised, ledger.stay_begin(now))

    def utc(self, instant: BoxNs) -> UtcNs:
        """
        Return the UTC of *instant*.

        :raises StoreError: if there is no recording
        """
        dates = self.labels().ledger.date(np.array([instant], np.int64))
        return UtcNs(int(dates.utc[0]))

    def events(self, found: Iterable[tuple[int, Event]]) -> list[Json]:
        """
        Return the events *found*, each dated as its own session was.

        :raises StoreError: if there is no recording
        """
        ledger = self.labels().ledger
        return [
            shapes.of_event(row, event, self.utc(event.began), ledger)
            for row, event in found
        ]

    def _now(self, reading: Reading) -> tuple[BoxNs, bool]:
        if reading.box is not None:
            passed = round((self._monotonic() - reading.asked) * 1e9)
            return BoxNs(reading.box.now + passed), True
        with self._open_past() as past:
            sessions = past.sessions()
            if sessions and sessions[-1].boot_id == boot_id():
                passed = round(self._monotonic() * 1e9)
                return BoxNs(passed + sessions[-1].offset_ns), True
            return past.recorded_until() or BoxNs(0), False
