"""
A disk under SQLite that keeps a log of what is done to it, and fails when told.

A VFS in front of SQLite's own: every write, sync, truncation and deletion of a
database or its log passes through Python, for the whole process, so that the product
runs on it unchanged. It does not see what is not SQLite's (the ballast, the lock) nor
the shared memory beside a WAL, which a power cut takes anyway.

Only where Python's sqlite3 uses the shared library of the system can it be put in.
"""

import ctypes
import ctypes.util
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
OK = 0
FULL = 13


class Op(NamedTuple):
    """One thing that was done to a file, or a note of the test."""

    kind: str  # "write", "sync", "truncate", "delete", "note"
    name: str
    at: int = 0  # offset of a write, size of a truncation, number of a note
    data: bytes = b""
    failed: bool = False


Fault = Callable[[str, str, int, int], int]
"""(kind, file, number of the operation, offset) → a result code; 0 lets it happen."""

# Names stay pointers: SQLite keeps the one that it opened with.
OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
DELETE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
MOVE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
SIZE = CFUNCTYPE(c_int, c_void_p, c_int64)
SYNC = CFUNCTYPE(c_int, c_void_p, c_int)


class Vfs(Structure):
    """sqlite3_vfs of sqlite3.h, version 3."""

    _fields_ = [
        ("version", c_int), ("file_size", c_int), ("longest_path", c_int),
        ("next", c_void_p), ("name", c_char_p), ("data", c_void_p),
        ("open", c_void_p), ("delete", c_void_p),
        ("others", c_void_p * 14),
    ]  # fmt: skip


class Methods(Structure):
    """sqlite3_io_methods of sqlite3.h, version 3."""

    _fields_ = [
        ("version", c_int), ("close", c_void_p), ("read", c_void_p),
        ("write", c_void_p), ("truncate", c_void_p), ("sync", c_void_p),
        ("others", c_void_p * 13),
    ]  # fmt: skip


def library() -> ctypes.CDLL | None:
    """Return the SQLite that Python's sqlite3 uses, ``None`` if it cannot be had."""
    try:
        found = ctypes.CDLL(ctypes.util.find_library("sqlite3") or "libsqlite3.so.0")
        found.sqlite3_libversion.restype = c_char_p
        version = found.sqlite3_libversion().decode()
    except (OSError, AttributeError):
        return None
    mapped = Path("/proc/self/maps").read_text()
    ours = [line for line in mapped.splitlines() if "libsqlite3" in line]
    same_file = len({line.split()[-1] for line in ours}) == 1
    return found if version == sqlite3.sqlite_version and same_file else None


def missing() -> str:
    """Return why there can be no such disk here, "" if there can."""
    if library() is None or b"sqlite3_open" in builtin():
        return "Python's sqlite3 is not linked to a shared libsqlite3"
    return ""


def builtin() -> bytes:
    """Return the symbols SQLite would have inside Python's own module, if any."""
    import _sqlite3

    place = getattr(_sqlite3, "__file__", None)
    if place is None:
        return b"sqlite3_open"
    own = ctypes.CDLL(place)
    address = ctypes.cast(own.sqlite3_libversion, c_void_p).value
    shared = library()
    assert shared is not None
    other = ctypes.cast(shared.sqlite3_libversion, c_void_p).value
    return b"" if address == other else b"sqlite3_open"


