"""
Is a database file what it should be? If not, it is set aside, never deleted.

The look at start takes moments also for gigabytes: what tables there are, all small
ones, and both ends of the large ones and of their indexes. A row in the middle that
has rotted is found by its sum when it is read, a page when it is met.
"""

import re
import sqlite3
from pathlib import Path

from edge.database.connections import ERRORS, is_damage, open_reader
from edge.database.folder import beside, sync_folder
from edge.database.schema import INDEXES, misfit, version
from edge.database.sums import Damaged
from edge.database.totals import Totals, read_totals
from edge.errors import StoreError

WHOLE_BYTES = 16 << 20
"""A file up to this size is checked from end to end."""

END_ROWS = 128
"""Rows of each large table, and entries of its indexes, looked at from each end."""

LARGE = ("chunks", "poses", "vitals", "events", "clock_readings")
SMALL = ("totals", "sessions", "segments", "pose_origins", "protected", "marks")

ENDINGS = ("", "-wal", "-shm")


def trouble(path: Path) -> str:
    """Return what is wrong with the file at *path*, "" if it is sound or absent."""
    if not size_bytes(path):
        orphaned = size_bytes(beside(path, "-wal")) > 0
        return "a log without its database" if orphaned else ""
    try:
        connection = open_reader(path)
    except OSError:
        return ""  # opening it to write says why
    except ERRORS as error:
        return str(error) if is_damage(error) else ""
    try:
        if not version(connection):
            return ""
        return look(connection, size_bytes(path))
    except (StoreError, Damaged) as error:
        return str(error)
    except ERRORS as error:
        return str(error) if is_damage(error) else ""
    finally:
        connection.close()


def size_bytes(path: Path) -> int:
    """Return how large the file at *path* is, 0 if there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def look(connection: sqlite3.Connection, length: int) -> str:
    """Return what is wrong with the open database of *length* bytes, or ""."""
    if wrong := misfit(connection):
        return wrong
    tables = "" if length <= WHOLE_BYTES else SMALL
    for table in tables or ("",):
        argument = f"({table})" if table else "(1)"
        (said,) = connection.execute(f"PRAGMA quick_check{argument}").fetchone()
        if said != "ok" and not is_about_reading(str(said)):
            return str(said).replace("\n", " ")
    totals = read_totals(connection)
    for table in LARGE:
        wrong = look_at_ends(connection, table, totals)
        if wrong:
            return wrong
    for table, keys in INDEXES:
        if not keys_in_order(connection, table, keys):
            return f"an index of {table} is out of order"
    return ""


def is_about_reading(said: str) -> bool:
    """Return whether a check *said* that it could not read, not what it read."""
    code = re.search(r"error code=(\d+)", said)
    return code is not None and int(code[1]) & 0xFF == sqlite3.SQLITE_IOERR


def look_at_ends(connection: sqlite3.Connection, table: str, totals: Totals) -> str:
    """Return what is wrong with the first or last rows of *table*, or ""."""
    for order in ("ASC", "DESC"):
        rows = connection.execute(
            f"SELECT * FROM {table} ORDER BY id {order} LIMIT {END_ROWS}"
        ).fetchall()
        numbers = [row[0] for row in rows]
        if numbers != sorted(set(numbers), reverse=order == "DESC"):
            return f"the rows of {table} are out of order"
        if numbers and max(numbers) > getattr(totals, table):
            return f"{table} holds more than the totals say: parts of two databases"
    return ""


def keys_in_order(connection: sqlite3.Connection, table: str, keys: list[str]) -> bool:
    """Return whether the first and last entries of the index on *keys* are in order."""
    for order in ("ASC", "DESC"):
        by = ", ".join(f"{key} {order}" for key in keys)
        found = connection.execute(
            f"SELECT {', '.join(keys)} FROM {table} ORDER BY {by} LIMIT {END_ROWS}"
        ).fetchall()
        try:
            if found != sorted(found, reverse=order == "DESC"):
                return False
        except TypeError:  # of an entry whose very type has rotted
            return False
    return True


def salvaged_totals(path: Path) -> Totals | None:
    """Return the totals of a file in trouble if they can be read at all."""
    try:
        connection = open_reader(path)
    except (OSError, *ERRORS):
        return None
    try:
        return read_totals(connection)
    except (*ERRORS, Damaged):
        return None
    finally:
        connection.close()


def set_aside(path: Path) -> Path:
    """
    Rename *path* and what belongs to it, and return the new path.

    The database goes first: a log that is left behind by a power cut is found at the
    next start and follows it.

    :raises OSError: if it cannot be renamed
    """
    numbers = range(1, 1_000_000)
    for number in numbers:
        target = path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")
        if not any(beside(target, ending).exists() for ending in ENDINGS):
            break
    if not path.exists() and beside(path, "-wal").exists():
        last = path.with_name(f"{path.stem}.damaged-{number - 1}{path.suffix}")
        if last.exists() and not beside(last, "-wal").exists():
            target = last
    for ending in ENDINGS:
        if beside(path, ending).exists():
            beside(path, ending).rename(beside(target, ending))
    sync_folder(path.parent)
    return target
