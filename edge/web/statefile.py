"""Small JSON files of the page's own: read when they changed, replaced whole."""

import fcntl
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import StoreError

logger = logging.getLogger(__name__)

Table = dict[str, dict[str, object]]


class StateFile:
    """
    A JSON object of objects in the file *path*, readable by its owner alone.

    Another process may replace the file at any time; the next `read` sees it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        """Hold it from a read to the write that follows from it; see `alone`."""
        self._seen: tuple[int, int, int] | None = None
        self._table: Table = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """
        Keep other processes too from a change between a read and its write.

        Not within itself: the second would wait for the first.

        :raises StoreError: if the folder cannot be made or opened
        """
        with self.lock:
            try:
                make_folder(self.path.parent)
                folder = open_folder(self.path.parent)
            except OSError as error:
                raise unwritable(self.path, error) from error
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                yield
            finally:
                os.close(folder)

    def read(self) -> Table:
        """
        Return the content, empty where there is no file. Not to be changed.

        :raises StoreError: if the file is damaged: a lost list of accounts must not
            look like a box that nobody has taken into use
        """
        with self.lock:
            try:
                status = self.path.stat()
            except FileNotFoundError:
                if self._seen is not None:  # else it was kept in memory, or never was
                    self._seen, self._table = None, {}
                return self._table
            except OSError as error:
                raise unreadable(self.path, error, "use sudo") from error
            mark = (status.st_mtime_ns, status.st_size, status.st_ino)
            if mark != self._seen:
                self._table = parse(self.path)
                self._seen = mark
            return self._table

    def write(self, table: Table) -> None:
        """
        Replace the content; after a crash it is the old one or the new one.

        :raises StoreError: if it cannot be written
        """
        data = json.dumps(table, indent=1).encode()
        with self.lock:
            try:
                make_folder(self.path.parent)
                replace_whole(self.path, data)
            except OSError as error:
                raise unwritable(self.path, error) from error

    def keep(self, table: Table) -> None:
        """
        Replace the content, for this process alone while the card does not take it.

        For what must go on with a full disk, and may be lost with the page.
        """
        with self.lock:
            try:
                self.write(table)
            except StoreError as error:
                logger.warning("%s", error)
                self._table = table


def parse(path: Path) -> Table:
    """
    Return the table in the file *path*.

    :raises StoreError: if it is none
    """
    try:
        table = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise unreadable(path, error, "set it aside") from error
    if not isinstance(table, dict) or not all(
        isinstance(entry, dict) for entry in table.values()
    ):
        raise StoreError(f"{path} is damaged; set it aside")
    return table


def unreadable(path: Path, error: Exception, mend: str) -> StoreError:
    """Return what is said of a file *path* that cannot be read."""
    return StoreError(f"{path} cannot be read ({error}); {mend}")


def unwritable(path: Path, error: Exception) -> StoreError:
    """Return what is said of a file *path* that cannot be written."""
    return StoreError(f"cannot write {path}: {error}")


def make_folder(path: Path) -> None:
    """Make the folder *path*, for its owner alone, where it is not there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def open_folder(path: Path) -> int:
    """Return a handle on the folder *path*, which must not be a link."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def replace_whole(path: Path, data: bytes) -> None:
    """
    Put *data* on the card in place of the file *path*; as root, for the owner of its
    folder. No link is followed there: that owner could have laid it for root.
    """
    folder = open_folder(path.parent)
    try:
        part = path.with_suffix(".part").name
        with suppress(FileNotFoundError):
            os.unlink(part, dir_fd=folder)
        write_new(folder, part, data)
        os.replace(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def write_new(folder: int, name: str, data: bytes) -> None:
    """Write the file *name*, which is not there yet, in the open *folder*."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
        if os.geteuid() == 0:
            owner = os.fstat(folder)
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