class FaultDisk:
    """What was done to the databases of this process, and what shall fail."""

    def __init__(self) -> None:
        self.log: list[Op] = []
        self.fault: Fault | None = None
        self.operations = 0  # writes, syncs, truncations and deletions, reads too
        self._names: dict[int, str] = {}
        self._methods: dict[int, Methods] = {}
        self._kept: list[object] = []  # callbacks that C holds
        found = library()
        assert found is not None, missing()
        self._library = found
        found.sqlite3_vfs_find.restype = POINTER(Vfs)
        found.sqlite3_vfs_find.argtypes = [c_char_p]
        found.sqlite3_vfs_register.argtypes = [c_void_p, c_int]
        found.sqlite3_vfs_unregister.argtypes = [c_void_p]
        own = found.sqlite3_vfs_find(None).contents
        self._own_open = OPEN(own.open)
        self._own_delete = DELETE(own.delete)
        self._vfs = Vfs.from_buffer_copy(own)
        self._vfs.name = b"faultdisk"
        self._vfs.open = self._callback(OPEN, self._open)
        self._vfs.delete = self._callback(DELETE, self._delete)

    def note(self, number: int, name: str = "") -> None:
        """Put a note into the log: what the test knows at this moment."""
        self.log.append(Op("note", name, number))

    def rewritten(self, name: str, data: bytes, synced: bool) -> None:
        """Log that something else wrote all of the file *name*, and if it synced it."""
        self.log += [Op("write", name, 0, data), *[Op("sync", name)] * synced]

    def put_in(self) -> None:
        """Let every database that is opened from now on lie on this disk."""
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)

    def take_out(self) -> None:
        """Let databases lie on the real disk again."""
        self._library.sqlite3_vfs_unregister(ctypes.byref(self._vfs))

    def _callback(self, kind: Callable[..., object], function: object) -> int | None:
        made = kind(function)
        self._kept.append(made)
        return ctypes.cast(made, c_void_p).value  # type: ignore[arg-type]

    def _open(self, _vfs, name, file, flags, out) -> int:  # type: ignore[no-untyped-def]
        result = self._own_open(ctypes.addressof(self._vfs), name, file, flags, out)
        if result == OK and name:
            self._names[file] = short_name(name)
            pointer = ctypes.cast(file, POINTER(c_void_p))
            pointer[0] = ctypes.addressof(self._watched(pointer[0]))
        return int(result)

    def _watched(self, address: int) -> Methods:
        """Return the methods at *address* with ours in place of those that matter."""
        for made in self._methods.values():
            if ctypes.addressof(made) == address:
                return made
        if address not in self._methods:
            own = Methods.from_address(address)
            made = Methods.from_buffer_copy(own)
            made.read = self._callback(MOVE, self._moving("read", MOVE(own.read)))
            made.write = self._callback(MOVE, self._moving("write", MOVE(own.write)))
            made.truncate = self._callback(SIZE, self._sizing(SIZE(own.truncate)))
            made.sync = self._callback(SYNC, self._syncing(SYNC(own.sync)))
            self._methods[address] = made
        return self._methods[address]

    def _asked(self, kind: str, name: str, at: int = 0) -> int:
        self.operations += 1
        return self.fault(kind, name, self.operations, at) if self.fault else OK

    def _moving(self, kind: str, own: Callable[..., int]) -> object:
        def move(file: int, data: int, amount: int, at: int) -> int:
            name = self._names.get(file, "")
            failed = self._asked(kind, name, at)
            if kind == "read":
                return failed or own(file, data, amount, at)
            if failed:  # the first half of it may well have been written
                amount = amount // 2 // SECTOR * SECTOR
            self.log.append(Op(kind, name, at, ctypes.string_at(data, amount)))
            done = own(file, data, amount, at) if amount else OK
            return failed or done

        return move

    def _sizing(self, own: Callable[..., int]) -> object:
        def truncate(file: int, size: int) -> int:
            failed = self._asked("truncate", self._names.get(file, ""))
            if not failed:
                self.log.append(Op("truncate", self._names.get(file, ""), size))
            return failed or own(file, size)

        return truncate

    def _syncing(self, own: Callable[..., int]) -> object:
        def sync(file: int, flags: int) -> int:
            name = self._names.get(file, "")
            failed = self._asked("sync", name)
            self.log.append(Op("sync", name, failed=bool(failed)))
            return failed  # the real disk need not be asked: the log is the disk

        return sync

    def _delete(self, _vfs, name, folder_too) -> int:  # type: ignore[no-untyped-def]
        short = short_name(name)
        failed = self._asked("delete", short)
        if not failed:
            self.log.append(Op("delete", short))
        done = self._own_delete(ctypes.addressof(self._vfs), name, folder_too)
        return failed or int(done)


def short_name(pointer: int) -> str:
    """Return the last part of the path that C's string at *pointer* is."""
    return Path(ctypes.string_at(pointer).decode()).name


@contextmanager
def fault_disk() -> Iterator[FaultDisk]:
    """Give a disk that every database lies on meanwhile."""
    disk = FaultDisk()
    disk.put_in()
    try:
        yield disk
    finally:
        disk.fault = None
        disk.take_out()
