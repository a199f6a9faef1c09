"""
The ring: what was stored first leaves first, a few rows at a time.

Rows leave in the order in which they were stored, not by their instants, so that no
clock can make a recording old. Marks, one for each few seconds of recording, say how
far each table had come; hours are hours of recording. Rows inside an interval that
somebody keeps stay behind, until there is no other way to go on recording.
"""

import sqlite3
from typing import NamedTuple

from edge.database.connections import pragma
from edge.database.keeping import give_way, is_any, is_kept
from edge.database.marks import Mark, delete_damaged, sound_marks
from edge.database.totals import Totals
from edge.records import Kept

ROWS_A_ROUND = 64
ROUNDS = 24
"""Bounds one transaction to some thousand deleted rows, whatever is asked."""

ROWS_SWEPT = 1024
"""Of each table, looked at in one transaction for what is kept no longer."""

KEPT_SEGMENTS = 64
"""The newest ones stay in any case: a quiet board may yet go on with its segment."""


class RingTable(NamedTuple):
    """What tells whether a row of a table may leave."""

    name: str
    first: str  # column of the first instant
    last: str  # expression of the last
    extra: str = ""  # a condition that holds for rows that may


RING: tuple[RingTable, ...] = (
    RingTable("chunks", "start", "last"),
    RingTable("poses", "exposed", "exposed"),
    RingTable("vitals", "sampled", "sampled"),
    RingTable("events", "began", "coalesce(ended, began)"),
    RingTable("clock_readings", "box", "box", "lasting = 0"),
)


NOTHING = Mark(*[0] * len(Mark._fields))
"""Before everything."""


def room_pages(connection: sqlite3.Connection, limit_pages: int) -> int:
    """Return how many pages may still be filled below *limit_pages*."""
    used = pragma(connection, "page_count") - pragma(connection, "freelist_count")
    return limit_pages - used


def prune(
    connection: sqlite3.Connection,
    totals: Totals,
    limit_pages: int,
    wanted_pages: int,
    retention_ns: int,
    rounds: int = ROUNDS,
) -> list[Kept]:
    """
    Let the oldest rows leave until *wanted_pages* are free below *limit_pages* and
    nothing is older than *retention_ns* of recording, or *rounds* are over.

    *totals* are those before the batch that is about to be inserted. Returns what was
    kept and had to give way, since nothing else was left.
    """
    marks_left = False
    given_way = []
    for _ in range(rounds):
        oldest, following = oldest_marks(connection, totals)
        short = room_pages(connection, limit_pages) < wanted_pages
        old = following.recorded_ns < totals.recorded_ns - retention_ns
        if not (short or old):
            break
        if delete_between(connection, oldest, following):
            continue
        if following.id:
            connection.execute("DELETE FROM marks WHERE id = ?", (oldest.id,))
            marks_left = True
        elif not short:
            break
        elif not delete_between(connection, NOTHING, oldest):
            if not (kept := give_way(connection)):
                break
            given_way.append(kept)
    if marks_left:
        prune_segments(connection, totals)
        prune_sessions(connection)
    return given_way


def oldest_marks(connection: sqlite3.Connection, totals: Totals) -> tuple[Mark, Mark]:
    """Return the two oldest marks; where there is no second, where *totals* stand."""
    rows = connection.execute("SELECT * FROM marks ORDER BY id LIMIT 2").fetchall()
    found = list(sound_marks(rows))
    if len(found) < len(rows):
        delete_damaged(connection, rows)  # its rows then count to the mark before it
        return oldest_marks(connection, totals)
    ids = (getattr(totals, table.name) + 1 for table in RING)
    now = Mark(0, totals.recorded_ns, totals.sessions, *ids)
    found += [now, now]
    return found[0], found[1]


def may_leave(connection: sqlite3.Connection, table: RingTable) -> str:
    """Return the SQL, after a WHERE, that is true for a row that nobody keeps."""
    also = f" AND {table.extra}" if table.extra else ""
    if is_any(connection):
        also += f" AND NOT {is_kept(table.first, table.last)}"
    return also


def delete_between(
    connection: sqlite3.Connection, oldest: Mark, following: Mark
) -> int:
    """
    Delete some rows of each table stored from *oldest* up to *following*; return how
    many.
    """
    deleted = 0
    for table in RING:
        may = may_leave(connection, table)
        deleted += connection.execute(
            f"DELETE FROM {table.name} WHERE id IN (SELECT id FROM {table.name}"
            f" WHERE id >= ? AND id < ?{may} ORDER BY id LIMIT {ROWS_A_ROUND})",
            (getattr(oldest, table.name), getattr(following, table.name)),
        ).rowcount
    return deleted


def prune_segments(connection: sqlite3.Connection, totals: Totals) -> None:
    """Delete segments whose chunks have all left."""
    connection.execute(
        "DELETE FROM segments WHERE last_mark < (SELECT min(id) FROM marks)"
        " AND kept = 0 AND id <= ?",
        (totals.segments - KEPT_SEGMENTS,),
    )


def prune_sessions(connection: sqlite3.Connection) -> None:
    """Delete sessions of which nothing is left, and their clock readings."""
    gone = connection.execute(
        "SELECT id FROM sessions AS s WHERE id <"
        " (SELECT session FROM marks ORDER BY id LIMIT 1)"
        " AND NOT EXISTS (SELECT 1 FROM segments AS g WHERE g.session = s.id)"
        " AND NOT EXISTS (SELECT 1 FROM protected AS p WHERE p.until > s.started"
        "  AND p.begin < (SELECT min(n.started) FROM sessions AS n WHERE n.id > s.id))"
        " ORDER BY id LIMIT 8"
    ).fetchall()
    connection.executemany("DELETE FROM clock_readings WHERE session = ?", gone)
    connection.executemany("DELETE FROM sessions WHERE id = ?", gone)


class Passed:
    """
    Deletes what the ring has passed by and nobody keeps any more.

    Some rows are looked at a time, from the oldest on: what is still kept may be much.
    """

    def __init__(self) -> None:
        self._seen = dict.fromkeys((table.name for table in RING), 0)

    def sweep(self, connection: sqlite3.Connection, totals: Totals) -> bool:
        """Delete some in the open transaction; return whether there may be more."""
        oldest, _ = oldest_marks(connection, totals)
        more = False
        for table in RING:
            within = f"FROM {table.name} WHERE id > ? AND id < ?"
            ends = self._seen[table.name], getattr(oldest, table.name)
            (last,) = connection.execute(
                f"SELECT max(id) FROM (SELECT id {within} ORDER BY id"
                f" LIMIT {ROWS_SWEPT})", ends
            ).fetchone()  # fmt: skip
            if last is None:
                continue
            may = may_leave(connection, table)
            connection.execute(f"DELETE {within}{may}", (ends[0], last + 1))
            self._seen[table.name] = last
            more = True
        return more
