"""
Commits that ride out what a disk can do: full, failing, damaged, replaced.

* Full: the ballast is given up, the ring lives in the file as large as it is.
* Failed read, write or sync: the connection is never used again; the log is written
  anew, the file opened anew, and the batch, whose outcome may be unknown, looked for.
* Damaged: the file is set aside, a new one begun, with the session and the segments
  that are being recorded in it.
"""

import logging
from pathlib import Path

from edge.database.ballast import Ballast
from edge.database.batch import make_batch, parts
from edge.database.connections import BUSY, DAMAGED, ERRORS, FULL, primary_code
from edge.database.soundness import salvaged_totals, set_aside, trouble
from edge.database.sums import Damaged
from edge.database.totals import Totals
from edge.database.writer import Limits, Writer, write_again
from edge.errors import StoreError
from edge.records import Event, Record, Segment, Session

logger = logging.getLogger(__name__)

ATTEMPTS = 4
"""Of one batch, each after something was mended."""

PART_BYTES = 2 << 20
"""Given at once beyond this is stored in several transactions: a backlog."""

PARTS_OF_LIMIT = 8
"""A transaction takes at most this part of the file, so that the ring can turn."""

LIVE_SEGMENTS = 64
"""The newest ones are known by heart, should the file have to be begun anew."""


