"""
Box time to UTC, afterwards: the label for people, never an order of events.

A session that learnt the date late is dated right from its beginning, because the
box clock ran evenly all the time.
"""

from bisect import bisect_right
from collections.abc import Container, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.clock import READING_EVERY_NS, STEP_NS
from edge.records import BoxNs, ClockReading, Session, UtcNs


class Dates(NamedTuple):
    """The labels of instants: arrays of one shape."""

    session: NDArray[np.int64]  # Session.id; 0 before the first
    utc: NDArray[np.int64]  # nanoseconds
    synchronised: NDArray[np.bool_]  # that UTC comes from a time server


class Ledger:
    """
    Dates box time from clock *readings*.

    An instant is dated by the newest synchronised reading at or before it, else by
    the first synchronised one after it, else (marked as not synchronised) by a plain
    reading in the same way, else box time itself is the date. *sessions*, where given,
    say which session an instant lies in, and let two sessions of one boot of the
    machine use each other's readings. Before the first session, where only a person
    or a script can have put something, box time is UTC.
    """

    def __init__(
        self, readings: Iterable[ClockReading], sessions: Iterable[Session] = ()
    ) -> None:
        self._sessions = {session.id: session for session in sessions}
        readings = list(readings)
        lines: dict[object, list[ClockReading]] = {}
        for reading in readings:
            lines.setdefault(self._boot(reading.session), []).append(reading)
        self._tables = {
            boot: self._table(sorted(found, key=self._instant))
            for boot, found in lines.items()
        }
        self._pieces = self._all_pieces(readings)
        self._starts, self._longer = self._all_pauses(readings)
        self._changes = changes(self._sessions.values(), readings)

    def utc(self, session: int, box: BoxNs) -> tuple[UtcNs, bool]:
        """Return the UTC of *box* time in *session*, and whether it is synchronised."""
        utc, synchronised = self.label(session, np.array([box], np.int64))
        return UtcNs(int(utc[0])), bool(synchronised[0])

    def label(
        self, session: int, box: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """
        Return the UTC of each *box* time in *session* and whether it is synchronised:
        int64 nanoseconds and bool, both of the shape of *box*.
        """
        table = self._tables.get(self._boot(session))
        if table is None:
            return box.astype(np.int64), np.zeros(box.shape, np.bool_)
        instants = box - self._offset(session)
        place = np.searchsorted(table.instants, instants, side="right") - 1
        offsets = table.offsets[np.maximum(place, 0)]
        return instants + offsets, np.full(box.shape, table.synchronised)

    def date(self, box: NDArray[np.int64]) -> Dates:
        """Return the labels of *box* times, each by the session it lies in."""
        pieces = self._pieces
        place = np.searchsorted(pieces.begins, box, side="right") - 1
        return Dates(
            pieces.sessions[place],
            box + pieces.offsets[place],
            pieces.synchronised[place],
        )

    def box(self, utc: UtcNs) -> BoxNs:
        """
        Return the box time that `date` labels *utc*; the latest, where the clock was
        set back; the end of the stretch before, where *utc* was skipped.
        """
        begins, offsets = self._pieces.begins.tolist(), self._pieces.offsets.tolist()
        ends = [*begins[1:], 2**63]
        for begin, offset, end in reversed(
            list(zip(begins, offsets, ends, strict=True))
        ):
            if begin <= utc - offset:
                return BoxNs(min(utc - offset, end - 1))
        return BoxNs(utc)

    def even(self, box: NDArray[np.int64]) -> NDArray[np.int64]:
        """
        Return *box* times such that their differences are what passed, also from one
        session to another: in box time a pause is as long as the clock said when the
        recorder came back, and on a box that had lost the time no pause at all.
        """
        place = np.searchsorted(np.array(self._starts, np.int64), box, side="right")
        return box + np.array(self._longer, np.int64)[place]

    def elapsed(self, since: int, until: int) -> int:
        """Return what passed between two box times (`even`), nanoseconds from 0."""
        before, after = (bisect_right(self._starts, box) for box in (since, until))
        return max(until - since + self._longer[after] - self._longer[before], 0)

    def stay(self, box: NDArray[np.int64]) -> NDArray[np.int64]:
        """
        Return in whose stay each of *box* times lies: a number that is another after
        each change of the subject, also back to one who was there before.
        """
        return np.searchsorted(np.array(self._changes, np.int64), box, side="right")

    def stay_begin(self, box: int) -> BoxNs:
        """Return when the stay of the subject of *box* time began."""
        place = bisect_right(self._changes, box)
        return self._changes[place - 1] if place else BoxNs(-(2**62))

    def subjects(self, session: NDArray[np.int64]) -> list[str]:
        """
        Return the code of the subject of each *session*, which `date` gave; "" where
        nobody knows it. What is of before the first session is of its subject.
        """
        first = min(self._sessions.values(), key=lambda one: one.started, default=None)
        codes = {0: first.subject} if first else {}
        codes |= {number: known.subject for number, known in self._sessions.items()}
        return [codes.get(number, "") for number in session.tolist()]

    def knows(self, session: int | None) -> bool:
        """Return whether *session*, if it is one, is among those that were given."""
        return session is None or session in self._sessions

    def session_end(self, box: int) -> int:
        """Return the last box time that can be of the same session as *box*."""
        place = bisect_right(self._starts, box)
        return self._starts[place] - 1 if place < len(self._starts) else 2**63 - 1

    def _all_pauses(
        self, readings: Iterable[ClockReading]
    ) -> tuple[list[int], list[int]]:
        """
        Return when the sessions but the first began, and by how much all pauses before
        it were longer than in box time: before the first of these, after it, and so on.
        """
        sessions = sorted(self._sessions.values(), key=lambda one: one.started)
        read: dict[int, BoxNs] = {}
        for reading in readings:
            read[reading.session] = max(
                reading.box, read.get(reading.session, reading.box)
            )
        more = [
            self._longer_by(before, after, read.get(before.id, before.started))
            for before, after in pairwise(sessions)
        ]
        starts = [int(session.started) for session in sessions[1:]]
        return starts, list(accumulate(more, initial=0))

    def _longer_by(self, before: Session, after: Session, last_read: BoxNs) -> int:
        """
        Return by how much the pause was longer than in box time; below 0 where it was
        shorter, but never such that one session reaches into the other.
        """
        if before.boot_id and before.boot_id == after.boot_id:
            return before.offset_ns - after.offset_ns
        ends = np.array([after.started - 1, after.started], np.int64)
        first, last = self.date(ends).utc.tolist()
        # A clock that says that it ended before it began knows nothing of the pause.
        known = last - first > before.started - after.started
        # The session before went on for no longer than to its next reading.
        shortest = min(last_read + READING_EVERY_NS - after.started, 0)
        return max(last - first - 1, shortest) if known else 0

    def _boot(self, session: int) -> object:
        known = self._sessions.get(session)
        return known.boot_id if known and known.boot_id else session

    def _offset(self, session: int) -> int:
        known = self._sessions.get(session)
        return known.offset_ns if known else 0

    def _instant(self, reading: ClockReading) -> int:
        return reading.box - self._offset(reading.session)

    def _table(self, readings: list[ClockReading]) -> "_Table":
        trusted = [reading for reading in readings if reading.synchronised]
        lines: list[tuple[int, int]] = []
        for reading in trusted or readings:
            instant = self._instant(reading)
            offset = reading.utc - instant
            if not lines or abs(offset - lines[-1][1]) > STEP_NS:
                lines.append((instant, offset))
        instants, offsets = np.array(lines, np.int64).T
        return _Table(instants, offsets, bool(trusted))

    def _all_pieces(self, readings: Sequence[ClockReading]) -> "_Pieces":
        starts = [(one.started, one.id) for one in self._sessions.values()]
        starts = sorted(starts + unstated(readings, self._sessions))
        lines: list[tuple[int, int, int, bool]] = [(-(2**63), 0, 0, False)]
        for place, (started, session) in enumerate(starts):
            end = starts[place + 1][0] if place + 1 < len(starts) else 2**63
            table = self._tables.get(self._boot(session))
            begins = [int(started)]
            if table is not None:
                within = (table.instants + self._offset(session)).tolist()
                begins += [begin for begin in within if begins[0] < begin < end]
            utc, synchronised = self.label(session, np.array(begins, np.int64))
            for begin, label in zip(begins, utc.tolist(), strict=True):
                lines.append((begin, session, label - begin, bool(synchronised[0])))
        columns = [np.array(column) for column in zip(*lines, strict=True)]
        return _Pieces(*columns)


def unstated(
    readings: Iterable[ClockReading], sessions: Container[int]
) -> list[tuple[BoxNs, int]]:
    """
    Return when sessions with *readings* began that are not among *sessions*, as their
    first reading tells it: a session's own row may be damaged.
    """
    begins: dict[int, BoxNs] = {}
    for reading in readings:
        if reading.session not in sessions:
            known = begins.get(reading.session, reading.box)
            begins[reading.session] = min(known, reading.box)
    return [(begin, session) for session, begin in begins.items()]


def changes(
    sessions: Iterable[Session], readings: Iterable[ClockReading]
) -> list[BoxNs]:
    """
    Return when the subject became another. Whose a session was of which only *readings*
    are left, nobody can say.
    """
    known = {session.id: session for session in sessions}
    begun: list[tuple[BoxNs, int, str | None]] = [
        (session.started, number, session.subject) for number, session in known.items()
    ]
    begun += [(began, number, None) for began, number in unstated(readings, known)]
    return [
        began
        for (_, _, before), (began, _, subject) in pairwise(sorted(begun))
        if subject is None or subject != before
    ]


class _Table(NamedTuple):
    """The readings that date one boot, where UTC − time changes: shape (readings,)."""

    instants: NDArray[np.int64]  # monotonic, sorted
    offsets: NDArray[np.int64]  # UTC − monotonic
    synchronised: bool


class _Pieces(NamedTuple):
    """Box time in stretches of one label each: shape (stretches,), sorted."""

    begins: NDArray[np.int64]
    sessions: NDArray[np.int64]
    offsets: NDArray[np.int64]  # UTC − box time
    synchronised: NDArray[np.bool_]
