"""The one row that says how much was saved, read and rewritten in every transaction."""

import sqlite3
from typing import NamedTuple

from edge.records import BoxNs


class Totals(NamedTuple):
    """Since the file began; the counts never fall, and are the ids given so far."""

    batch: int  # transactions
    samples: int  # places of ECG chunks, with and without a value
    chunks: int
    poses: int
    vitals: int
    events: int
    clock_readings: int
    sessions: int  # highest Session.id
    segments: int  # highest Segment.id
    last_box: BoxNs | None  # newest instant of what was recorded here, not uploaded
    recorded_ns: int  # how long was recorded, switched-off times left out
    longest_chunk_ns: int  # first to last sample
    longest_event_ns: int


READ = f"SELECT {', '.join(Totals._fields)} FROM totals"
WRITE = f"UPDATE totals SET {', '.join(f'{name} = ?' for name in Totals._fields)}"


def read_totals(connection: sqlite3.Connection) -> Totals:
    """Return the totals as of the connection's transaction."""
    return Totals._make(connection.execute(READ).fetchone())


def write_totals(connection: sqlite3.Connection, totals: Totals) -> None:
    """Store *totals* in the connection's transaction."""
    connection.execute(WRITE, totals)
