"""
A USB drive in memory that can be pulled at any system call and any byte of it.

What was not synced when it was pulled is on the medium, lost, or torn, block by block;
a rename or a deletion that was under way has happened or not. It does not reproduce
damage to the file system itself.
"""

import errno
import random
from collections.abc import Iterator

SECTOR = 512


class Inode:
    """A file: what a program sees, and what the medium holds for sure."""

    def __init__(self, content: bytes = b"") -> None:
        self.seen = bytearray(content)
        self.settled = bytes(content)
        self.readable = len(content)  # less where FAT kept the size, not the clusters


class PulledDrive:
    """
    A `Folder`; pulled at call number *call*, or after *size* bytes were written to it.

    *room* is its capacity in bytes; beyond it come errors, or, if it is *fake*, nothing
    but zeros when it is read.
    """

    def __init__(
        self,
        files: dict[str, bytes] | None = None,
        call: int | None = None,
        size: int | None = None,
        room: int | None = None,
        fake: bool = False,
        read_only: bool = False,
        seed: int = 0,
    ) -> None:
        self.files = {name: Inode(text) for name, text in (files or {}).items()}
        self.calls = 0
        self.written = 0
        self.pulled = False
        self._call = call
        self._size = size
        self._room = room
        self._fake = fake
        self._read_only = read_only
        self._handles: dict[int, tuple[Inode, int]] = {}
        self._random = random.Random(seed)
        self._under_way: tuple[str, str | None] | None = None

    def left(self) -> dict[str, bytes]:
        """Return what is on the medium after it was pulled, by final names."""
        files = dict(self.files)
        if self._under_way and self._random.random() < 0.5:
            old, new = self._under_way
            if new is not None:
                files[new] = files[old]
            files.pop(old, None)
        return {name: self._remains(inode) for name, inode in files.items()}

    def _remains(self, inode: Inode) -> bytes:
        seen, settled = bytes(inode.seen), inode.settled
        if seen == settled or self._random.random() < 0.3:
            return settled
        length = self._random.choice((len(seen), len(settled), len(seen) // 2))
        remains = bytearray(settled[:length].ljust(length, b"\0"))
        for at in range(0, min(length, len(seen)), SECTOR):
            if self._random.random() < 0.7:
                remains[at : at + SECTOR] = seen[at : at + SECTOR]
        return bytes(remains[:length])

    def open(self, name: str) -> int:
        self._step()
        if self._read_only:
            raise OSError(errno.EROFS, "read-only")
        inode = self.files.setdefault(name, Inode())
        handle = max(self._handles, default=2) + 1
        self._handles[handle] = (inode, 0)
        return handle

    def read(self, handle: int, size: int) -> bytes:
        self._step()
        inode, at = self._handles[handle]
        if inode.readable < at + size and inode.readable < len(inode.settled):
            raise OSError(errno.EIO, "request beyond EOF")
        data = bytes(inode.seen[at : at + size])
        self._handles[handle] = (inode, at + len(data))
        return data

    def write(self, handle: int, data: bytes | memoryview) -> int:
        self._step()
        data = bytes(data)
        if self._room is not None and not self._fake:
            data = data[: max(self._room - self.written, 0)]
            if not data:
                raise OSError(errno.ENOSPC, "full")
        if self._size is not None and self.written + len(data) > self._size:
            self._put(handle, data[: self._size - self.written])
            self._pull()
        if self._fake and self._room is not None and self.written > self._room:
            data = bytes(len(data))
        self._put(handle, data)
        return len(data)

    def seek(self, handle: int, offset: int) -> None:
        self._step()
        self._handles[handle] = (self._handles[handle][0], offset)

    def length(self, handle: int) -> int:
        self._step()
        return len(self._handles[handle][0].seen)

    def truncate(self, handle: int, size: int) -> None:
        self._step()
        seen = self._handles[handle][0].seen
        del seen[size:]
        seen.extend(bytes(size - len(seen)))

    def settle(self, handle: int) -> None:
        self._step()
        inode = self._handles[handle][0]
        inode.settled = bytes(inode.seen)
        inode.readable = len(inode.settled)

    def close(self, handle: int) -> None:
        self._handles.pop(handle)

    def names(self) -> list[str]:
        self._step()
        return sorted(self.files)

    def rename(self, old: str, new: str) -> None:
        self._under_way = (old, new)
        self._step()
        self.files[new] = self.files.pop(old)
        self._under_way = None

    def remove(self, name: str) -> None:
        self._under_way = (name, None)
        self._step()
        del self.files[name]
        self._under_way = None

    def _put(self, handle: int, data: bytes) -> None:
        inode, at = self._handles[handle]
        inode.seen[at : at + len(data)] = data
        self._handles[handle] = (inode, at + len(data))
        self.written += len(data)

    def _step(self) -> None:
        if self.pulled or self.calls == self._call:
            self._pull()
        self.calls += 1

    def _pull(self) -> None:
        self.pulled = True
        raise OSError(errno.EIO, "pulled")


def whole(drive: PulledDrive) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a drive that was not pulled."""
    for name, inode in drive.files.items():
        assert bytes(inode.seen) == inode.settled, f"{name} is not settled"
        yield name, inode.settled