class SteadyWriter:
    """The database at *path*, written whatever happens, for the thread that made it."""

    totals: Totals
    """As of what was stored last; carries over when a file is begun anew."""

    def __init__(self, path: Path, limits: Limits, ballast: Ballast) -> None:
        """
        Open *path*; `said` is what a person should know of it, a sentence each.

        :raises StoreError: if it can be neither opened nor set aside
        """
        self.path = path
        self.said: list[str] = []
        self.totals = Totals()
        self._limits = limits
        self._ballast = ballast
        self._session: Session | None = None
        self._segments: dict[int, Segment] = {}
        self._doubtful: tuple[int, list[Record]] | None = None
        self._stored: dict[int, Record] = {}
        self._writer: Writer | None = None
        if not ballast.take():
            self.said.append(f"The disk of {path.parent} is nearly full: make room.")
        wrong = trouble(path)
        if wrong:
            self.totals = salvaged_totals(path) or Totals()
            self._begin_anew(wrong)
        self._brought = self.writer.brought_segments()

    @property
    def writer(self) -> Writer:
        """
        The writing connection, opened again if it had to be closed.

        :raises StoreError: if it cannot be
        """
        if self._writer is not None and not self._writer.is_in_place():
            logger.warning("%s was removed or replaced", self.path)
            self.close()
        return self._writer or self._open()

    def commit(self, given: list[Record]) -> None:
        """
        Store *given*, in one transaction if it is not unusually much.

        :raises StoreError: if not all of it is stored; what is stays known until the
            next time, and is not stored twice
        """
        writer = self.writer  # settles what was doubtful before it is asked below
        part_bytes = min(PART_BYTES, writer.limit_bytes // PARTS_OF_LIMIT)
        for part in parts(self._not_stored(given), part_bytes):
            writer = self._commit_part(part)
            self._stored.update((id(record), record) for record in part)
            self.totals = writer.totals
            self._remember(part)
            self._tidy(writer)
        self._stored = {}

    def _commit_part(self, new: list[Record]) -> Writer:
        batch = make_batch(new, self._brought)
        writer = self.writer
        for attempt in range(1, ATTEMPTS + 1):
            try:
                writer.commit(batch, effort=attempt)
                break
            except ERRORS as error:
                if attempt == ATTEMPTS:
                    raise self.refusal(error) from error
                self._mend(error, new)
            writer = self.writer
            if not self._not_stored(new):
                break
        return writer

    def _tidy(self, writer: Writer) -> None:
        # What fails here need not be told: the batch is stored. The next one will meet
        # it again.
        try:
            writer.tidy()
        except ERRORS as error:
            logger.warning("cannot move the log into %s: %s", self.path, error)
            self.close()

    def refusal(self, error: Exception) -> StoreError:
        """Return the error that says why nothing can be stored, and what mends it."""
        code = primary_code(error)
        if code in FULL:
            mend = "no room is left: free some on its disk, or release protected hours"
        elif code in BUSY:
            mend = "another program holds it: close that one"
        else:
            mend = "the disk does not take it: look at its cable, card and system log"
        return StoreError(f"cannot store in {self.path} ({error}): {mend}")

    def close(self) -> None:
        """Let the file go. Safe to call twice."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _mend(self, error: Exception, new: list[Record]) -> None:
        """
        Do what *error*, met while storing *new*, asks for.

        :raises StoreError: if there is nothing to be done
        """
        logger.warning("cannot store in %s: %s", self.path, error)
        code = primary_code(error)
        if code in FULL:
            self.writer.make_room()
            return
        if code in BUSY or not code:
            raise self.refusal(error) from error
        committing = self._writer is not None and self._writer.committing
        self.close()
        if code in DAMAGED:
            self._begin_anew(str(error))
        else:
            if committing:
                self._doubtful = (self.totals.batch + 1, new)
            self._open()

    def _open(self) -> Writer:
        """
        Open the file, or begin it anew if that is what it takes.

        :raises StoreError: if the disk does not let it
        """
        try:
            write_again(self.path)
            self._writer = Writer(self.path, self._limits, self._ballast)
        except ERRORS as error:
            if primary_code(error) not in DAMAGED:
                raise self.refusal(error) from error
            return self._begin_anew(str(error))
        except (Damaged, StoreError) as error:
            return self._begin_anew(str(error))
        except OSError as error:
            raise self.refusal(error) from error
        self._settle(self._writer.totals)
        if self._writer.totals.batch < self.totals.batch:
            self._carry_over("The database had gone; a new one was begun.")
        self.totals = self._writer.totals
        return self._writer

    def _settle(self, found: Totals) -> None:
        """Find out whether a batch whose commit failed is stored after all."""
        if self._doubtful is not None:
            number, records = self._doubtful
            self._doubtful = None
            if found.batch == number:
                self._stored.update((id(record), record) for record in records)

    def _begin_anew(self, why: str) -> Writer:
        """
        Set the file aside and begin a new one, which says so.

        :raises StoreError: if the disk does not let it
        """
        self._doubtful = None
        try:
            aside = set_aside(self.path)
            self._writer = Writer(self.path, self._limits, self._ballast)
        except (OSError, *ERRORS) as error:
            raise self.refusal(error) from error
        self._carry_over(
            f"The database was not sound ({why}): it is kept as {aside.name}, "
            "a new one was begun."
        )
        self.totals = self._writer.totals
        return self._writer

    def _carry_over(self, sentence: str) -> None:
        """
        Tell the new file what goes on in it: last instant, ids, session, segments.

        :raises StoreError: if the disk does not let it
        """
        logger.warning("%s", sentence)
        writer, old = self._writer, self.totals
        assert writer is not None
        records: list[Record] = [*self._segments.values()]
        if self._session is None:
            self.said.append(sentence)  # at the start, where the caller tells it
        else:
            at = old.last_box or self._session.started
            event = Event(at, None, "state", "store", sentence)
            records += [self._session, event]
        carried = Totals(
            last_box=old.last_box, sessions=old.sessions, segments=old.segments
        )
        try:
            writer.begin_with(carried)
            writer.commit(make_batch(records, {}))
        except ERRORS as error:
            self.close()
            raise self.refusal(error) from error

    def _not_stored(self, given: list[Record]) -> list[Record]:
        """Return those of *given* that no doubtful commit has stored."""
        return [record for record in given if id(record) not in self._stored]

    def _remember(self, stored: list[Record]) -> None:
        """Note what a new file would have to know of what was *stored*."""
        for record in stored:
            if isinstance(record, Session):
                self._session = record
            elif isinstance(record, Segment):
                self._segments[record.id] = record
        while len(self._segments) > LIVE_SEGMENTS:
            del self._segments[min(self._segments)]
