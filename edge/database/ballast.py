"""
A file that holds room on the disk for the moment there is none.

A ring cannot delete its way out of a full disk: deleting writes to the WAL first.
Given up at the first "disk full", the ballast lets the writer finish, shrink to what
it has, and go on; it is taken again once there is clearly room.
"""

import contextlib
import logging
import os
from pathlib import Path

from edge.database.folder import beside, free_bytes, sync_folder

logger = logging.getLogger(__name__)

ROOM_FACTOR = 3
"""Taken again when so many times its size are free, so that it does not flutter."""


class Ballast:
    """A file of *size_bytes* beside *database*, which exists while all is well."""

    def __init__(self, database: Path, size_bytes: int) -> None:
        self._path = beside(database, ".ballast")
        self.size_bytes = size_bytes
        self.held = self._is_whole()
        """Whether the file is there, with all its room."""

    def take(self) -> bool:
        """Make the file if there is clearly room, and return whether it is held."""
        room = free_bytes(self._path.parent)
        if self.held or room < ROOM_FACTOR * self.size_bytes:
            return self.held
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(self.size_bytes, 1))
                os.fsync(file.fileno())
        except OSError:
            self.give_up()
            return False
        self.held = True
        return True

    def give_up(self) -> bool:
        """Free its room, and return whether there was any to free."""
        had = self._path.exists()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            sync_folder(self._path.parent)
        self.held = False
        return had

    def _is_whole(self) -> bool:
        try:
            state = self._path.stat()
        except OSError:
            return False
        # A sparse file of the right length would hold nothing.
        return state.st_size >= self.size_bytes <= 512 * state.st_blocks
