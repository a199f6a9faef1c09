"""
One end of a serial line that exists in the kernel alone, under a name that stays.

The other end is a device file that serial libraries open as if it were a USB
adapter. Written for `edge.simulator`.
"""

import contextlib
import os
import select
import tty
from pathlib import Path

from edge.errors import SourceUnavailable


class Line:
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
            raise SourceUnavailable(f"cannot make the link {link}: {error}") from error

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
