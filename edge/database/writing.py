"""A batch of rows into the tables, inside the transaction that is open."""

import sqlite3
from collections.abc import Iterator

from edge.database.batch import Batch
from edge.database.keeping import keep, note_kept_since, release
from edge.database.marks import newest_mark
from edge.database.sums import Row, summed
from edge.database.totals import Totals, read_totals, write_totals
from edge.records import BoxNs

S = 1_000_000_000

MARK_NS = 10 * S
"""How much recording one mark stands for: the grain in which old rows leave."""

MARK_ROWS = 4096
"""The same where no time passes: a long record that is uploaded."""

MOST_RECORDED_NS = 3600 * S
"""Counted of one batch at most, so that no wrong instant can make all rows old."""

STEP_NS = S // 2
"""A clock reading that moved by more is kept as long as its session."""


def insert(table: str, columns: int) -> str:
    """Return the statement that inserts a row of *columns* values into *table*."""
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"


CHUNK = insert("chunks", 12)
POSE = insert("poses", 11)
VITAL = insert("vitals", 8)
EVENT = insert("events", 8)
READING = insert("clock_readings", 8)
SESSION = insert("sessions", 8).replace("INSERT", "INSERT OR REPLACE")
SEGMENT = """
    INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
    ON CONFLICT (id) DO UPDATE SET session = excluded.session,
        source = excluded.source, board = excluded.board, leads = excluded.leads,
        gain = excluded.gain, baseline = excluded.baseline,
        sampling_rate_hz = excluded.sampling_rate_hz, checked = excluded.checked,
        stamp = excluded.stamp, crc = excluded.crc
"""


def write_batch(connection: sqlite3.Connection, batch: Batch) -> Totals:
    """Insert *batch* and return the totals after it. Changes nothing but tables."""
    before = read_totals(connection)
    after = totals_after(before, batch)
    connection.executemany(SESSION, batch.sessions)
    mark = set_mark(connection, before, after)
    connection.executemany(SEGMENT, ((*row, mark) for row in batch.segments))
    connection.executemany(CHUNK, numbered(batch.chunks, before.chunks))
    note_segments(connection, batch, mark, before)
    origins = origin_ids(connection, batch)
    poses = (
        (*row[:2], origins[origin], *row[2:])
        for row, origin in zip(batch.poses, batch.origins, strict=True)
    )
    connection.executemany(POSE, numbered(poses, before.poses))
    connection.executemany(VITAL, numbered(batch.vitals, before.vitals))
    connection.executemany(EVENT, numbered(batch.events, before.events))
    write_readings(connection, batch, before.clock_readings)
    for asked in batch.keeping:  # after what they may be about
        if isinstance(asked, int):
            release(connection, asked)
        else:
            keep(connection, asked)
    write_totals(connection, after)
    return after


def numbered(rows: Iterator[Row] | list[Row], used: int) -> Iterator[Row]:
    """Yield *rows* with their ids before them, from *used* + 1."""
    for number, row in enumerate(rows, start=used + 1):
        yield (number, *row)


def totals_after(before: Totals, batch: Batch) -> Totals:
    """Return the totals once *batch* is in."""
    base = max(before.last_box or 0, batch.started or 0)
    newest = before.last_box
    recorded = 0
    if batch.newest is not None:
        newest = BoxNs(
            max(batch.newest, newest if newest is not None else batch.newest)
        )
        recorded = newest - base if base else 0
    return Totals(
        batch=before.batch + 1,
        samples=before.samples + batch.samples,
        chunks=before.chunks + len(batch.chunks),
        poses=before.poses + len(batch.poses),
        vitals=before.vitals + len(batch.vitals),
        events=before.events + len(batch.events),
        clock_readings=before.clock_readings + len(batch.clock_readings),
        sessions=max([before.sessions, *(int(row[0] or 0) for row in batch.sessions)]),
        segments=max([before.segments, *(int(row[0] or 0) for row in batch.segments)]),
        last_box=newest,
        recorded_ns=before.recorded_ns + min(max(recorded, 0), MOST_RECORDED_NS),
        instants=before.instants + batch.instants,
        posted=before.posted + batch.posted,
        longest_chunk_ns=max(before.longest_chunk_ns, batch.longest_chunk_ns),
        longest_event_ns=max(before.longest_event_ns, batch.longest_event_ns),
    )


def set_mark(connection: sqlite3.Connection, before: Totals, after: Totals) -> int:
    """Return the id of the mark that new rows belong to, made if it is time."""
    newest = newest_mark(connection)
    if newest:
        stored = before.chunks + before.poses + before.vitals + before.events
        rows = newest.chunks + newest.poses + newest.vitals + newest.events
        if (
            newest.session == after.sessions
            and before.recorded_ns - newest.recorded_ns < MARK_NS
            and stored - rows < MARK_ROWS
        ):
            return newest.id
    number = 1 + newest.id if newest else 1
    values = (
        number,
        before.recorded_ns,
        after.sessions,
        before.chunks + 1,
        before.poses + 1,
        before.vitals + 1,
        before.events + 1,
        before.clock_readings + 1,
    )
    connection.execute(insert("marks", 9), summed(values))
    return number


def note_segments(
    connection: sqlite3.Connection, batch: Batch, mark: int, before: Totals
) -> None:
    """Keep with each segment of *batch* the mark of its newest chunk."""
    if not batch.chunks:
        return
    for segment in {row[0] for row in batch.chunks}:
        connection.execute(
            "UPDATE segments SET last_mark = ?1 WHERE id = ?2 AND last_mark < ?1",
            (mark, segment),
        )
    note_kept_since(connection, before.chunks + 1)


def origin_ids(connection: sqlite3.Connection, batch: Batch) -> dict[Row, int]:
    """Return the id of each origin in *batch*, made where it is new."""
    ids: dict[Row, int] = {}
    for origin in set(batch.origins):
        found = connection.execute(
            "SELECT id FROM pose_origins WHERE (stamp, source, rotation, model, device)"
            " = (?, ?, ?, ?, ?)",
            origin,
        ).fetchone()
        if not found:
            made = connection.execute(insert("pose_origins", 6), (None, *origin))
            found = (made.lastrowid,)
        ids[origin] = int(found[0])
    return ids


def write_readings(connection: sqlite3.Connection, batch: Batch, used: int) -> None:
    """Insert the clock readings of *batch*, with whether they must outlast the ring."""
    for number, row in enumerate(batch.clock_readings, start=used + 1):
        session, _, _, synchronised, step_ns = row[:5]
        previous = connection.execute(
            "SELECT session, synchronised FROM clock_readings WHERE id = ?",
            (number - 1,),
        ).fetchone()
        lasting = (
            previous != (session, synchronised) or abs(int(step_ns or 0)) > STEP_NS
        )
        connection.execute(READING, (number, *row, int(lasting)))
