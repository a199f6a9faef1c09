"""
What somebody wants kept: intervals whose rows the ring passes by.

In the table `protected`; a segment with chunks in one is marked as kept, so that it
stays with them.
"""

import sqlite3
from typing import cast

from edge.database.reading import Reader
from edge.database.sums import Damaged, Row
from edge.records import BoxNs, Kept

FURTHEST_NS = 1 << 62
"""No instant of a recording is further from box time 0."""


def is_any(connection: sqlite3.Connection) -> bool:
    """Return whether anything is kept."""
    return bool(connection.execute("SELECT 1 FROM protected LIMIT 1").fetchone())


def is_kept(first: str, last: str) -> str:
    """Return the SQL that is true for a row kept, of [*first*, *last*]."""
    return (
        "EXISTS (SELECT 1 FROM protected AS p"
        f" WHERE p.begin <= {last} AND p.until > {first})"
    )


def keep(connection: sqlite3.Connection, interval: Row) -> None:
    """Let what lies in *interval*, begin, end and why, stay."""
    connection.execute(
        "INSERT INTO protected (begin, until, why) VALUES (?, ?, ?)", interval
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
    if not is_any(connection):
        return
    connection.execute(
        "UPDATE segments SET kept = 1 WHERE kept = 0 AND id IN ("
        " SELECT c.segment FROM chunks AS c NOT INDEXED CROSS JOIN protected AS p"
        "  WHERE c.id >= ? AND c.start < p.until AND c.last >= p.begin)",
        (first_id,),
    )


def release(connection: sqlite3.Connection, number: int) -> None:
    """Let what interval *number* kept leave again; `Passed` deletes what is due."""
    connection.execute("DELETE FROM protected WHERE id = ?", (number,))
    connection.execute("UPDATE segments SET kept = 0 WHERE kept = 1")
    note_kept(connection)


def give_way(connection: sqlite3.Connection) -> Kept | None:
    """Release the oldest interval and return it, ``None`` if none is kept."""
    oldest = connection.execute(
        "SELECT id, begin, until, why FROM protected ORDER BY begin LIMIT 1"
    ).fetchone()
    if oldest is None:
        return None
    release(connection, oldest[0])
    return kept_of(oldest)


def kept(reader: Reader) -> dict[int, Kept]:
    """Return what somebody wants kept, by number."""
    rows = reader.fetch("SELECT id, begin, until, why FROM protected ORDER BY begin")
    return {cast(int, row[0]): kept_of(row) for row in rows}


def kept_of(row: Row) -> Kept:
    """Return what a row of number, begin, end and why keeps."""
    _, begin, end, why = row
    return Kept(cast(BoxNs, begin), cast(BoxNs, end), str(why))


def sound_kept(row: Row) -> Kept:
    """
    Return what a row of number, begin, end and why keeps, of which there is no sum.

    :raises Damaged: if that can be no stretch
    """
    _, begin, end, why = row
    if not (isinstance(begin, int) and isinstance(end, int) and isinstance(why, str)):
        raise Damaged("not a stretch")
    if not -FURTHEST_NS <= begin < end <= FURTHEST_NS:
        raise Damaged("not a stretch")
    return kept_of(row)
