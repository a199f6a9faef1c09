"""
An export as one ZIP file that is sent while it is made, for a browser.

The memory it takes does not grow: a thread makes pieces, a few at a time, and waits
until they are taken.
"""

import hashlib
import queue
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

from edge.errors import EdgeError, ExportError
from edge.export import manifest
from edge.export.job import fill
from edge.export.output import Output
from edge.export.part import PartEntry
from edge.export.recording import Recording
from edge.export.request import Request
from edge.history import History
from edge.records import UtcNs

WAITING_PIECES = 8
"""Of up to about 2 MB each."""

LOOK_EVERY_S = 0.2
COMPRESSION = 1
"""The fastest: tables shrink to a fifth, and the processor is the recorder's."""


Piece = bytes | EdgeError | None
"""Some bytes, what went wrong, or the end."""


def archive(database: Path, request: Request, made: UtcNs) -> Iterator[bytes]:
    """
    Yield the pieces of a ZIP file with the export that *request* asks for.

    Closing the iterator ends the work.

    :raises ExportError: if a format cannot be written
    :raises StoreError: if the recording cannot be read
    """
    pieces = Pieces()
    maker = threading.Thread(
        target=make, args=(database, request, made, pieces), name="archive", daemon=True
    )
    maker.start()
    try:
        yield from pieces.taken()
    finally:
        pieces.gone.set()
        maker.join()


class Pieces:
    """What was made and not taken yet; a file object for `zipfile`."""

    def __init__(self) -> None:
        self.gone = threading.Event()  # nobody takes any more
        self._pieces: queue.Queue[bytes | EdgeError | None] = queue.Queue(
            WAITING_PIECES
        )

    def write(self, data: bytes) -> int:
        """
        Add *data*, when there is room.

        :raises ExportError: if nobody takes it any more
        """
        self.put(bytes(data))
        return len(data)

    def put(self, piece: Piece) -> None:
        """Add a piece, an error that ends them, or None at their end."""
        while not self.gone.is_set():
            try:
                self._pieces.put(piece, timeout=LOOK_EVERY_S)
            except queue.Full:
                continue
            return
        raise ExportError("the download was given up")

    def flush(self) -> None:
        """Do nothing: pieces are taken as they come."""

    def close(self) -> None:
        """Do nothing: whoever puts the pieces ends them."""

    def taken(self) -> Iterator[bytes]:
        """Yield the pieces as they come."""
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, EdgeError):
                raise piece
            yield piece


def make(database: Path, request: Request, made: UtcNs, pieces: Pieces) -> None:
    """Put the whole archive into *pieces*, or the error that ended it."""
    try:
        with zipfile.ZipFile(
            pieces, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION
        ) as target:
            write_all(database, request, made, target)
        pieces.put(None)
    except EdgeError as error:
        if not pieces.gone.is_set():
            pieces.put(error)


def write_all(
    database: Path, request: Request, made: UtcNs, target: zipfile.ZipFile
) -> None:
    """Write all files of an export to *target*."""
    output = Output(lambda name: Member(target, name))
    with History(database) as history:
        recording = Recording(history, request.begin, request.end, request.veil)
        try:
            said = fill(recording, output, request, made)
        finally:
            output.close()
    about = manifest.dictionary(output.tables, output.written)
    text = manifest.as_text(said)
    sums = {file.file.name: file.file.sha256 for file in output.written}
    for name, content in ((manifest.DICTIONARY, about), (manifest.NAME, text)):
        sums[name] = hashlib.sha256(content).hexdigest()
        target.writestr(name, content)
    target.writestr(manifest.SUMS, manifest.sums(sums))


class Member:
    """A file of the archive that is being written; there is one at a time."""

    def __init__(self, target: zipfile.ZipFile, name: str) -> None:
        self.name = name
        self.size = 0
        self._sum = hashlib.sha256()
        about = zipfile.ZipInfo(name)
        about.compress_type = zipfile.ZIP_DEFLATED
        about.external_attr = 0o644 << 16
        self._file = target.open(about, "w", force_zip64=True)

    def write(self, data: bytes | bytearray) -> None:
        """
        Add *data*.

        :raises ExportError: if nobody takes the archive any more
        """
        self._file.write(data)
        self._sum.update(data)
        self.size += len(data)

    def finish(self) -> PartEntry:
        """Return the entry of the file."""
        self._file.close()
        return PartEntry(self.name, self.size, self._sum.hexdigest())

    def close(self) -> None:
        """Give up. Safe to repeat."""
        self._file.close()
