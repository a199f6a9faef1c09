"""
The folder an export is written into: every system call it makes there, in one place.

A folder is held open from the moment it was checked. All names are relative to that
handle, so that a drive which was pulled, or mounted over, makes errors and never a file
elsewhere. Tests put a folder that fails in its place.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, Self

from edge.errors import ExportError

GONE = (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ESTALE, errno.EBADF)
"""What the kernel answers for a drive that was pulled, by file system."""

WORDS: dict[int, str] = {
    errno.ENOSPC: "the drive is full; free some room or take a larger one",
    errno.EDQUOT: "the drive is full; free some room or take a larger one",
    errno.EROFS: "the drive is read-only; look for a switch on it, or check it on a PC",
    errno.EFBIG: "the drive cannot hold a file of this size; choose smaller parts",
    errno.ENOTDIR: "a file is in the way; choose another folder",
    errno.EACCES: "writing there is not allowed; choose another folder",
    errno.EPERM: "writing there is not allowed; choose another folder",
} | dict.fromkeys(GONE, "the drive was removed or does not answer; insert it again")

BUSY = (
    "another export is being written there; wait for its end, or choose another folder"
)


@contextmanager
def plainly(name: str) -> Iterator[None]:
    """
    Turn the operating system's errors into sentences about the file *name*.

    :raises ExportError: for every `OSError`
    """
    try:
        yield
    except ExportError:
        raise
    except OSError as error:
        number = error.errno or errno.EIO
        words = WORDS.get(number) or os.strerror(number)
        raise failure(number, f"{name}: {words}") from error


def failure(number: int, sentence: str) -> ExportError:
    """Return the error that says *sentence*, with *number* for programs."""
    error = ExportError(sentence)
    error.errno = number
    return error


class Folder(Protocol):
    """What an export needs of the place it is written to. All may raise `OSError`."""

    def open(self, name: str) -> int:
        """Return a handle on *name* at its beginning, made empty if it is not there."""

    def read(self, handle: int, size: int) -> bytes:
        """Return up to *size* bytes and move on; none at the end."""

    def write(self, handle: int, data: bytes | memoryview) -> int:
        """Write some of *data* at the handle's place, and return how many bytes."""

    def seek(self, handle: int, offset: int) -> None:
        """Go to *offset*."""

    def length(self, handle: int) -> int:
        """Return the size of the file in bytes, as the drive states it."""

    def truncate(self, handle: int, size: int) -> None:
        """Cut the file to *size* bytes."""

    def settle(self, handle: int) -> None:
        """Return when the bytes are on the medium and forgotten in memory."""

    def close(self, handle: int) -> None:
        """Give the handle back."""

    def names(self) -> list[str]:
        """Return what is there."""

    def rename(self, old: str, new: str) -> None:
        """Return when *old* is called *new* on the medium, in place of any before."""

    def remove(self, name: str) -> None:
        """Return when *name* is gone from the medium."""


class DiskFolder:
    """A real folder, held open."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._device = os.fstat(handle).st_dev

    @classmethod
    def at(cls, path: Path) -> Self:
        """
        Return the folder *path*, made if its parent is there.

        :raises ExportError: if it cannot be made or opened
        """
        with plainly(str(path)):
            if not path.parent.exists():
                raise ExportError(f"{path}: make the folder {path.parent} first")
            with suppress(FileExistsError):
                path.mkdir()
            return cls(os.open(path, os.O_RDONLY | os.O_DIRECTORY))

    def within(self, name: str) -> Self:
        """
        Return the folder *name* in this one, made if needed, on the same drive.

        :raises ExportError: if it cannot be made or opened, or is another drive's
        """
        with plainly(name):
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=self._handle)
                os.fsync(self._handle)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            inner = type(self)(os.open(name, flags, dir_fd=self._handle))
        if inner._device != self._device:
            inner.release()
            raise ExportError(f"{name}: something else is mounted there")
        return inner

    def hold(self) -> None:
        """
        Keep other exports out of the folder until it is released.

        :raises ExportError: if one is being written there
        """
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if isinstance(error, BlockingIOError):  # others: it knows no locks
                raise failure(errno.EBUSY, BUSY) from error

    def open(self, name: str) -> int:
        """Open or make *name*, which must be a plain file on this drive."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(name, flags, 0o644, dir_fd=self._handle)
        if os.fstat(handle).st_dev != self._device:
            os.close(handle)
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name)
        return handle

    def read(self, handle: int, size: int) -> bytes:
        return os.read(handle, size)

    def write(self, handle: int, data: bytes | memoryview) -> int:
        return os.write(handle, data)

    def seek(self, handle: int, offset: int) -> None:
        os.lseek(handle, offset, os.SEEK_SET)

    def length(self, handle: int) -> int:
        return os.fstat(handle).st_size

    def truncate(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)

    def settle(self, handle: int) -> None:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self, handle: int) -> None:
        os.close(handle)

    def names(self) -> list[str]:
        with os.scandir(self._handle) as entries:
            return sorted(entry.name for entry in entries)

    def rename(self, old: str, new: str) -> None:
        # FAT gives the new name no bytes until the file itself is synced once more
        # (Linux, vfat_rename): the folder alone would keep a whole but empty file.
        handle = os.open(old, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._handle)
        try:
            os.rename(old, new, src_dir_fd=self._handle, dst_dir_fd=self._handle)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.fsync(self._handle)

    def remove(self, name: str) -> None:
        os.unlink(name, dir_fd=self._handle)
        os.fsync(self._handle)

    def release(self) -> None:
        """Let go of the folder, so that its drive can be unmounted. Safe to repeat."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()
