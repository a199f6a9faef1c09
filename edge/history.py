"""
What the box recorded, read-only: for the page, the join and the export.

Every question is one short transaction, so that no reader holds up the writer's
checkpoints, however slowly its caller works through the answer. A connection belongs
to the thread that opened it: open one for each request.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, Self, cast

from edge.database import extent
from edge.database.extent import Span
from edge.database.keeping import kept
from edge.database.reading import Reader
from edge.database.rows import event_of, reading_of, segment_of, session_of, vital_of
from edge.database.signals import PoseBlock, check_pose, pose_block
from edge.database.sums import Row, Value
from edge.database.tables import TABLES, Kind
from edge.records import (
    BoxNs,
    ClockReading,
    EcgChunk,
    Event,
    Kept,
    Pose,
    Record,
    Segment,
    Session,
    Vital,
)

PAGE_ROWS = 256
"""Rows of one transaction: milliseconds of reading, below 1 MB."""

BLOCK_ROWS = 1000
"""The same for poses, which are small."""

PASSED_ROWS = 20_000
"""The same for events that are passed over."""


class Counts(NamedTuple):
    """How much was saved since the file began; never falls, though old rows leave."""

    samples: int  # places of ECG chunks, with and without a value
    chunks: int
    poses: int
    vitals: int
    events: int
    instants: int  # of ECG, over all leads
    posted: int  # of them sent by people and scripts, one a record


class History:
    """The recording at *path*, for one thread, read-only."""

    def __init__(self, path: Path) -> None:
        """
        Open the recording at *path*.

        :raises StoreError: if there is none, or it is not one that can be read
        """
        self.path = path
        self._reader = Reader(path)

    @property
    def damaged(self) -> int:
        """Rows that were left out so far because their sum is wrong."""
        return self._reader.damaged

    def close(self) -> None:
        """Let the file go. Safe to call twice."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def sessions(self) -> list[Session]:
        """Return all sessions by id."""
        rows = self._reader.fetch(
            "SELECT id, boot_id, started, offset_ns, version, subject, configuration,"
            " crc FROM sessions ORDER BY id"
        )
        return list(self._reader.sound(rows, session_of))

    def segments(self, ids: Collection[int] | None = None) -> dict[int, Segment]:
        """Return all segments by id, or those of *ids*, some dozens at most."""
        which = "" if ids is None else f" WHERE id IN ({', '.join('?' * len(ids))})"
        rows = self._reader.fetch(
            "SELECT id, session, source, board, leads, gain, baseline,"
            f" sampling_rate_hz, checked, stamp, crc FROM segments{which} ORDER BY id",
            tuple(ids or ()),
        )
        return {segment.id: segment for segment in self._reader.sound(rows, segment_of)}

    def clock_readings(self) -> list[ClockReading]:
        """Return the clock ledger in the order it was written."""
        table = TABLES["clock_readings"]
        rows = self._reader.fetch(
            f"SELECT {table.columns} FROM {table.source} ORDER BY id"
        )
        return list(self._reader.sound(rows, reading_of))

    def labelled(self) -> tuple[object, ...]:
        """Return what is another when a session, segment or clock reading has come."""
        totals = self._reader.totals()
        newest = "SELECT id, box FROM clock_readings ORDER BY id DESC LIMIT 1"
        return totals.sessions, totals.segments, *self._reader.fetch(newest)

    def chunks(self, begin: BoxNs, end: BoxNs) -> Iterator[EcgChunk]:
        """
        Yield the ECG chunks that have part in [*begin*, *end*), by their start.

        A chunk whose sum is wrong is skipped and counted in `damaged`.
        """
        return cast(Iterator[EcgChunk], self._between("chunks", begin, end))

    def latest_chunk(
        self, session: int, source: str, since: BoxNs, at: BoxNs
    ) -> EcgChunk | None:
        """
        Return the ECG chunk of *session* and *source* that starts last in [*since*,
        *at*), ``None`` if there is none.
        """
        table = TABLES["chunks"]
        query = (
            f"SELECT t.start, t.id, {table.columns} FROM {table.source}"
            " WHERE (t.start, t.id) < (?, ?) AND t.start >= ? AND t.segment IN"
            " (SELECT id FROM segments WHERE session = ? AND source = ?)"
            " ORDER BY t.start DESC, t.id DESC LIMIT 1"
        )
        key: tuple[Value, ...] = (at, -1)
        while rows := self._reader.fetch(query, (*key, since, session, source)):
            for chunk in self._reader.sound([row[2:] for row in rows], table.build):
                return cast(EcgChunk, chunk)
            key = rows[-1][:2]
        return None

    def spans(
        self, kind: Literal["chunks", "poses"], begin: BoxNs, end: BoxNs, source: str
    ) -> list[Span]:
        """
        Return when the rows of *source* were recorded that have part in [*begin*,
        *end*), a minute or so, in order. Their sums are not looked at.
        """
        return extent.spans(self._reader, kind, begin, end, source)

    def poses(self, begin: BoxNs, end: BoxNs) -> Iterator[Pose]:
        """Yield the poses exposed in [*begin*, *end*), in order."""
        return cast(Iterator[Pose], self._between("poses", begin, end))

    def pose_blocks(self, begin: BoxNs, end: BoxNs) -> Iterator[PoseBlock]:
        """Yield the poses exposed in [*begin*, *end*), in order, many at once."""

        def sound(row: Row) -> Row:
            check_pose(row[:-5], row[-5:])
            return row

        for page in self._pages("poses", begin, end, BLOCK_ROWS):
            if rows := list(self._reader.sound(page, sound)):
                yield pose_block(rows)

    def vitals(self, begin: BoxNs, end: BoxNs) -> Iterator[Vital]:
        """Yield the vitals sampled in [*begin*, *end*), in order."""
        return cast(Iterator[Vital], self._between("vitals", begin, end))

    def events(self, begin: BoxNs, end: BoxNs) -> Iterator[Event]:
        """Yield the events that have part in [*begin*, *end*), by their beginning."""
        return cast(Iterator[Event], self._between("events", begin, end))

    def latest_vitals(self, at: BoxNs) -> dict[str, Vital]:
        """Return the newest statement of each vital at or before *at*, by name."""
        latest: dict[str, Vital] = {}
        for name in self._vital_names():
            rows = self._reader.fetch(
                f"SELECT {TABLES['vitals'].columns} FROM vitals WHERE name = ?"
                " AND sampled <= ? ORDER BY sampled DESC, id DESC LIMIT 4",
                (name, at),
            )
            for vital in self._reader.sound(rows, vital_of):
                latest.setdefault(name, vital)
        return latest

    def since(
        self, kind: Kind, row_id: int, limit: int = PAGE_ROWS
    ) -> list[tuple[int, Record]]:
        """
        Return up to *limit* rows stored after *row_id*, with their ids, as stored.

        Begin with an id of `newest`, or 0 for all that are left.
        """
        table = TABLES[kind]
        query = (
            f"SELECT t.id, {table.columns} FROM {table.source} WHERE t.id > ?"
            " ORDER BY t.id LIMIT ?"
        )

        def build(row: Row) -> tuple[int, Record]:
            return numbered(row), table.build(row[1:])

        found: list[tuple[int, Record]] = []
        while not found and (rows := self._reader.fetch(query, (row_id, limit))):
            row_id = numbered(rows[-1])  # a page may hold nothing but damaged rows
            found = list(self._reader.sound(rows, build))
        return found

    def latest_events(self, kind: str, count: int) -> list[tuple[int, Event]]:
        """Return the last *count* events of *kind* with their ids, the newest first."""
        query = (
            f"SELECT t.id, {TABLES['events'].columns} FROM events AS t"
            " WHERE t.id > ? AND t.id <= ? AND t.kind = ? ORDER BY t.id DESC LIMIT ?"
        )

        def build(row: Row) -> tuple[int, Event]:
            return numbered(row), event_of(row[1:])

        ((oldest,),) = self._reader.fetch("SELECT min(id) FROM events")
        until, found = self.newest()["events"], list[tuple[int, Event]]()
        while until >= cast(int, oldest or 1) and len(found) < count:
            after = until - PASSED_ROWS
            rows = self._reader.fetch(query, (after, until, kind, count))
            found += self._reader.sound(rows, build)
            until = numbered(rows[-1]) - 1 if len(rows) == count else after
        return found[:count]

    def newest(self) -> dict[Kind, int]:
        """Return the highest row id of each kind, for `since`."""
        totals = self._reader.totals()
        return {kind: getattr(totals, kind) for kind in TABLES}

    def kept(self) -> dict[int, Kept]:
        """Return what somebody wants kept, by number."""
        return kept(self._reader)

    def weight_bytes(self, begin: BoxNs, end: BoxNs) -> int:
        """Return about how much of the file [*begin*, *end*) takes."""
        return extent.weight_bytes(self._reader, begin, end)

    def span(self) -> tuple[BoxNs, BoxNs] | None:
        """Return the first and last instant of all that is left, events too."""
        return extent.span(self._reader)

    def recorded_from(self) -> BoxNs | None:
        """Return the first instant left of what was recorded here, not of uploads."""
        return extent.recorded_from(self._reader)

    def left_before(self) -> BoxNs | None:
        """Return before when what was recorded here has left, ``None`` if none has."""
        return extent.left_before(self._reader)

    def recorded_until(self) -> BoxNs | None:
        """Return the newest instant of what was recorded here, not of uploads."""
        return self._reader.totals().last_box

    def tally(self, kind: Kind, begin: BoxNs, end: BoxNs) -> int:
        """Return how many rows begin in [*begin*, *end*); of chunks, the instants."""
        return extent.tally(self._reader, kind, begin, end)

    def counts(self) -> Counts:
        """Return how much was saved since the file began."""
        totals = self._reader.totals()
        return Counts(*(getattr(totals, name) for name in Counts._fields))

    def _between(self, kind: Kind, begin: BoxNs, end: BoxNs) -> Iterator[Record]:
        for page in self._pages(kind, begin, end):
            yield from self._reader.sound(page, TABLES[kind].build)

    def _pages(
        self, kind: Kind, begin: BoxNs, end: BoxNs, size: int = PAGE_ROWS
    ) -> Iterator[list[Row]]:
        table = TABLES[kind]
        query = (
            f"SELECT t.id, {table.time}, {table.columns}"
            f" FROM {table.source} WHERE ({table.time}, t.id) > (?, ?)"
            # Passed over here: one gap of a week is looked back to from all after it.
            f" AND {table.time} < ? AND ({table.last} < ?) IS NOT 1"
            f" ORDER BY {table.time}, t.id LIMIT {size}"
        )
        key = (begin - extent.longest_ns(self._reader, kind), -1)
        while rows := self._reader.fetch(query, (*key, end, begin)):
            yield [row[2:] for row in rows]
            key = cast(tuple[int, int], (rows[-1][1], rows[-1][0]))

    def _vital_names(self) -> list[str]:
        # One step in the index a name; DISTINCT would walk all of it.
        rows = self._reader.fetch(
            "WITH RECURSIVE names(name) AS (SELECT min(name) FROM vitals UNION ALL"
            " SELECT (SELECT min(name) FROM vitals WHERE name > names.name)"
            " FROM names WHERE names.name IS NOT NULL)"
            " SELECT name FROM names WHERE name IS NOT NULL"
        )
        return [str(name) for (name,) in rows]


def numbered(row: Row) -> int:
    """Return the id that a row begins with."""
    return cast(int, row[0])
