"""What passes between one client and the worker that answers it."""

import contextlib
import re
import ssl
import time

from edge.web.guest import LONGEST_HEAD, Guest

BODY_WITHIN_S = 60.0
STALL_S = 10.0
"""The longest for a whole body, and for one piece of it or of an answer."""

HELD_BACK = 524_288
"""Bytes of an answer that are kept for its end; of more, a download, a worker sends."""

PIECE = 65_536

LARGEST_BODY = 21 * 1024 * 1024
"""A picture of 20 MiB and the form around it."""

SLASHES = re.compile(rb"[A-Z]{1,10} (/+)/")
"""What is too much of ``POST //status``: scripts join "http://box/" and "/status"."""


class Outgoing:
    """
    What is sent to a client.

    An answer is sent as far as that goes at once; the waiting room sends the rest.
    Only a download, which is longer than `HELD_BACK`, waits for its reader.
    """

    def __init__(self, guest: Guest) -> None:
        self.bytes_written = 0  # cheroot asks for it
        self._guest = guest

    def write(self, data: bytes) -> int:
        """Send *data* with what is still to come, or wait until it is sent."""
        self._guest.unsent += data
        self.bytes_written += len(data)
        if len(self._guest.unsent) > HELD_BACK:
            self.send_all()
        return len(data)

    def send_all(self) -> None:
        """
        Send everything, however slowly it is read.

        :raises OSError: if the client takes none of it for too long
        """
        data = bytes(self._guest.unsent)
        self._guest.unsent.clear()
        for at in range(0, len(data), PIECE):
            self._guest.sock.settimeout(STALL_S)
            self._guest.sock.sendall(data[at : at + PIECE])

    def flush(self) -> None:
        """Send what can be sent at once."""
        sock, unsent = self._guest.sock, self._guest.unsent
        sock.settimeout(0)
        with contextlib.suppress(
            BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError
        ):
            while unsent:
                del unsent[: sock.send(bytes(unsent[:PIECE]))]


class Incoming:
    """What a client sends: first what the waiting room collected, then the socket."""

    def __init__(self, guest: Guest, outgoing: Outgoing) -> None:
        self.bytes_read = 0  # cheroot asks for it
        self._guest = guest
        self._outgoing = outgoing
        self._deadline = 0.0  # 0.0 while nothing was waited for

    def head(self) -> bytes:
        """Return the first line and the headers, which are still to be read."""
        if slashes := SLASHES.match(self._guest.data):
            del self._guest.data[slashes.start(1) : slashes.end(1)]
        return bytes(self._guest.data.partition(b"\r\n\r\n")[0])

    def read(self, size: int) -> bytes:
        """Return the next *size* bytes; fewer if the client leaves, or of too many."""
        size = min(size, LARGEST_BODY)
        while len(self._guest.data) < size and self._fetch():
            pass
        return self._take(size)

    def readline(self, size: int = -1) -> bytes:
        """Return up to and with the next line end, but at most *size* bytes."""
        most = size if size >= 0 else LONGEST_HEAD
        while (end := self._guest.data.find(b"\n", 0, most) + 1) == 0:
            if len(self._guest.data) >= most or not self._fetch():
                return self._take(most)
        return self._take(end)

    def has_data(self) -> bool:
        """Return whether the next request has begun to arrive."""
        return bool(self._guest.data)

    def release(self) -> None:
        """Say that this request is over."""
        self._deadline = 0.0

    def close(self) -> None:
        """Do nothing: the socket is closed elsewhere."""

    def _take(self, size: int) -> bytes:
        with memoryview(self._guest.data) as data:
            taken = bytes(data[:size])
        del self._guest.data[:size]
        self.bytes_read += len(taken)
        return taken

    def _fetch(self) -> bool:
        if not self._deadline:
            self._outgoing.send_all()  # "100 Continue", which the client waits for
            self._deadline = time.monotonic() + BODY_WITHIN_S
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._guest.sock.settimeout(min(left, STALL_S))
        piece = b"" if self._guest.ended else self._guest.sock.recv(PIECE)
        self._guest.ended = not piece
        self._guest.data += piece
        return bool(piece)
