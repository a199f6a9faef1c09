"""
Files that only the holder of a key can read: the age format (age-encryption.org/v1),
written by pyrage as the data come, so that nothing readable touches the drive.

The same text is sealed differently each time, so a try that was interrupted begins
again with the file it was at.
"""

import os
import threading
from contextlib import suppress

import pyrage

from edge.errors import ExportError
from edge.export.folder import Folder
from edge.export.part import Part, PartEntry

ENDING = ".age"


class SealedPart:
    """A `Part` whose bytes are sealed to the public key *recipient* on their way."""

    def __init__(self, folder: Folder, name: str, recipient: str) -> None:
        """
        Begin the file *name* with the format's ending.

        :raises ExportError: if it cannot be made, or *recipient* is no age key
        """
        self.name = name + ENDING
        self.size = 0
        try:
            to = pyrage.x25519.Recipient.from_str(recipient)
        except pyrage.RecipientError as error:
            raise ExportError(
                f"{recipient!r} is no public key of age: {error}"
            ) from error
        self._part = Part(folder, self.name)
        self._failure: Exception | None = None
        reader, self._pipe = os.pipe()
        self._thread = threading.Thread(
            target=self._seal, args=(reader, to), name="seal", daemon=True
        )
        self._thread.start()

    def write(self, data: bytes | bytearray) -> None:
        """
        Add *data*.

        :raises ExportError: if the drive does not take it
        """
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._pipe, left) :]
        except BrokenPipeError:
            self._end()
        self.size = self._part.size

    def finish(self) -> PartEntry:
        """
        Return the entry of the sealed file once it is whole on the medium.

        :raises ExportError: if the drive fails, or gives back other bytes
        """
        self._end()
        return self._part.finish()

    def close(self) -> None:
        """Give up. Safe to repeat."""
        with suppress(ExportError):
            self._end()
        self._part.close()

    def _seal(self, reader: int, to: object) -> None:
        sink = Sink(self._part)
        with os.fdopen(reader, "rb") as plain:
            try:
                pyrage.encrypt_io(plain, sink, [to])
            except (ExportError, pyrage.EncryptError, OSError) as error:
                self._failure = sink.failure or error

    def _end(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        self._thread.join()
        if isinstance(self._failure, ExportError):
            raise self._failure
        if self._failure:
            raise ExportError(f"{self.name}: {self._failure}") from self._failure


class Sink:
    """What pyrage writes to; remembers our own error, which it passes on as its."""

    def __init__(self, part: Part) -> None:
        self.failure: ExportError | None = None
        self._part = part

    def write(self, data: bytes) -> int:
        """Add *data*."""
        try:
            self._part.write(data)
        except ExportError as error:
            self.failure = error
            raise
        return len(data)

    def flush(self) -> None:
        """Do nothing: the part syncs itself."""
