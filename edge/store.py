"""
The one writer: records become rows of a database on the card.

What `Store.append` has returned from stays: it is one transaction, synced before the
call returns. What it raised `StoreError` for is not there, and may come again.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from edge.batch import BROUGHT, make_batch
from edge.database import open_writer
from edge.datafolder import FolderLock, fleeting, free_bytes
from edge.errors import StoreError
from edge.records import BoxNs, Record
from edge.schema import migrate
from edge.totals import Totals, read_totals
from edge.writing import write_batch

CAPACITY_BYTES = 8 << 30
RETENTION_H = 14 * 24.0
BALLAST_BYTES = 8 << 20
CHECKPOINT_COMMITS = 64


class Store:
    """The database at *path*, for one thread at a time."""

    opening: tuple[str, ...]
    """What a person should know about how it opened, a sentence each."""

    def __init__(
        self,
        path: Path,
        capacity_bytes: int = CAPACITY_BYTES,
        retention_h: float = RETENTION_H,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> None:
        """
        Open the database at *path*, made if there is none.

        :raises StoreError: if another recorder has it, or the folder cannot be written
        """
        self.path = path
        self.capacity_bytes = capacity_bytes
        self._lock = FolderLock(path)
        try:
            self._connection = open_writer(path)
            migrate(self._connection)
        except sqlite3.Error as error:
            self._lock.release()
            raise StoreError(f"cannot open {path}: {error}") from error
        warning = fleeting(path.parent)
        self.opening = (warning,) if warning else ()
        self._totals: Totals = read_totals(self._connection)
        rows = self._connection.execute("SELECT id, source FROM segments").fetchall()
        self._brought = {int(number) for number, source in rows if source in BROUGHT}

    @property
    def last_box(self) -> BoxNs | None:
        """The newest instant that was recorded here, ``None`` in a new database."""
        return self._totals.last_box

    @property
    def next_session(self) -> int:
        """An id that no session has had."""
        return self._totals.sessions + 1

    @property
    def next_segment(self) -> int:
        """An id that no segment has had."""
        return self._totals.segments + 1

    def append(self, records: Iterable[Record]) -> None:
        """
        Store *records* in one transaction; when it returns, all are on the card.

        :raises StoreError: if none of them is; the same may be appended again
        """
        batch = make_batch(records, self._brought)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            totals = write_batch(self._connection, batch)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise StoreError(f"cannot store in {self.path}: {error}") from error
        self._totals = totals
        self._brought = batch.brought
        if totals.batch % CHECKPOINT_COMMITS == 0:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def storage(self) -> dict[str, object]:
        """Return bytes, capacity_bytes, free_bytes, hours_left (``None``: unknown)."""
        used = self.path.stat().st_size
        free = free_bytes(self.path.parent)
        hours = self._totals.recorded_ns / 3.6e12
        left = min(self.capacity_bytes - used, free) / (used / hours) if hours else None
        return {
            "bytes": used,
            "capacity_bytes": self.capacity_bytes,
            "free_bytes": free,
            "hours_left": left,
        }

    def protect(self, begin: BoxNs, end: BoxNs, why: str) -> None:
        """Keep what was recorded in [*begin*, *end*), however old it gets."""
        self._connection.execute(
            "INSERT INTO protected (begin, until, why) VALUES (?, ?, ?)",
            (begin, end, why),
        )

    def close(self) -> None:
        """Close the database and let another recorder have it. Safe to call twice."""
        self._connection.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
