"""
The one connection that writes: transactions, checkpoints, and room on the disk.

Raises SQLite's own errors; what they mean for the recording is decided in `store`.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from edge.database.ballast import Ballast
from edge.database.batch import Batch
from edge.database.connections import (
    BUSY_S,
    ERRORS,
    FULL,
    PAGE_BYTES,
    open_writer,
    pragma,
    primary_code,
)
from edge.database.folder import beside, free_bytes, lock_holders
from edge.database.marks import sound_marks
from edge.database.prune import ROUNDS, ROWS_A_ROUND, Passed, prune
from edge.database.rows import event_row
from edge.database.schema import migrate
from edge.database.totals import Totals, read_totals, write_totals
from edge.database.writing import write_batch
from edge.records import Event, Kept

logger = logging.getLogger(__name__)

CHECKPOINT_BYTES = 2 << 20
"""At most about what is written to the WAL from one checkpoint to the next: 1.4 MB."""

COMMIT_BYTES = 16 * PAGE_BYTES
"""What a transaction writes beside its rows: ends of tables and indexes, totals."""

SPARE_PAGES = 32
"""Kept free beyond what a batch is thought to need: pages that fill up half."""

LONG_LOG_BYTES = 16 << 20
"""A WAL of this size means that somebody reads in one transaction, on and on."""

RESTART_WAIT_MS = 500


RESERVE_BYTES = 4 << 20
"""Left on a disk that is nearly full, so that the WAL can grow and be emptied."""


class Limits(NamedTuple):
    """How much the ring keeps."""

    capacity_bytes: int
    retention_ns: int  # of recording


class Usage(NamedTuple):
    """How much room the recording takes."""

    used_bytes: int
    limit_bytes: int  # how large the file may get just now
    kept_ns: int  # recording that is in it
    tight: bool  # the disk is full
    log_bytes: int  # in the WAL at the last checkpoint


class Writer:
    """The writing connection to *path*, for the one thread that made it."""

    totals: Totals
    """As of the last transaction."""

    def __init__(self, path: Path, limits: Limits, ballast: Ballast) -> None:
        """
        Open *path*, made if it is not there, at the newest schema.

        :raises sqlite3.Error: if that fails
        :raises StoreError: if it is not ours, or of a later version
        :raises Damaged: if its totals are not as they were written
        """
        self.path = path
        self._limits = limits
        self._ballast = ballast
        self._tight = not ballast.held
        self._unmoved_bytes = 0  # in the WAL since the last checkpoint, about
        self._log_bytes = 0
        self._passed: Passed | None = Passed()
        self.connection = open_writer(path)
        try:
            migrate(self.connection)
            self.set_limit()
            self.totals = read_totals(self.connection)
            self._kept = self._weigh()
            self._inode = path.stat().st_ino
        except BaseException:
            self.connection.close()
            raise

    def is_in_place(self) -> bool:
        """Return whether the file that is open is still the one at its path."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    @property
    def limit_bytes(self) -> int:
        """How large the file may get just now."""
        return self._limit_pages * PAGE_BYTES

    def commit(self, batch: Batch, effort: int = 1) -> None:
        """
        Store *batch* in one transaction, letting old rows go.

        :raises sqlite3.Error: if it did not return from its commit
        """
        wanted = batch.size_bytes * 5 // 4 // PAGE_BYTES + SPARE_PAGES
        rounds = (ROUNDS + batch.rows // ROWS_A_ROUND) * effort * effort
        with self.transaction() as connection:
            given_way = prune(
                connection,
                self.totals,
                self._limit_pages,
                wanted * effort,
                self._limits.retention_ns,
                rounds,
            )
            told = [event_row(gave_way(kept, self.totals)) for kept in given_way]
            new = replace(batch, events=[*batch.events, *told]) if told else batch
            totals = write_batch(connection, new)
            kept = self._weigh()  # here, since each look outside costs a lock
        self.totals, self._kept = totals, kept
        if batch.keeping or given_way:
            self._passed = Passed()
        self._unmoved_bytes += COMMIT_BYTES + 2 * batch.size_bytes

    def begin_with(self, totals: Totals) -> None:
        """Let a new file go on from *totals* of the one before it."""
        with self.transaction() as connection:
            write_totals(connection, totals._replace(batch=1))
        self.totals = totals._replace(batch=1)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction, undone if it raises."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                with contextlib.suppress(*ERRORS):
                    self.connection.execute("ROLLBACK")
            raise

    def tidy(self) -> None:
        """
        Do between transactions what may wait: checkpoint, take the ballast again.

        :raises sqlite3.Error: if the checkpoint fails other than for want of room
        """
        if self._unmoved_bytes > CHECKPOINT_BYTES:
            try:
                self.checkpoint("PASSIVE")
            except ERRORS as error:
                if primary_code(error) not in FULL:
                    raise
                self.make_room()
        if self._passed:
            with self.transaction() as connection:
                more = self._passed.sweep(connection, self.totals)
            self._passed = self._passed if more else None
        if self._tight:
            self._tight = not self._ballast.take()
            self.set_limit()

    def checkpoint(self, mode: str) -> None:
        """Move what the WAL holds into the database; readers may hold up a part."""
        answer = self.connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        self._unmoved_bytes = 0
        long_before = self._log_bytes > LONG_LOG_BYTES
        self._log_bytes = max(answer[1], 0) * PAGE_BYTES
        if self._log_bytes > LONG_LOG_BYTES and not long_before:
            # Readers of ours hold a transaction for milliseconds.
            holders = lock_holders(beside(self.path, "-shm"))
            logger.warning(
                "the log of %s grows: another program, process %s, reads on and on",
                self.path,
                ", ".join(map(str, holders)) or "unknown",
            )

    def make_room(self) -> None:
        """
        Give the ballast up and live in the file as large as it is.

        The WAL is emptied but not cut: its room on the disk stays ours.
        """
        if self._ballast.give_up():
            logger.warning("the disk of %s is full: the ballast is given up", self.path)
        self._tight = True
        with contextlib.suppress(*ERRORS):
            pragma(self.connection, f"busy_timeout = {RESTART_WAIT_MS}")
            self.checkpoint("RESTART")
            pragma(self.connection, f"busy_timeout = {round(BUSY_S * 1000)}")
        self.set_limit()

    def set_limit(self) -> None:
        """Tell SQLite how many pages the file may have."""
        pages = self._limits.capacity_bytes // PAGE_BYTES
        if self._tight:
            spare = free_bytes(self.path.parent) - RESERVE_BYTES
            spare -= self._ballast.size_bytes
            held = pragma(self.connection, "page_count")
            pages = min(pages, held + max(spare, 0) // PAGE_BYTES)
        self._limit_pages = max(pages, 1)
        pragma(self.connection, f"max_page_count = {self._limit_pages}")

    def usage(self) -> Usage:
        """Return how much room the recording takes and may take."""
        used, oldest_ns = self._kept
        return Usage(
            used * PAGE_BYTES,
            self._limit_pages * PAGE_BYTES,
            self.totals.recorded_ns - oldest_ns,
            self._tight,
            self._log_bytes,
        )

    def _weigh(self) -> tuple[int, int]:
        """Return the pages in use, and how much was recorded before the oldest row."""
        pages = pragma(self.connection, "page_count")
        used = pages - pragma(self.connection, "freelist_count")
        marks = self.connection.execute("SELECT * FROM marks ORDER BY id")
        oldest = next(sound_marks(marks), None)
        marks.close()  # a question left open keeps the log from being emptied
        return used, oldest.recorded_ns if oldest else 0

    def close(self) -> None:
        """Let the file go. Safe to call twice, and whatever the disk does."""
        with contextlib.suppress(*ERRORS):
            self.connection.close()


def gave_way(kept: Kept, totals: Totals) -> Event:
    """Return the event that says *kept* could not be kept any longer."""
    logger.warning("kept no longer, since nothing else could leave: %s", kept.why)
    cause = (
        f"What was kept ({kept.why}) gives way: nothing else is left that could leave. "
        "Give more room in [store] capacity_gb."
    )
    return Event(totals.last_box or kept.begin, None, "kept", "store", cause)


def write_again(path: Path) -> None:
    """
    Write the WAL of *path* over itself and sync it.

    After a failed sync the kernel takes pages for clean that never reached the disk;
    only writing them again makes the next sync mean what it says (Rebello et al.,
    "Can Applications Recover from fsync Failures?", USENIX ATC 2020).

    :raises OSError: if the disk still fails
    """
    wal = beside(path, "-wal")
    if not wal.exists():
        return
    with wal.open("r+b", buffering=0) as file:
        held = file.read()
        file.seek(0)
        file.write(held)
        os.fsync(file.fileno())
