"""
A file that has its final name only if every byte of it was read back from the medium.

It is written under another name, synced, dropped from memory, read again, compared and
renamed. What an earlier try left is compared with what should be there and kept as far
as it agrees, so that a try after a pulled drive goes on where that one ended, and
nothing on the drive is believed.
"""

import hashlib
import time
from contextlib import suppress
from typing import NamedTuple, Protocol

from edge.errors import ExportError
from edge.export.folder import Folder, plainly

ASIDE = ".part"
"""Behind the name of a file that is not whole yet."""

FIRST_SETTLE, LARGEST_SETTLE = 128 * 1024, 16 * 1024 * 1024
SETTLED_WITHIN_S = 0.5
"""Bytes between two syncs, twice as many after each that was quick: the progress on a
slow drive is what is on it, and its backlog in memory is small."""

READ_SIZE = 1024 * 1024

OTHER_BYTES = (
    "the drive gave back other bytes than were written to it; it is damaged or smaller "
    "than it says, take another"
)


class PartEntry(NamedTuple):
    """One finished file, as the manifest tells of it."""

    name: str
    size: int  # bytes
    sha256: str


class Writable(Protocol):
    """A file of an export that is being written: a `Part`, or one that is sealed."""

    name: str
    size: int  # bytes so far

    def write(self, data: bytes | bytearray) -> None:
        """Add *data*; raises `ExportError`."""

    def finish(self) -> PartEntry:
        """Return the entry of the file once it is whole; raises `ExportError`."""

    def close(self) -> None:
        """Give up. Safe to repeat."""


class Part:
    """One file of an export that is being written."""

    def __init__(self, folder: Folder, name: str) -> None:
        self.name = name
        self.size = 0
        self._folder = folder
        self._sum = hashlib.sha256()
        self._unsettled = 0
        self._settle_every = FIRST_SETTLE
        with plainly(name):
            there = folder.names()
            if name in there:  # of an earlier try: no longer called whole
                folder.rename(name, name + ASIDE)
            self._handle = folder.open(name + ASIDE)
            left = name in there or name + ASIDE in there
            self._agrees = left and whole_chain(folder, self._handle)
            if left and not self._agrees:
                self.close()
                folder.remove(name + ASIDE)
                self._handle = folder.open(name + ASIDE)

    def write(self, data: bytes | bytearray) -> None:
        """
        Add *data*.

        :raises ExportError: if the drive does not take it
        """
        with plainly(self.name):
            if not (self._agrees and self._found(data)):
                self._add(data)
        self._sum.update(data)
        self.size += len(data)

    def finish(self) -> PartEntry:
        """
        Return the entry of the file once it is whole on the medium under its name.

        :raises ExportError: if the drive fails, or gives back other bytes
        """
        with plainly(self.name):
            self._folder.truncate(self._handle, self.size)
            self._folder.settle(self._handle)
            self._folder.seek(self._handle, 0)
            if read_sum(self._folder, self._handle) != (self.size, self._sum.digest()):
                raise ExportError(f"{self.name}: {OTHER_BYTES}")
            self.close()
            self._folder.rename(self.name + ASIDE, self.name)
        return PartEntry(self.name, self.size, self._sum.hexdigest())

    def close(self) -> None:
        """Give up, leaving what is written for a later try. Safe to repeat."""
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            with suppress(OSError):
                self._folder.close(handle)

    def _found(self, data: bytes | bytearray) -> bool:
        """Return whether *data* is what an earlier try left here; if not, be there."""
        left = memoryview(data)
        while left:
            old = self._folder.read(self._handle, len(left))
            if not old or old != left[: len(old)]:
                self._agrees = False
                self._folder.seek(self._handle, self.size)
                return False
            left = left[len(old) :]
        return True

    def _add(self, data: bytes | bytearray) -> None:
        left = memoryview(data)
        while left:
            room = self._settle_every - self._unsettled
            wrote = self._folder.write(self._handle, left[:room])
            left = left[wrote:]
            self._unsettled += wrote
            if self._unsettled >= self._settle_every:
                self._settle()

    def _settle(self) -> None:
        """Sync, and find out how much may be written before the next time."""
        began = time.monotonic()
        self._folder.settle(self._handle)
        quick = time.monotonic() - began < SETTLED_WITHIN_S
        wanted = self._settle_every * 2 if quick else self._settle_every // 2
        self._settle_every = min(max(wanted, FIRST_SETTLE), LARGEST_SETTLE)
        self._unsettled = 0


def whole_chain(folder: Folder, handle: int) -> bool:
    """
    Return whether the open file can be read to its end, and be at its beginning.

    A FAT drive that was pulled may state a size beyond the clusters that it kept; to
    reach the last byte, all of them are followed.
    """
    if not (length := folder.length(handle)):
        return True
    try:
        folder.seek(handle, length - 1)
        folder.read(handle, 1)
        folder.seek(handle, 0)
    except OSError:
        return False
    return True


def put(folder: Folder, name: str, content: bytes) -> None:
    """
    Write a small file whole or not at all.

    :raises ExportError: if the drive fails
    """
    part = Part(folder, name)
    try:
        part.write(content)
        part.finish()
    finally:
        part.close()


def check_again(folder: Folder, entry: PartEntry) -> None:
    """
    Read a finished file from the medium once more.

    A drive that is smaller than it says overwrites its beginning when it is full.

    :raises ExportError: if it is not what was written
    """
    with plainly(entry.name):
        if entry.name not in folder.names():
            raise ExportError(f"{entry.name}: it is gone from the drive")
        handle = folder.open(entry.name)
        try:
            folder.settle(handle)
            size, found = read_sum(folder, handle)
        finally:
            folder.close(handle)
    if (size, found.hex()) != (entry.size, entry.sha256):
        raise ExportError(f"{entry.name}: {OTHER_BYTES}")


def read_sum(folder: Folder, handle: int) -> tuple[int, bytes]:
    """Return the size and SHA-256 of the open file from its present place on."""
    found = hashlib.sha256()
    size = 0
    while data := folder.read(handle, READ_SIZE):
        found.update(data)
        size += len(data)
    return size, found.digest()
