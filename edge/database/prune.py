"""
The ring: what was stored first leaves first, a few rows at a time.

Rows leave in the order in which they were stored, not by their instants, so that no
clock can make a recording old. Marks, one for each few seconds of recording, say how
far each table had come; hours are hours of recording. Rows inside a protected
interval stay behind.
"""

import sqlite3
from typing import NamedTuple

from edge.database.connections import pragma
from edge.database.marks import Mark, delete_damaged, sound_marks
from edge.database.totals import Totals

ROWS_A_ROUND = 64
ROUNDS = 24
"""Bounds one transaction to some thousand deleted rows, whatever is asked."""

ROWS_RELEASED = 4096
"""Of each table in a transaction that deletes what was protected."""

ROW_BYTES = 96
"""What a chunk or a pose takes beside its blob, index entries included, about."""

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
) -> None:
    """
    Let the oldest rows leave until *wanted_pages* are free below *limit_pages* and
    nothing is older than *retention_ns* of recording, or *rounds* are over.

    *totals* are those before the batch that is about to be inserted.
    """
    marks_left = False
    for _ in range(rounds):
        oldest, following = oldest_marks(connection, totals)
        short = room_pages(connection, limit_pages) < wanted_pages
        old = following.recorded_ns < totals.recorded_ns - retention_ns
        if not (short or old):
            break
        if delete_between(connection, oldest, following):
            continue
        if following.id == 0:
            break
        connection.execute("DELETE FROM marks WHERE id = ?", (oldest.id,))
        marks_left = True
    if marks_left:
        prune_segments(connection, totals)
        prune_sessions(connection)


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


def condition(connection: sqlite3.Connection) -> str:
    """Return the SQL that is true for a row in no protected interval, "" for all."""
    if not connection.execute("SELECT 1 FROM protected LIMIT 1").fetchone():
        return ""
    return (
        " AND NOT EXISTS (SELECT 1 FROM protected AS p"
        " WHERE p.begin <= {last} AND p.until > {first})"
    )


def delete_between(
    connection: sqlite3.Connection,
    oldest: Mark,
    following: Mark,
    rows: int = ROWS_A_ROUND,
) -> int:
    """
    Delete up to *rows* of each table stored from *oldest* up to *following*; return
    how many.
    """
    keep = condition(connection)
    deleted = 0
    for table in RING:
        also = f" AND {table.extra}" if table.extra else ""
        also += keep.format(first=table.first, last=table.last)
        deleted += connection.execute(
            f"DELETE FROM {table.name} WHERE id IN (SELECT id FROM {table.name}"
            f" WHERE id >= ? AND id < ?{also} ORDER BY id LIMIT ?)",
            (getattr(oldest, table.name), getattr(following, table.name), rows),
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


def protect(connection: sqlite3.Connection, begin: int, until: int, why: str) -> None:
    """Let what lies in [*begin*, *until*) stay, in the transaction that is open."""
    connection.execute(
        "INSERT INTO protected (begin, until, why) VALUES (?, ?, ?)",
        (begin, until, why),
    )
    note_kept(connection)


def note_kept(connection: sqlite3.Connection) -> None:
    """Keep the segments that have chunks in a protected interval."""
    connection.execute(
        "UPDATE segments SET kept = 1 WHERE kept = 0 AND id IN ("
        " SELECT c.segment FROM protected AS p CROSS JOIN chunks AS c"
        "  WHERE c.start < p.until AND c.last >= p.begin"
        "  AND c.start >= p.begin - (SELECT longest_chunk_ns FROM totals))"
    )


def note_kept_since(connection: sqlite3.Connection, first_id: int) -> None:
    """Do the same for the chunks from *first_id* on, which have just been inserted."""
    if not connection.execute("SELECT 1 FROM protected LIMIT 1").fetchone():
        return
    connection.execute(
        "UPDATE segments SET kept = 1 WHERE kept = 0 AND id IN ("
        " SELECT c.segment FROM chunks AS c NOT INDEXED CROSS JOIN protected AS p"
        "  WHERE c.id >= ? AND c.start < p.until AND c.last >= p.begin)",
        (first_id,),
    )


def protected_bytes(connection: sqlite3.Connection) -> int:
    """Return about how much of the file the protected intervals take."""
    total = 0
    for table, blob in (("chunks", "counts"), ("poses", "keypoints")):
        ring = next(one for one in RING if one.name == table)
        (rows,) = connection.execute(
            f"SELECT count(*) FROM protected AS p JOIN {table} AS t"
            f" ON t.{ring.first} >= p.begin AND t.{ring.first} < p.until"
        ).fetchone()
        (mean,) = connection.execute(
            f"SELECT avg(length({blob})) FROM"
            f" (SELECT {blob} FROM {table} ORDER BY id DESC LIMIT 100)"
        ).fetchone()
        total += rows * round((mean or 0) + ROW_BYTES)
    return total


def release(connection: sqlite3.Connection, begin: int, until: int) -> None:
    """
    Let what lies in [*begin*, *until*) leave again in its turn, in the open
    transaction: what the ring has passed by leaves when `prune_passed` is called.
    """
    connection.execute(
        "DELETE FROM protected WHERE begin >= ? AND until <= ?", (begin, until)
    )
    connection.execute("UPDATE segments SET kept = 0 WHERE kept = 1")
    note_kept(connection)


def prune_passed(connection: sqlite3.Connection, totals: Totals) -> int:
    """Delete some unprotected rows before the oldest mark; return how many."""
    oldest, _ = oldest_marks(connection, totals)
    start = Mark(*[0] * len(Mark._fields))
    return delete_between(connection, start, oldest, ROWS_RELEASED)
