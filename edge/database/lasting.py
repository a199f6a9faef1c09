"""
One database file after another: opened, and begun anew when it is past use.

A file that is damaged, foreign, of a later version or cannot be read any more is set
aside, never deleted. The new one begins with what goes on in it: the last instant, the
ids given so far, the session and the segments that are being recorded.
"""

import logging
from pathlib import Path

from edge.database.ballast import Ballast
from edge.database.batch import make_batch
from edge.database.connections import BUSY, DAMAGED, ERRORS, FULL, primary_code
from edge.database.folder import free_bytes
from edge.database.soundness import salvaged_totals, set_aside, trouble
from edge.database.sums import Damaged
from edge.database.totals import Totals
from edge.database.writer import RESERVE_BYTES, Limits, Writer, write_again
from edge.errors import StoreError
from edge.records import Event, Record, Segment, Session

logger = logging.getLogger(__name__)

LIVE_SEGMENTS = 64
"""Those stated last are known by heart, should the file have to be begun anew."""


class LastingFile:
    """The database at *path*, and those that follow it, for the thread that made it."""

    totals: Totals
    """As of what was stored last; carries over when a file is begun anew."""

    generation: int
    """How many files were begun anew."""

    said: list[str]
    """What a person should know of how it was opened, a sentence each."""

    brought: dict[int, str]
    """The uploaded segments of this run, each with its source."""

    past_use: bool
    """Whether the next opening begins anew."""

    def __init__(self, path: Path, limits: Limits, ballast: Ballast) -> None:
        """
        Open *path*, made if it is not there.

        :raises StoreError: if it can be neither opened nor set aside
        """
        self.path = path
        self.totals = Totals()
        self.generation = 0
        self.said = []
        self.brought = {}
        self.past_use = False
        self._limits = limits
        self._ballast = ballast
        self._session: Session | None = None
        self._segments: dict[int, Segment] = {}
        self._writer: Writer | None = None
        if not ballast.take():
            self.said.append(f"The disk of {path.parent} is nearly full: make room.")
        self._open()

    @property
    def writer(self) -> Writer:
        """
        The writing connection, opened again if it had to be closed.

        :raises StoreError: if it cannot be
        """
        if self._writer is not None and not self._writer.is_in_place():
            logger.warning("%s was removed or replaced", self.path)
            self.close()
        return self.current

    @property
    def current(self) -> Writer:
        """
        The same, without a look at whether the file is still at its path: once a batch
        is enough.

        :raises StoreError: if it had to be opened again and cannot be
        """
        return self._writer or self._open()

    def close(self) -> None:
        """Let the file go; it is opened again when it is next asked for."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def remember(self, stored: list[Record], totals: Totals) -> None:
        """Note *totals* and what a new file would have to know of what was *stored*."""
        self.totals = totals
        for record in stored:
            if isinstance(record, Session):
                self._session = record
            elif isinstance(record, Segment):
                self._segments.pop(record.id, None)
                self._segments[record.id] = record
        while len(self._segments) > LIVE_SEGMENTS:
            del self._segments[next(iter(self._segments))]

    def begin_anew(self, why: str) -> Writer:
        """
        Set the file aside because of *why* and begin a new one, which says so.

        :raises StoreError: if the disk does not let it
        """
        self.close()
        if not self.totals.batch:
            self.totals = salvaged_totals(self.path) or Totals()
        try:
            aside = set_aside(self.path)
            self._writer = Writer(self.path, self._limits, self._ballast)
        except (OSError, *ERRORS) as error:
            raise refusal(self.path, error) from error
        self.past_use = False
        return self._carry_over(
            self._writer,
            f"The database was not sound ({why}): it is kept as {aside.name}, "
            "a new one was begun.",
        )

    def _open(self) -> Writer:
        wrong = trouble(self.path)
        if self.past_use:
            wrong = wrong or "a part of it cannot be read"
        if wrong:
            return self.begin_anew(wrong)
        try:
            writer = self._opened()
        except (OSError, *ERRORS) as error:
            if primary_code(error) not in DAMAGED:
                raise refusal(self.path, error) from error
            return self.begin_anew(str(error))
        except (Damaged, StoreError) as error:
            return self.begin_anew(str(error))
        self._writer = writer
        if writer.totals.batch < self.totals.batch:
            sentence = "The database had gone; a new one was begun."
            return self._carry_over(writer, sentence)
        self.totals = writer.totals
        return writer

    def _opened(self) -> Writer:
        """Return a new connection; the index of its log wants room on the disk, too."""
        try:
            write_again(self.path)
            return Writer(self.path, self._limits, self._ballast)
        except (OSError, *ERRORS):
            nearly_full = free_bytes(self.path.parent) < RESERVE_BYTES
            if not (nearly_full and self._ballast.give_up()):
                raise
        write_again(self.path)
        return Writer(self.path, self._limits, self._ballast)

    def _carry_over(self, writer: Writer, sentence: str) -> Writer:
        """
        Tell the new file what goes on in it: last instant, ids, session, segments.

        :raises StoreError: if the disk does not let it
        """
        logger.warning("%s", sentence)
        self.generation += 1
        old = self.totals
        records: list[Record] = [*self._segments.values()]
        if self._session is None:
            self.said.append(sentence)  # at the start, where the caller tells it
        else:
            at = old.last_box or self._session.started
            records.append(self._session)
            records.append(Event(at, None, "state", "store", sentence))
        carried = Totals(
            last_box=old.last_box, sessions=old.sessions, segments=old.segments
        )
        try:
            writer.begin_with(carried)
            writer.commit(make_batch(records, {}))
        except ERRORS as error:
            self.close()
            raise refusal(self.path, error) from error
        self.totals = writer.totals
        return writer


def refusal(path: Path, error: Exception) -> StoreError:
    """Return the error that says why nothing can be stored, and what mends it."""
    code = primary_code(error)
    if code in FULL:
        mend = "no room is left: free some on its disk"
    elif code in BUSY:
        mend = "another program holds it: close that one"
    else:
        mend = "the disk does not take it: look at its cable, card and system log"
    return StoreError(f"cannot store in {path} ({error}): {mend}")
