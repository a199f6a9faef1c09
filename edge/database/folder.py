"""
The folder that the recording lies in: one recorder at a time, on a real disk.
"""

import fcntl
import os
import re
from pathlib import Path
from typing import NamedTuple

from edge.errors import StoreError

FLEETING = {
    "tmpfs": "in memory, and gone when the power is",
    "ramfs": "in memory, and gone when the power is",
    "overlay": "on an overlay, which forgets at the next start or update",
    "aufs": "on an overlay, which forgets at the next start or update",
    "squashfs": "on a read-only image",
    "nfs": "on a network drive, where the database is not safe",
    "nfs4": "on a network drive, where the database is not safe",
    "cifs": "on a network drive, where the database is not safe",
    "smb3": "on a network drive, where the database is not safe",
    "9p": "on a network drive, where the database is not safe",
}
"""File system → why a recording does not belong there."""

MOUNTS = Path("/proc/self/mountinfo")
LOCKS = Path("/proc/locks")


class Mount(NamedTuple):
    """One line of the kernel's list of mounts."""

    at: Path
    filesystem: str


class FolderLock:
    """
    The right to write a database, held by one process at a time.

    The kernel gives it back when the process ends, however it ends.
    """

    def __init__(self, database: Path) -> None:
        """
        Take the lock of *database*.

        :raises StoreError: at once, if another process has it, or there is no folder
        """
        path = beside(database, ".lock")
        try:
            self._file = path.open("a+", encoding="ascii")
        except OSError as error:
            raise StoreError(
                f"cannot write in {database.parent}: {error.strerror}; name a folder "
                "that is there and that this user may write"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read(32).strip() or "unknown"
            self._file.close()
            raise StoreError(
                f"{database} is being written by another recorder, process {holder}: "
                "stop that one first, or choose another data folder"
            ) from error
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let the next recorder have it. Safe to call twice."""
        self._file.close()


def beside(database: Path, ending: str) -> Path:
    """Return the path of *database* with *ending* behind its whole name."""
    return database.with_name(database.name + ending)


def mounts(listed: str) -> list[Mount]:
    """Return the mounts that *listed*, in the form of mountinfo(5), names."""
    found = []
    for line in listed.split("\n"):
        before, _, after = line.partition(" - ")
        fields, filesystem = before.split(" "), after.split()
        if len(fields) > 4 and filesystem:
            # \040 for a space, as drives.mounts reads it; other letters as they are.
            at = re.sub(r"\\([0-7]{3})", lambda o: chr(int(o[1], 8)), fields[4])
            found.append(Mount(Path(at), filesystem[0]))
    return found


def filesystem_of(folder: Path, listed: list[Mount]) -> str:
    """Return the file system that holds *folder* by the mounts *listed*, else ""."""
    where = folder.resolve()
    inside = [mount for mount in listed if where.is_relative_to(mount.at)]
    # Of two mounts at one place the later covers the earlier.
    deepest = max(len(mount.at.parts) for mount in inside) if inside else 0
    names = [m.filesystem for m in inside if len(m.at.parts) == deepest]
    return names[-1] if names else ""


def fleeting(folder: Path) -> str:
    """Return a sentence if what lies in *folder* does not survive, else ""."""
    try:
        listed = mounts(MOUNTS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    why = FLEETING.get(filesystem_of(folder, listed), "")
    if not why:
        return ""
    return f"The data folder {folder} lies {why}: give it a disk of its own."


def lock_holders(file: Path) -> list[int]:
    """Return the other processes that hold a POSIX lock on *file*, by their ids."""
    try:
        inode = file.stat().st_ino
        listed = LOCKS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    holders = set()
    for line in listed.splitlines():
        fields = line.split()  # 1: POSIX ADVISORY READ 1234 08:01:5678 120 120
        if len(fields) > 5 and fields[5].rpartition(":")[2] == str(inode):
            holders.add(int(fields[4]))
    return sorted(holders - {os.getpid(), -1})


def free_bytes(folder: Path) -> int:
    """Return how much may still be written where *folder* is, 0 if unknown."""
    try:
        state = os.statvfs(folder)
    except OSError:
        return 0
    return state.f_bavail * state.f_frsize


def sync_folder(folder: Path) -> None:
    """Make what was renamed in *folder* last through a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
