"""
What an export reads: one stretch of the recording with its dates and names.

Whatever flows out is tallied on its way, so that the manifest can say how complete it
is. De-identified (`Veil`), all times are moved by one constant and what a person wrote
is left out; the subject's code stays.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.export.tally import EcgTally, PoseTally, VitalTally
from edge.history import History
from edge.ledger import Ledger
from edge.records import BoxNs, EcgChunk, Event, Pose, Vital


class Veil(NamedTuple):
    """What a de-identified export changes."""

    shift_ns: int = 0  # added to every time, UTC and box time alike


class Dated(NamedTuple):
    """The labels of instants: arrays of shape (instants,)."""

    session: NDArray[np.int64]  # Session.id; 0 before the first
    utc: NDArray[np.int64]  # nanoseconds
    synchronised: NDArray[np.bool_]  # that UTC comes from a time server


class Recording:
    """The stretch [*begin*, *end*) of *history*, in box time."""

    def __init__(
        self, history: History, begin: BoxNs, end: BoxNs, veil: Veil | None = None
    ) -> None:
        self.history = history
        self.begin = begin
        self.end = end
        self.veil = veil
        self.shift_ns = veil.shift_ns if veil else 0
        self.sessions = {session.id: session for session in history.sessions()}
        self.segments = history.segments()
        self.readings = history.clock_readings()
        self.ledger = Ledger(self.readings, self.sessions.values())
        self.tally_ecg: EcgTally | None = None
        self.tally_poses: PoseTally | None = None
        self.tally_vitals: VitalTally | None = None

    def chunks(self) -> Iterator[EcgChunk]:
        """Yield the ECG chunks with part in the stretch, by their start."""
        self.tally_ecg = EcgTally(self.begin, self.end, self.segments)
        return self.tally_ecg.watch(self.chunks_around(0))

    def chunks_around(self, margin_ns: int) -> Iterator[EcgChunk]:
        """
        Yield the ECG chunks with part in the stretch or that close to it.

        What was uploaded since this object was made is left for another export.
        """
        begin, end = BoxNs(self.begin - margin_ns), BoxNs(self.end + margin_ns)
        found = self.history.chunks(begin, end)
        return (chunk for chunk in found if chunk.segment in self.segments)

    def poses(self) -> Iterator[Pose]:
        """Yield the poses of the stretch, in order."""
        self.tally_poses = PoseTally(self.begin, self.end)
        return self.tally_poses.watch(self.history.poses(self.begin, self.end))

    def vitals(self) -> Iterator[Vital]:
        """Yield the vitals of the stretch, in order."""
        self.tally_vitals = VitalTally()
        return self.tally_vitals.watch(self.history.vitals(self.begin, self.end))

    def events(self) -> Iterator[Event]:
        """Yield the events with part in the stretch, by their beginning."""
        return self.history.events(self.begin, self.end)

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
    def session_ids(self) -> tuple[int, ...]:
        """The sessions that ran in the stretch."""
        before = [s.id for s in self.sessions.values() if s.started <= self.begin]
        inside = [
            s.id for s in self.sessions.values() if self.begin < s.started < self.end
        ]
        return (*before[-1:], *inside)

    @property
    def leads(self) -> tuple[str, ...]:
        """The names of all leads that the stretch may hold, by first appearance."""
        ids = set(self.session_ids)
        named = [
            lead
            for segment in self.segments.values()
            # What was uploaded may be of a time before the box was there.
            if segment.session in ids or segment.source != "serial"
            for lead in segment.leads
        ]
        return tuple(dict.fromkeys(named))
