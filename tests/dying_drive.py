"""
A drive as a FUSE file system that dies after so many bytes: its process exits, as if
the drive were pulled. What was not synced by then is lost, and as on FAT a renamed
file is empty on the medium until it is synced again itself.

    python dying_drive.py MOUNTPOINT MEDIUM BYTES BYTES_PER_S [fake]

MEDIUM is a folder that keeps what was synced: a name that a file had is on it until
the folder is synced. 0 bytes: it lives on. A fake one keeps nothing but zeros. It has
one folder, no owners and no dates.
"""

import errno
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import mfusepy as fuse


class Dying(fuse.Operations):  # type: ignore[misc]
    """Files in memory; `fsync` puts them on the medium."""

    use_ns = True

    def __init__(self, medium: Path, life: int, rate: float, fake: bool) -> None:
        self.medium = medium
        self.life = life
        self.rate = rate
        self.fake = fake
        self.former: list[str] = []
        self.files = {p.name: bytearray(p.read_bytes()) for p in medium.iterdir()}
        self.written = 0

    def content(self, path: str) -> bytearray:
        try:
            return self.files[path[1:]]
        except KeyError:
            raise fuse.FuseOSError(errno.ENOENT) from None

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        size = len(self.content(path))
        return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": size}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *self.files]

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self.files[path[1:]] = bytearray()
        return 0

    def open(self, path: str, flags: int) -> int:
        self.content(path)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self.content(path)[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        if self.rate:
            time.sleep(len(data) / self.rate)
        self.written += len(data)
        if self.life and self.written > self.life:
            os._exit(1)
        content = self.content(path)
        content.extend(bytes(max(offset - len(content), 0)))
        kept = bytes(len(data)) if self.fake else data
        content[offset : offset + len(data)] = kept
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        content = self.content(path)
        del content[length:]
        content.extend(bytes(length - len(content)))

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        (self.medium / path[1:]).write_bytes(self.content(path))
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        for name in self.former:
            if name not in self.files:
                (self.medium / name).unlink(missing_ok=True)
        self.former.clear()
        return 0

    def rename(self, old: str, new: str, flags: int = 0) -> int:
        self.files[new[1:]] = self.files.pop(old[1:])
        self.former.append(old[1:])
        (self.medium / new[1:]).write_bytes(b"")
        return 0

    def unlink(self, path: str) -> int:
        del self.files[path[1:]]
        self.former.append(path[1:])
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        return {"f_bsize": 4096, "f_blocks": 1 << 20, "f_bavail": 1 << 19}


if __name__ == "__main__":
    point, medium, life, rate, *fake = sys.argv[1:]
    drive = Dying(Path(medium), int(life), float(rate), bool(fake))
    fuse.FUSE(drive, point, foreground=True, nothreads=True, direct_io=False)
