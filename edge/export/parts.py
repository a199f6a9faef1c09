"""One table, or any stream of blocks, in numbered files below a size."""

from collections.abc import Callable
from typing import NamedTuple

from edge.export.part import Part, PartEntry

LARGEST_PART = 4 * 1024**3 - 1024**2
"""Bytes. FAT32 ends a file one byte below 4 GiB; the rest is for a last block."""


class TablePart(NamedTuple):
    """One finished file of a table, as the manifest tells of it."""

    file: PartEntry
    rows: int


class Parts:
    """
    The files of one table: ``ecg.csv``, ``ecg-002.csv``, …, each with the header.

    *begin* starts a file of the given name. A block is never torn, so *limit* has to
    be larger than header and block.
    """

    def __init__(
        self,
        begin: Callable[[str], Part],
        name: str,
        ending: str,
        header: bytes,
        limit: int = LARGEST_PART,
    ) -> None:
        self._begin = begin
        self._name = name
        self._ending = ending
        self._header = header
        self._limit = limit
        self._done: list[TablePart] = []
        self._part = self._next()
        self._rows = 0

    def write(self, text: bytes, rows: int) -> None:
        """
        Add *text*, which is whole *rows*.

        :raises ExportError: if the drive does not take it
        """
        if self._rows and self._part.size + len(text) > self._limit:
            self._done.append(TablePart(self._part.finish(), self._rows))
            self._part = self._next()
            self._rows = 0
        self._part.write(text)
        self._rows += rows

    def finish(self) -> list[TablePart]:
        """
        Return the entries of all files once they are whole.

        :raises ExportError: if the drive fails
        """
        self._done.append(TablePart(self._part.finish(), self._rows))
        return self._done

    def close(self) -> None:
        """Give up, leaving what is written for a later try. Safe to repeat."""
        self._part.close()

    def _next(self) -> Part:
        number = len(self._done) + 1
        suffix = f"-{number:03}" if number > 1 else ""
        part = self._begin(f"{self._name}{suffix}{self._ending}")
        part.write(self._header)
        return part
