"""What can still be read of a damaged database: every row whose sum is right."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from edge.database.keeping import sound_kept
from edge.database.reading import Reader
from edge.database.rows import segment_of, session_of
from edge.database.sums import Row
from edge.database.tables import TABLES
from edge.errors import StoreError
from edge.records import Record

PAGE_ROWS = 64

MOST_STEP = 8
"""Rows that are stepped over at once where a page cannot be read; a few lie on one."""

MOST_FAILURES = 1 << 16
"""Without one row between them, after which the rest is taken for lost."""


UNKNOWN_HIGHEST = 1 << 40
"""No table has so many rows."""


class Source(NamedTuple):
    """How the rows of one table are asked for, and what they become."""

    columns: str
    tables: str
    build: Callable[[Row], Record]


SOURCES: dict[str, Source] = {
    "sessions": Source(
        "t.id, boot_id, started, offset_ns, version, subject, configuration, crc",
        "sessions AS t",
        session_of,
    ),
    "segments": Source(
        "t.id, session, source, board, leads, gain, baseline, sampling_rate_hz,"
        " checked, stamp, crc",
        "segments AS t",
        segment_of,
    ),
    **{
        kind: Source(table.columns, table.source, table.build)
        for kind, table in TABLES.items()
    },
    "kept_stretches": Source("t.id, begin, until, why", "protected AS t", sound_kept),
}
"""By table, in the order in which a new database wants them."""


class Salvage:
    """The sound rows of the database at *path*."""

    def __init__(self, path: Path) -> None:
        """
        Open what is left of *path*, read-only.

        :raises StoreError: if not even its tables can be found
        """
        self._reader = Reader(path)
        self.failures = 0
        """Questions that met a page that cannot be read."""

    @property
    def damaged(self) -> int:
        """Rows that were found with a wrong sum, and left out."""
        return self._reader.damaged

    def records(self, kind: str) -> Iterator[Record]:
        """Yield the sound records of one table of SOURCES, in the order stored."""
        source = SOURCES[kind]
        query = (
            f"SELECT t.id, {source.columns} FROM {source.tables} WHERE t.id > ?"
            " ORDER BY t.id LIMIT ?"
        )
        for page in self._pages(query, self._highest(kind)):
            yield from self._reader.sound(page, lambda row: source.build(row[1:]))

    def close(self) -> None:
        """Let the file go. Safe to call twice."""
        self._reader.close()

    def _pages(self, query: str, highest: int) -> Iterator[list[Row]]:
        row_id, size, step, failed = 0, PAGE_ROWS, 1, 0
        while row_id < highest and failed < MOST_FAILURES:
            try:
                rows = self._reader.fetch(query, (row_id, size))
            except StoreError:
                self.failures += 1
                failed += 1
                if size > 1:
                    size = 1
                else:
                    row_id += step
                    step = min(2 * step, MOST_STEP)
                continue
            page = [row for row in rows if row_id < number(row) <= highest]
            yield page
            if not rows:
                return
            # An id that has rotted must not lead past the rows behind it.
            row_id = max([row_id + 1, *(number(row) for row in page)])
            size, step, failed = PAGE_ROWS, 1, 0

    def _highest(self, kind: str) -> int:
        """Return an id that no row of *kind* exceeds."""
        try:
            return int(getattr(self._reader.totals(), kind, UNKNOWN_HIGHEST))
        except StoreError:
            return UNKNOWN_HIGHEST


def number(row: Row) -> int:
    """Return the id that *row* begins with, 0 if that has rotted."""
    return row[0] if isinstance(row[0], int) else 0
