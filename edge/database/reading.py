"""Questions to a database that is only read: short, checked, in our own errors."""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from edge.database.connections import ERRORS, is_damage, open_reader
from edge.database.schema import VERSION, later, version
from edge.database.sums import Damaged, Row
from edge.database.totals import Totals, read_totals
from edge.errors import StoreDamaged, StoreError

logger = logging.getLogger(__name__)

R = TypeVar("R")


class Reader:
    """A connection that can only read the recording at *path*, for one thread."""

    def __init__(self, path: Path) -> None:
        """
        Open the recording at *path*.

        :raises StoreError: if there is none, or it is not one that can be read
        """
        self.path = path
        self._damaged: set[int] = set()
        try:
            self._connection = open_reader(path)
        except (OSError, *ERRORS) as error:
            mend = "; try it with sudo" if isinstance(error, PermissionError) else ""
            kind = kind_of(error)
            raise kind(f"no recording to read at {path}: {error}{mend}") from error
        try:
            found = self._ask(lambda: version(self._connection))
            if found > VERSION:
                raise StoreError(f"{path} was {later(found)}")
            if found < VERSION:
                raise StoreError(
                    f"{path} has schema {found}, this program reads {VERSION}: "
                    "start the recorder once, it brings an older one up to date"
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the file go. Safe to call twice."""
        self._connection.close()

    def totals(self) -> Totals:
        """
        Return how much was saved so far.

        :raises StoreError: if that cannot be read
        """
        return self._ask(lambda: read_totals(self._connection))

    @property
    def damaged(self) -> int:
        """How many rows were left out so far because their sum is wrong."""
        return len(self._damaged)

    def fetch(self, query: str, values: tuple[object, ...] = ()) -> list[Row]:
        """
        Return all rows of *query*, one transaction.

        :raises StoreError: if they cannot be read
        """

        def rows() -> list[Row]:
            return self._connection.execute(query, values).fetchall()

        try:
            return rows()
        except sqlite3.OperationalError as error:
            if "decode" in str(error):
                # A bit of a text has rotted: its row's sum will tell, not this.
                self._connection.text_factory = decoded
        except ERRORS:
            pass  # asked again below, where it is told
        return self._ask(rows)

    def sound(self, rows: Iterable[Row], build: Callable[[Row], R]) -> Iterator[R]:
        """Yield what *build* makes of *rows*, without those whose sum is wrong."""
        for row in rows:
            try:
                yield build(row)
            except Damaged:
                if not self._damaged:
                    logger.warning("damaged rows of %s are left out", self.path)
                self._damaged.add(hash(row))  # the next pass meets it again

    def _ask(self, question: Callable[[], R]) -> R:
        try:
            return question()
        except (*ERRORS, Damaged) as error:
            kind = kind_of(error)
            raise kind(f"cannot read {self.path}: {error}") from error


def kind_of(error: Exception) -> type[StoreError]:
    """Return as what *error* is told."""
    reached = isinstance(error, OSError) or not is_damage(error)
    return StoreError if reached else StoreDamaged


def decoded(data: bytes) -> str:
    """Return the text that *data* holds, with marks where it is none."""
    return data.decode(errors="replace")
