"""
Marks: where recording and each table stood, every few seconds of it.

They say in which order rows leave, so one that has rotted must never be believed: it is
passed over, and deleted where the ring or the next batch meets it.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple, cast

from edge.database.sums import Damaged, Row, check


class Mark(NamedTuple):
    """How far recording and each table of the ring had come."""

    id: int
    recorded_ns: int
    session: int
    chunks: int
    poses: int
    vitals: int
    events: int
    clock_readings: int


def sound_marks(rows: Iterable[Row]) -> Iterator[Mark]:
    """Yield the marks in whole *rows* of their table, without the damaged ones."""
    for row in rows:
        if mark := sound_mark(row):
            yield mark


@lru_cache(maxsize=8)  # each commit looks at the oldest and the newest again
def sound_mark(row: Row) -> Mark | None:
    """Return the mark in a whole *row* of its table, ``None`` of a damaged one."""
    try:
        check(row)
    except Damaged:
        return None
    return Mark(*cast(tuple[int, ...], row[:-1]))


def newest_mark(connection: sqlite3.Connection) -> Mark | None:
    """Return the newest mark, deleting damaged ones, in the open transaction."""
    question = "SELECT * FROM marks ORDER BY id DESC LIMIT 1"
    while rows := connection.execute(question).fetchall():
        for mark in sound_marks(rows):
            return mark
        delete_damaged(connection, rows)
    return None


def delete_damaged(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """
    Delete those of *rows* of the table of marks whose sum is wrong.

    :raises Damaged: if one is not found by its id: it lies at a wrong place
    """
    for row in rows:
        if list(sound_marks([row])):
            continue
        gone = connection.execute("DELETE FROM marks WHERE id = ?", row[:1])
        if not gone.rowcount:
            raise Damaged("the rows of marks are out of order")
