"""
The way of bytes from a board to its reader: the serial line, whose speed is limited,
and the port, a pseudo-terminal that serial libraries open as if it were an adapter.
"""

import contextlib
import math
import os
import select
import tty
from pathlib import Path

from edge.errors import SourceUnavailable

BITS_A_BYTE = 10  # on a serial line: start, eight, stop


class Line:
    """Bytes that leave one after the other at *baud* bit/s."""

    def __init__(self, baud: int) -> None:
        self._byte_ns = BITS_A_BYTE * 1e9 / baud
        self._queue = bytearray()  # sent, not yet taken
        self._free_ns = 0.0  # when the last of them has left

    def send(self, data: bytes, instant: int) -> None:
        """Put *data* on the line at *instant*, behind what is still leaving it."""
        self._free_ns = max(self._free_ns, instant) + len(data) * self._byte_ns
        self._queue += data

    def take(self, now: int) -> bytes:
        """Return every byte that has left by *now* and was not taken."""
        leaving = math.ceil(max(0.0, self._free_ns - now) / self._byte_ns)
        whole = max(0, len(self._queue) - leaving)
        data = bytes(self._queue[:whole])
        del self._queue[:whole]
        return data


class Port:
    """
    A pseudo-terminal; *link* is made a symbolic link to its device file.
    A link that another program left behind is replaced.

    :raises SourceUnavailable: if *link* is a file, or cannot be made
    """

    def __init__(self, link: Path) -> None:
        self.link = link
        self._end, far = os.openpty()
        self.device = os.ttyname(far)
        tty.setraw(far)
        os.close(far)  # from now on a hang-up tells that nobody has it open
        os.set_blocking(self._end, False)
        self._poll = select.poll()
        self._poll.register(self._end, 0)
        try:
            _point(link, self.device)
        except OSError as error:
            os.close(self._end)
            why = error.strerror or error
            raise SourceUnavailable(f"cannot make the link {link}: {why}") from error

    @property
    def heard(self) -> bool:
        """Return whether somebody has the device open."""
        return not any(event & select.POLLHUP for _, event in self._poll.poll(0))

    def read(self) -> bytes:
        """Return what the reader has sent to the board; empty without any."""
        try:
            return os.read(self._end, 4096)
        except OSError:  # nothing there, or nobody
            return b""

    def write(self, data: bytes) -> int:
        """Return how many bytes of *data* the line took; never waits."""
        try:
            return os.write(self._end, data)
        except OSError:  # full, or the reader has just left
            return 0

    def close(self) -> None:
        """Hang up and remove the link, unless it is somebody else's by now."""
        with contextlib.suppress(OSError):
            if self.link.readlink() == Path(self.device):
                self.link.unlink()
        os.close(self._end)


def _point(link: Path, device: str) -> None:
    """Make *link* point to *device* in one step, so that it is never half there."""
    if link.exists() and not link.is_symlink():
        raise FileExistsError("a file is in the way; remove it or choose another name")
    aside = link.with_name(f".{link.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(device)
    aside.replace(link)
