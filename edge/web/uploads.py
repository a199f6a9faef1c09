"""The pictures that people uploaded: unique names, a bounded folder, nothing half."""

import os
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from edge.errors import StoreError
from edge.records import UtcNs
from edge.stamps import stamp

MOST_BYTES = 1_000_000_000
MOST_FILES = 10_000
"""Beyond either the oldest pictures go."""

KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"BM", "bmp"),
    (b"GIF8", "gif"),
    (b"RIFF", "webp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
)
"""First bytes of a picture to the end of its name."""


class Uploads:
    """The folder *path*, made when the first picture comes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pruning = threading.Lock()
        self._syncing = ThreadPoolExecutor(4, "puts a picture on the card")

    @contextmanager
    def keep(self, data: bytes, taken: UtcNs) -> Iterator[str]:
        """
        Keep *data* under a new name while the block runs, and for good if it succeeds.

        The block need not wait for the card: that is done in the meantime, and when
        this ends the picture is on it.

        :raises StoreError: if the picture cannot be written
        """
        name = unique_name(data, taken)
        part = self._path / f"{name}.part"
        try:
            with refused_by_the_card():
                synced = self._syncing.submit(sync, self._write(part, data))
            yield name
            with refused_by_the_card():
                synced.result()
                part.rename(self._path / name)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        self._prune()

    def _write(self, part: Path, data: bytes) -> BinaryIO:
        """Return the new file *part* with *data* in it, still to be synced."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        file = os.fdopen(os.open(part, flags, 0o600), "wb")
        try:
            file.write(data)
            file.flush()
        except OSError:
            with suppress(OSError):
                file.close()
            raise
        return file

    def _prune(self) -> None:
        """Remove the oldest pictures beyond the limits."""
        with self._pruning, suppress(OSError):
            with os.scandir(self._path) as found:
                entries = [(entry.stat(), entry.path) for entry in found]
            entries.sort(key=lambda entry: entry[0].st_mtime_ns, reverse=True)
            total = 0
            for number, (status, path) in enumerate(entries):
                total += status.st_size
                if total > MOST_BYTES or number >= MOST_FILES:
                    Path(path).unlink()


@contextmanager
def refused_by_the_card() -> Iterator[None]:
    """Say what the system refuses as a `StoreError`."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"the picture cannot be kept: {error.strerror}") from error


def sync(file: BinaryIO) -> None:
    """Close *file* once its content is on the card."""
    with file:
        os.fsync(file.fileno())


def unique_name(data: bytes, taken: UtcNs) -> str:
    """Return a file name that says when the picture was taken and what it is."""
    digits = "".join(
        sign for sign in stamp(taken)[:26] if sign.isdigit() or sign == "T"
    )
    kind = next((end for start, end in KINDS if data.startswith(start)), "img")
    return f"{digits}Z-{secrets.token_hex(8)}.{kind}"
