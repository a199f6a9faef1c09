"""
Commits that ride out what a disk can do: full, failing, damaged.

* Full: the ballast is given up, the ring lives in the file as large as it is.
* Failed read, write or sync: the connection is never used again; the log is written
  anew, the file opened anew, and the batch, whose outcome may be unknown, looked for.
* Damaged: the file is set aside and a new one begun (`lasting`).
"""

import logging
from pathlib import Path

from edge.database.ballast import Ballast
from edge.database.batch import make_batch, parts
from edge.database.connections import BUSY, DAMAGED, ERRORS, FULL, primary_code
from edge.database.lasting import LastingFile, refusal
from edge.database.sums import Damaged
from edge.database.writer import Limits, Writer
from edge.errors import StoreError
from edge.records import Record

logger = logging.getLogger(__name__)

ATTEMPTS = 4
"""Of one batch, each after something was mended."""

PART_BYTES = 2 << 20
"""Given at once beyond this is stored in several transactions: a backlog."""

PARTS_OF_LIMIT = 8
"""A transaction takes at most this part of the file, so that the ring can turn."""

UNREADABLE = {266, 522}
"""SQLITE_IOERR_READ and SQLITE_IOERR_SHORT_READ."""

MOST_UNREADABLE = 5
"""
Refused batches in a row after which a file is taken for lost: a page that cannot be
read would stop the ring for good, while the rest of the disk may well do.
"""


class SteadyWriter:
    """The database at *path*, written whatever happens, for the thread that made it."""

    def __init__(self, path: Path, limits: Limits, ballast: Ballast) -> None:
        """
        Open *path*, made if it is not there.

        :raises StoreError: if it can be neither opened nor set aside
        """
        self.file = LastingFile(path, limits, ballast)
        self._doubtful: tuple[int, int, list[Record]] | None = None
        self._stored: dict[int, Record] = {}
        self._unreadable = 0  # batches in a row that were refused by a failing read
        self._told = ""  # logged since a batch was last stored

    def commit(self, given: list[Record]) -> None:
        """
        Store *given*, in one transaction if it is not unusually much.

        :raises StoreError: if not all of it is stored; what is stays known until the
            next time, and is not stored twice
        """
        try:
            self._commit_all(given)
            self._unreadable, self._told = 0, ""
        except StoreError as error:
            code = getattr(error.__cause__, "sqlite_errorcode", 0)
            self._unreadable += code in UNREADABLE
            if self._unreadable >= MOST_UNREADABLE:
                self._unreadable = 0
                self.file.past_use = True
                self.file.close()
            raise

    def close(self) -> None:
        """Let the file go. Safe to call twice."""
        self.file.close()

    def _commit_all(self, given: list[Record]) -> None:
        writer = self.file.writer
        self._settle(writer)
        part_bytes = min(PART_BYTES, writer.limit_bytes // PARTS_OF_LIMIT)
        for part in parts(self._not_stored(given), part_bytes):
            writer = self._commit_part(part, self.file.current)
            self._stored.update((id(record), record) for record in part)
            self.file.remember(part, writer.totals)
            self._tidy(writer)
        self._stored = {}

    def _commit_part(self, new: list[Record], writer: Writer) -> Writer:
        batch = make_batch(new, self.file.brought)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                writer.commit(batch, effort=attempt)
                break
            except (*ERRORS, Damaged) as error:
                if attempt == ATTEMPTS:
                    raise refusal(self.file.path, error) from error
                writer = self._mend(error, writer, new)
            if not self._not_stored(new):
                break
        return writer

    def _mend(self, error: Exception, writer: Writer, new: list[Record]) -> Writer:
        """
        Do what *error*, met while storing *new*, asks for.

        :raises StoreError: if there is nothing to be done
        """
        path = self.file.path
        if str(error) != self._told:
            self._told = str(error)
            logger.warning("cannot store in %s: %s", path, error)
        code = primary_code(error)
        if code in FULL:
            writer.make_room()
            return writer
        if code in BUSY or not code:
            raise refusal(path, error) from error
        self.file.close()
        if code in DAMAGED:
            return self.file.begin_anew(str(error))
        number = self.file.totals.batch + 1
        self._doubtful = (self.file.generation, number, new)
        writer = self.file.writer
        self._settle(writer)
        return writer

    def _settle(self, writer: Writer) -> None:
        """Find out whether a batch whose commit failed is stored after all."""
        if self._doubtful is not None:
            generation, number, records = self._doubtful
            self._doubtful = None
            found = self.file.generation, writer.totals.batch
            if found == (generation, number):
                self._stored.update((id(record), record) for record in records)

    def _tidy(self, writer: Writer) -> None:
        # What fails here need not be told: the batch is stored. The next one will meet
        # it again.
        try:
            writer.tidy()
        except (*ERRORS, Damaged) as error:
            logger.warning("cannot tidy %s: %s", self.file.path, error)
            self.file.close()

    def _not_stored(self, given: list[Record]) -> list[Record]:
        """Return those of *given* that no doubtful commit has stored."""
        return [record for record in given if id(record) not in self._stored]
