"""
The tables, and how one version of them becomes the next.

The only file that knows sqlite-utils, and loads it only to make or change tables, and
without pandas, which it would bring along where that is installed: memory that a
recorder would keep for weeks. Every step is one transaction, so that a file is of
version N − 1 or N and never between, whenever the power goes.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from edge.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x45435045
"""Marks a database as ours (PRAGMA application_id): "ECPE"."""

Step = Callable[["Database"], None]


TABLES: dict[str, dict[str, Any]] = {
    "sessions": {
        "id": int, "boot_id": str, "started": int, "offset_ns": int,
        "version": str, "subject": str, "configuration": str, "crc": int,
    },
    "segments": {
        "id": int, "session": int, "source": str, "board": str, "leads": str,
        "gain": str, "baseline": str, "sampling_rate_hz": float, "checked": int,
        "stamp": str, "crc": int,
        "last_mark": int,  # marks.id of the newest chunk's mark
        "kept": int,  # 1: has chunks in a protected interval
    },
    "chunks": {
        "id": int, "segment": int, "start": int, "last": int, "period_ns": float,
        "uncertainty_ns": int, "samples": int, "codes": str, "counts": bytes,
        "offsets_us": bytes, "reasons": str, "crc": int,
    },
    "poses": {
        "id": int, "exposed": int, "uncertainty_ns": int, "origin": int,
        "state": str, "keypoints": bytes, "width": int, "height": int,
        "inference_ms": float, "picture": str, "crc": int,
    },
    "pose_origins": {
        # What hardly changes from pose to pose, once.
        "id": int, "stamp": str, "source": str, "rotation": int, "model": str,
        "device": str,
    },
    "vitals": {
        "id": int, "sampled": int, "name": str, "value": float, "reason": str,
        "source": str, "derived": int, "crc": int,
    },
    "events": {
        "id": int, "began": int, "ended": int, "kind": str, "stream": str,
        "cause": str, "detail": str, "crc": int,
    },
    "clock_readings": {
        "id": int, "session": int, "box": int, "utc": int, "synchronised": int,
        "step_ns": int, "crc": int,
        "lasting": int,  # 1: first of its session, a step, a change of discipline
    },
    "marks": {
        # Every few seconds of recording: where each table stood.
        "id": int, "recorded_ns": int, "session": int, "chunks": int,
        "poses": int, "vitals": int, "events": int, "clock_readings": int,
        "crc": int,
    },
    "protected": {"id": int, "begin": int, "until": int, "why": str},
    "totals": {
        # One row, rewritten in every transaction.
        "id": int, "batch": int, "samples": int, "chunks": int, "poses": int,
        "vitals": int, "events": int, "clock_readings": int, "sessions": int,
        "segments": int, "last_box": int, "recorded_ns": int,
        "longest_chunk_ns": int, "longest_event_ns": int, "instants": int,
        "posted": int, "crc": int,
    },
}  # fmt: skip
"""The tables of version 1: each column and its type."""

INDEXES: tuple[tuple[str, list[str]], ...] = (
    ("chunks", ["start"]),
    ("poses", ["exposed"]),
    ("vitals", ["sampled"]),
    ("vitals", ["name", "sampled"]),
    ("events", ["began"]),
    ("segments", ["last_mark"]),
)
"""What their rows are found by, beside their ids."""


SQL_TYPES: dict[type, str] = {int: "INTEGER", str: "TEXT", float: "REAL", bytes: "BLOB"}


def tables(db: Database) -> None:
    """Make all tables of version 1."""
    for name, columns in TABLES.items():
        db.table(name).create(columns, pk="id", strict=True)
    for name, keys in INDEXES:
        db.table(name).create_index(keys)
    db.table("totals").insert(dict.fromkeys(TABLES["totals"], 0) | {"id": 1})


STEPS: tuple[Step, ...] = (tables,)
"""Step k makes version k + 1 of version k. Only ever added to."""

VERSION = len(STEPS)


def migrate(connection: sqlite3.Connection, steps: tuple[Step, ...] = STEPS) -> None:
    """
    Bring the open database to the version of *steps*.

    :raises StoreError: if it is not ours, or of a later version
    """
    found = version(connection)
    if found > len(steps):
        raise StoreError(later(found, len(steps)))
    if found < len(steps):
        with hidden("pandas"):
            from sqlite_utils import Database

        migrations(steps).apply(Database(connection, use_counts_table=False))


def later(found: int, known: int = VERSION) -> str:
    """Return what is said of a file of version *found*, later than *known*."""
    return (
        "written by a later version of this program, which alone can read it: "
        f"schema {found}, known here are up to {known}"
    )


@contextmanager
def hidden(package: str) -> Iterator[None]:
    """Let imports of *package* fail meanwhile, as if it were not installed."""
    modules = cast(dict[str, object], sys.modules)
    if package in modules:  # somebody else needs it
        yield
        return
    modules[package] = None
    try:
        yield
    finally:
        del modules[package]


def migrations(steps: tuple[Step, ...]) -> Migrations:
    """Return *steps* in the form that sqlite-utils applies, one transaction each."""
    from sqlite_utils import Migrations

    made = Migrations("edge")
    for number, step in enumerate(steps, start=1):
        made(name=f"{number:03}")(numbered(step, number))
    return made


def numbered(step: Step, number: int) -> Step:
    """Return *step* with the version and the mark of ours written beside it."""

    def run(db: Database) -> None:
        step(db)
        db.execute(f"PRAGMA user_version = {number}")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    return run


def misfit(connection: sqlite3.Connection) -> str:
    """
    Return what is not as `tables` made it in the open database, "" if all is.

    A bit that rots in the text of a table gives a column another name, and every
    statement that names it fails for ever. One of another version is not looked at.
    """
    if version(connection) != VERSION:
        return ""
    for table, columns in TABLES.items():
        found = connection.execute(
            "SELECT name, type FROM pragma_table_info(?)", (table,)
        ).fetchall()
        if found != [(name, SQL_TYPES[kind]) for name, kind in columns.items()]:
            return f"the columns of {table} are not those that were made"
    for table, keys in INDEXES:
        if keys not in indexed(connection, table):
            return f"an index of {table} is not the one that was made"
    return ""


def indexed(connection: sqlite3.Connection, table: str) -> list[list[str]]:
    """Return the columns of each index of *table*."""
    question = "SELECT name FROM pragma_index_info(?) ORDER BY seqno"
    names = connection.execute("SELECT name FROM pragma_index_list(?)", (table,))
    return [
        [column for (column,) in connection.execute(question, name).fetchall()]
        for name in names.fetchall()
    ]


def version(connection: sqlite3.Connection) -> int:
    """
    Return the schema version of the open database, 0 for an empty one.

    :raises StoreError: if it holds tables that are not ours
    """
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    (strange,) = connection.execute(
        "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '%sqlite_%'"
    ).fetchone()
    if owner != APPLICATION_ID and (owner or number or strange):
        raise StoreError("not a recording of this program")
    return int(number)
