"""
Box time to UTC, afterwards: the label for people, never an order of events.

A session that learnt the date late is dated right from its beginning, because the
box clock ran evenly all the time.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.records import BoxNs, ClockReading, Session, UtcNs


class Ledger:
    """
    Dates box time from clock *readings*.

    An instant is dated by the newest synchronised reading at or before it, else by
    the first synchronised one after it, else (marked as not synchronised) by the
    nearest plain reading, else box time itself is the date. *sessions*, where given,
    let two sessions of one boot of the machine use each other's readings.
    """

    def __init__(
        self, readings: Iterable[ClockReading], sessions: Iterable[Session] = ()
    ) -> None:
        self._sessions = {session.id: session for session in sessions}
        lines: dict[object, list[ClockReading]] = {}
        for reading in readings:
            lines.setdefault(self._boot(reading.session), []).append(reading)
        self._tables = {
            boot: self._table(sorted(found, key=self._instant))
            for boot, found in lines.items()
        }

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
        shift = self._offset(session)
        instants = box - shift
        place = np.searchsorted(table.instants, instants, side="right") - 1
        offsets = table.offsets[np.maximum(place, 0)]
        dated = np.full(box.shape, table.synchronised)
        return instants + offsets, dated

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
        instants = [self._instant(reading) for reading in trusted or readings]
        offsets = [
            reading.utc - instant
            for reading, instant in zip(trusted or readings, instants, strict=True)
        ]
        return _Table(
            np.array(instants, np.int64), np.array(offsets, np.int64), bool(trusted)
        )


class _Table(NamedTuple):
    """The readings that date one boot: shape (readings,), sorted."""

    instants: NDArray[np.int64]  # monotonic
    offsets: NDArray[np.int64]  # UTC − monotonic
    synchronised: bool
