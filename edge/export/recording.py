"""
What an export reads: one stretch of the recording with the dates and names of it.

De-identified (`Veil`), all times are moved by one secret constant and free text that a
person wrote is left out; the subject's code stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.history import History
from edge.ledger import Ledger
from edge.records import BoxNs, EcgChunk, Segment, Session

MICROSECOND_NS = 1000


class Veil(NamedTuple):
    """What a de-identified export hides."""

    shift_ns: int = 0  # added to every time, UTC and box time alike


class Dated(NamedTuple):
    """The labels of instants: arrays of shape (instants,)."""

    session: NDArray[np.int64]  # Session.id; 0 before the first
    utc: NDArray[np.int64]  # nanoseconds
    synchronised: NDArray[np.bool_]  # that UTC comes from a time server


@dataclass(frozen=True)
class Recording:
    """The stretch [*begin*, *end*) of *history*, in box time."""

    history: History
    begin: BoxNs
    end: BoxNs
    veil: Veil | None = None
    sessions: dict[int, Session] = field(init=False)
    segments: dict[int, Segment] = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        sessions = self.history.sessions()
        ledger = Ledger(self.history.clock_readings(), sessions)
        for name, value in (
            ("sessions", {session.id: session for session in sessions}),
            ("segments", self.history.segments()),
            ("ledger", ledger),
        ):
            object.__setattr__(self, name, value)

    def chunks(self) -> Iterator[EcgChunk]:
        """Yield the ECG chunks with part in the stretch, by their start."""
        return self.history.chunks(self.begin, self.end)

    def dated(self, box: NDArray[np.int64]) -> Dated:
        """Return the labels of the *box* times, by the session each lies in."""
        ids = np.array([0, *self.sessions], np.int64)
        starts = [session.started for session in self.sessions.values()]
        place = np.searchsorted(np.array(starts, np.int64), box, side="right")
        sessions = ids[place]
        utc = np.empty(len(box), np.int64)
        synchronised = np.empty(len(box), np.bool_)
        for session in np.unique(sessions).tolist():
            rows = sessions == session
            utc[rows], synchronised[rows] = self.ledger.label(session, box[rows])
        return Dated(sessions, utc, synchronised)

    def dated_in(self, session: int, box: NDArray[np.int64]) -> Dated:
        """Return the labels of *box* times that are known to be of one *session*."""
        utc, synchronised = self.ledger.label(session, box)
        return Dated(np.full(len(box), session, np.int64), utc, synchronised)

    @property
    def shift_ns(self) -> int:
        """What is added to every time that leaves."""
        return self.veil.shift_ns if self.veil else 0

    @property
    def leads(self) -> tuple[str, ...]:
        """The names of all leads of the stretch's sessions, by first appearance."""
        ids = set(self.session_ids)
        named = [
            lead
            for segment in self.segments.values()
            if segment.session in ids
            for lead in segment.leads
        ]
        return tuple(dict.fromkeys(named))

    @property
    def session_ids(self) -> tuple[int, ...]:
        """The sessions that ran in the stretch, and the one before it."""
        before = [s.id for s in self.sessions.values() if s.started <= self.begin]
        inside = [
            s.id for s in self.sessions.values() if self.begin < s.started < self.end
        ]
        return (*before[-1:], *inside)


def sample_times(chunk: EcgChunk) -> NDArray[np.int64]:
    """Return the box time of each sample of *chunk*: int64 of shape (samples,)."""
    if chunk.offsets_us is not None:
        steps = MICROSECOND_NS * chunk.offsets_us.astype(np.int64)
    else:
        places = np.arange(len(chunk.counts)) * chunk.period_ns
        steps = np.rint(places).astype(np.int64)
    return steps + np.int64(chunk.start)
