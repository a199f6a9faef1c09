"""The one row that says how much was saved, read and rewritten in every transaction."""

import sqlite3
from typing import NamedTuple

from edge.database.sums import Damaged, check, summed
from edge.records import BoxNs


class Totals(NamedTuple):
    """Since the file began; the counts never fall, and are the ids given so far."""

    batch: int = 0  # transactions
    samples: int = 0  # places of ECG chunks, with and without a value
    chunks: int = 0
    poses: int = 0
    vitals: int = 0
    events: int = 0
    clock_readings: int = 0
    sessions: int = 0  # highest Session.id
    segments: int = 0  # highest Segment.id
    last_box: BoxNs | None = None  # newest instant of what was recorded, not uploaded
    recorded_ns: int = 0  # how long was recorded, switched-off times left out
    longest_chunk_ns: int = 0  # first to last sample
    longest_event_ns: int = 0
    instants: int = 0  # of ECG, over all leads
    posted: int = 0  # of them sent by people and scripts, one a record


COLUMNS = (*Totals._fields, "crc")
READ = f"SELECT {', '.join(COLUMNS)} FROM totals"
WRITE = f"UPDATE totals SET {', '.join(f'{name} = ?' for name in COLUMNS)}"


def read_totals(connection: sqlite3.Connection) -> Totals:
    """
    Return the totals as of the connection's transaction.

    :raises Damaged: if they are not as they were written
    """
    row = connection.execute(READ).fetchone()
    if row is None:
        raise Damaged("the totals are gone")
    if not row[0]:  # nothing was ever stored
        return Totals()
    check(row)
    return Totals._make(row[:-1])


def write_totals(connection: sqlite3.Connection, totals: Totals) -> None:
    """Store *totals* in the connection's transaction."""
    connection.execute(WRITE, summed(totals))
