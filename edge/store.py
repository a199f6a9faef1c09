"""
The one writer: records become rows of a database on the card.

What `Store.append` has returned from stays: it is one transaction, synced before the
call returns. What it raised `StoreError` for may be given again: nothing is stored
twice.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from edge.database.ballast import Ballast
from edge.database.connections import ERRORS
from edge.database.folder import FolderLock, fleeting, free_bytes
from edge.database.steady import SteadyWriter
from edge.database.totals import Totals
from edge.database.writer import Limits, Usage
from edge.errors import StoreError
from edge.records import BoxNs, Record

CAPACITY_BYTES = 8 << 30
RETENTION_H = 14 * 24.0

BALLAST_BYTES = 8 << 20
"""Some minutes of recording in the WAL, with room to empty it."""

KNOWN_H = 0.01
"""Recording after which it is fair to say how long the room will last."""

H = 3_600_000_000_000


class Store:
    """The database at *path*, for one thread at a time."""

    def __init__(
        self,
        path: Path,
        capacity_bytes: int = CAPACITY_BYTES,
        retention_h: float = RETENTION_H,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> None:
        """
        Open the database at *path*, made if there is none.

        It grows to *capacity_bytes* and keeps *retention_h* hours of recording; from
        then on the oldest leaves. *ballast_bytes* lie beside it for a full disk. A
        file that is damaged, foreign or of a later version is set aside under another
        name and a new one begun: `opening` says so.

        :raises StoreError: if another recorder has it, or the folder cannot be written
        """
        self.path = path
        self._lock = FolderLock(path)
        limits = Limits(capacity_bytes, round(retention_h * H))
        self._limits = limits
        try:
            self._steady = SteadyWriter(path, limits, Ballast(path, ballast_bytes))
        except BaseException:
            self._lock.release()
            raise
        self._usage = Usage(0, capacity_bytes, 0, False, 0)
        self._measure()

    @property
    def opening(self) -> tuple[str, ...]:
        """What a person should know about how it opened, a sentence each."""
        said = [fleeting(self.path.parent), *self._steady.file.said]
        return tuple(sentence for sentence in said if sentence)

    @property
    def totals(self) -> Totals:
        """How much was saved since the file began."""
        return self._steady.file.totals

    @property
    def last_box(self) -> BoxNs | None:
        """The newest instant that was recorded here, ``None`` in a new database."""
        return self.totals.last_box

    @property
    def next_session(self) -> int:
        """An id that no session has had."""
        return self.totals.sessions + 1

    @property
    def next_segment(self) -> int:
        """An id that no segment has had."""
        return self.totals.segments + 1

    def append(self, records: Iterable[Record]) -> None:
        """
        Store *records* in one transaction; when it returns, all are on the card.

        More than 2 MB, a backlog, takes several transactions. A session or segment
        whose id is known replaces that one. After a `StoreError` the same records, and
        more, may be given again: none is stored twice, so long as they are the same
        objects.

        :raises StoreError: if not all of them are stored
        """
        given = list(records)
        if given:
            self._steady.commit(given)
            self._measure()

    def begin_anew(self, why: str) -> None:
        """
        Set the file aside because of *why* and go on in a new one: `opening` says so.

        For who meets damage in it while reading; what is met while writing is mended
        here.

        :raises StoreError: if the disk does not let it
        """
        self._steady.file.begin_anew(why)
        self._measure()

    def storage(self) -> dict[str, object]:
        """
        Return how much room there is; may be called from any thread.

        ``bytes`` in use, ``capacity_bytes``, ``free_bytes`` of the disk, ``hours_left``
        until the oldest rows leave (0.0 once they do, ``None`` while unknown),
        ``hours_kept`` of recording in the file, ``tight``: the disk is full,
        ``log_bytes``: above 16 MB another program holds the log.
        """
        usage = self._usage
        free = free_bytes(self.path.parent)
        kept_h = usage.kept_ns / H
        left_h = None
        if kept_h > KNOWN_H:
            room = min(usage.limit_bytes - usage.used_bytes, free)
            until_full = room * kept_h / usage.used_bytes
            until_old = self._limits.retention_ns / H - kept_h
            left_h = round(max(min(until_full, until_old), 0.0), 2)
        return {
            "bytes": usage.used_bytes,
            "capacity_bytes": self._limits.capacity_bytes,
            "free_bytes": free,
            "hours_left": left_h,
            "hours_kept": round(kept_h, 2),
            "tight": usage.tight,
            "log_bytes": usage.log_bytes,
        }

    def close(self) -> None:
        """Close the database and let another recorder have it. Safe to call twice."""
        self._steady.close()
        self._lock.release()

    def _measure(self) -> None:
        with contextlib.suppress(*ERRORS, StoreError):
            self._usage = self._steady.file.current.usage()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
