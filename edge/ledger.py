"""
Box time to UTC, afterwards: the label for people, never an order of events.

A session that learnt the date late is dated right from its beginning, because the
box clock ran evenly all the time.
"""

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.records import BoxNs, ClockReading, Session, UtcNs

SAME_NS = 400_000
"""Two readings of UTC − box time closer than this differ by noise, not by a step."""


class Dates(NamedTuple):
    """The labels of instants: arrays of one shape."""

    session: NDArray[np.int64]  # Session.id; 0 before the first
    utc: NDArray[np.int64]  # nanoseconds
    synchronised: NDArray[np.bool_]  # that UTC comes from a time server


class Ledger:
    """
    Dates box time from clock *readings*.

    An instant is dated by the newest synchronised reading at or before it, else by
    the first synchronised one after it, else (marked as not synchronised) by the
    nearest plain reading, else box time itself is the date. *sessions*, where given,
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
            if not lines or abs(offset - lines[-1][1]) > SAME_NS:
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
