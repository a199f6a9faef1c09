"""Where the writers of an export put their files, and what came of it."""

import sys
from collections.abc import Callable
from typing import NamedTuple

from edge.errors import ExportError
from edge.export.folder import Folder
from edge.export.part import Part, PartEntry, Writable
from edge.export.tables import Table
from edge.records import BoxNs

LARGEST_PART = 4 * 1024**3 - 1024**2
"""Bytes. FAT32 ends a file one byte below 4 GiB; the rest is for a last block."""


class Written(NamedTuple):
    """One finished file."""

    file: PartEntry
    about: str  # one sentence for the manifest and the data dictionary
    rows: int | None  # without the header; None where it is no table


Make = Callable[[str], Writable]
"""Begins the file of a name; raises `ExportError` if it cannot."""


def files_in(folder: Folder, key: str = "") -> Make:
    """
    Return what begins files in *folder*, sealed to *key* if it is a public key of age.

    :raises ExportError: if sealing needs a package that is not installed
    """
    if not key:
        return lambda name: Part(folder, name)
    try:
        from edge.export.sealed import SealedPart
    except ImportError as error:
        raise ExportError(
            f"sealing needs the package {error.name}, which is not installed: "
            f"{sys.executable} -m pip install 'ecg-pose-edge[sealed]'"
        ) from error
    return lambda name: SealedPart(folder, name, key)


class Output:
    """
    The files of one export, made by *make*.

    *reached* is told the stage and how far in box time a writer has come in it after
    each block, and may raise to end the export.
    """

    def __init__(
        self,
        make: Make,
        reached: Callable[[str, BoxNs], None] = lambda stage, until: None,
        limit: int = LARGEST_PART,
    ) -> None:
        self.limit = limit
        self.written: list[Written] = []
        self.tables: list[Table] = []
        self.remarks: list[str] = []
        self._make = make
        self._reached = reached
        self._stage = ""
        self._open: list[Writable] = []

    @property
    def size(self) -> int:
        """Bytes so far."""
        done = sum(written.file.size for written in self.written)
        return done + sum(part.size for part in self._open)

    @property
    def file(self) -> str:
        """The name of the file that is being written, "" if none is."""
        return self._open[-1].name if self._open else ""

    def stage(self, name: str) -> None:
        """Say which pass through the stretch begins."""
        self._stage = name

    def reached(self, until: BoxNs) -> None:
        """Say how far the pass has come."""
        self._reached(self._stage, until)

    def described(self, table: Table) -> None:
        """Put *table* into the data dictionary."""
        self.tables.append(table)

    def remark(self, sentence: str) -> None:
        """Put *sentence* about what is not in the files into the manifest."""
        self.remarks.append(sentence)

    def begin(self, name: str) -> Writable:
        """
        Return the file *name*, to be written and given to `finish`.

        :raises ExportError: if it cannot be made
        """
        part = self._make(name)
        self._open.append(part)
        return part

    def finish(self, part: Writable, about: str, rows: int | None = None) -> None:
        """
        Keep *part* once every byte of it was read back.

        :raises ExportError: if the drive fails, or gives back other bytes
        """
        self.written.append(Written(part.finish(), about, rows))
        self._open.remove(part)

    def close(self) -> None:
        """Let go of what is not finished. Safe to repeat."""
        for part in self._open:
            part.close()
        self._open.clear()


class TableOutput:
    """
    One table in files below a size: ``ecg.csv``, ``ecg-002.csv``, …

    Each begins with the header. A block is never torn, so the limit of *output* has to
    be larger than a header and a block.
    """

    def __init__(self, output: Output, name: str, header: bytes, about: str) -> None:
        self._output = output
        self._name = name
        self._header = header
        self._about = about
        self._files = 0
        self._begin()

    def write(self, text: bytes | bytearray, rows: int, until: BoxNs) -> None:
        """
        Add *text*, which is whole *rows* that reach *until*.

        :raises ExportError: if the drive does not take it
        """
        if self._rows and self._part.size + len(text) > self._output.limit:
            self.finish()
            self._begin()
        self._part.write(text)
        self._rows += rows
        self._output.reached(until)

    def finish(self) -> None:
        """
        Keep the last file once every byte of it was read back.

        :raises ExportError: if the drive fails, or gives back other bytes
        """
        self._output.finish(self._part, self._about, self._rows)

    def _begin(self) -> None:
        self._files += 1
        self._rows = 0
        number = f"-{self._files:03}" if self._files > 1 else ""
        self._part = self._output.begin(f"{self._name}{number}.csv")
        self._part.write(self._header)
