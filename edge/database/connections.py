"""
The SQLite file: how it is opened, and what its errors mean.

WAL so that readers never wait for the writer, FULL so that a commit is on the card
when it returns. SQLite before 3.51.3 can damage a file that two connections write or
checkpoint at once, and Debian's is older: here one connection does both, and every
other is opened read-only.
"""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from edge.database.sums import Damaged

PAGE_BYTES = 4096
"""Also what SD cards and ext4 write at least."""

WAL_LIMIT_BYTES = 4 << 20
"""What the WAL file is cut back to at a checkpoint that empties it."""

BUSY_S = 5.0
"""How long to wait for another connection: they all hold locks for milliseconds."""

ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What a question may raise; the second where a message quotes damaged bytes."""

FULL = {sqlite3.SQLITE_FULL}
BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def open_writer(path: Path) -> sqlite3.Connection:
    """
    Return the one connection that writes and checkpoints *path*, made if absent.

    :raises sqlite3.Error: if it cannot be opened or is not a database
    """
    connection = sqlite3.connect(
        path,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,  # opened by the main thread, then the writer's alone
    )
    try:
        for pragma in (
            f"page_size = {PAGE_BYTES}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "wal_autocheckpoint = 0",  # the store does it, to see its errors
            f"journal_size_limit = {WAL_LIMIT_BYTES}",
            "mmap_size = 0",  # an I/O error is an error, not a signal
            "secure_delete = FAST",  # Debian's default doubles what is written
            "temp_store = MEMORY",
            "cell_size_check = ON",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """
    Return a connection that can only read *path*.

    A reader that may not write in the folder cannot make the WAL's index, which is
    gone while no recorder runs: then the file does not change, and is read as it is.

    :raises sqlite3.Error: if it cannot be opened or is empty
    """
    try:
        return connect_reader(path, "mode=ro")
    except sqlite3.OperationalError as error:
        refused = primary_code(error) in (
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_CANTOPEN,
        )
        if not refused or path.with_name(path.name + "-wal").exists():
            raise
        return connect_reader(path, "mode=ro&immutable=1")


def connect_reader(path: Path, how: str) -> sqlite3.Connection:
    """
    Return a connection to *path*, opened *how* a URI of SQLite says it.

    :raises sqlite3.Error: if that does not work
    """
    if path.exists() and not path.stat().st_size:
        # SQLite deletes the log of an empty database, even opened read-only.
        raise sqlite3.OperationalError("the file is empty")
    uri = f"file:{quote(str(path.absolute()))}?{how}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA mmap_size = 0").fetchall()
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def primary_code(error: Exception) -> int:
    """
    Return SQLite's result code of *error*, not extended; 0 if it has none.

    Content that cannot be what was written is corrupt, whoever notices it.
    """
    if isinstance(error, UnicodeDecodeError | Damaged):
        return sqlite3.SQLITE_CORRUPT
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_damage(error: Exception) -> bool:
    """Return whether *error* is about what the file holds, not about reaching it."""
    reached = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY,
               sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM,
               sqlite3.SQLITE_FULL, sqlite3.SQLITE_LOCKED}  # fmt: skip
    return primary_code(error) not in reached


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """Return the number that ``PRAGMA name`` states."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
