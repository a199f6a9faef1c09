"""
What the service manager is told, and what it hands over.

The protocol is that of sd_notify(3) and sd_listen_fds(3): a datagram socket and a few
environment variables. Without those every call here does nothing, so that a laptop
runs the same code.
"""

import os
import socket
from collections.abc import Mapping

FIRST_FD = 3
"""Number of the first socket that is handed over (SD_LISTEN_FDS_START)."""

SEND_TIMEOUT_S = 1.0
"""A manager that is busy for longer loses one message; the recorder goes on."""


class ServiceManager:
    """
    The systemd that started this process, or nobody.

    *environ* is read once. Variables that were meant for another process (a
    parent that started this one) are not obeyed.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))

    @property
    def present(self) -> bool:
        """Return whether anybody listens."""
        return bool(self._address)

    def ready(self, status: str = "") -> None:
        """Say that the service is up; `systemctl status` shows *status*."""
        self._send("READY=1", status)

    def alive(self) -> None:
        """Feed the watchdog, at least twice in the time that its unit gives."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the service ends, on its own or because it was asked to."""
        self._send("STOPPING=1")

    def _send(self, state: str, status: str = "") -> None:
        if not self._address:
            return
        lines = [state]
        if status:
            lines.append("STATUS=" + " ".join(status.split()))
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(SEND_TIMEOUT_S)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            pass  # a recorder outlives a manager that does not listen


def listening_sockets(environ: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """
    Return the listening sockets that were opened for this process, in unit order.

    Empty when not socket-activated. They close with the process and are not
    inherited by children.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environ.get("LISTEN_FDS", "0"))
    return [_adopt(fd) for fd in range(FIRST_FD, FIRST_FD + count)]


def _adopt(fd: int) -> socket.socket:
    os.set_inheritable(fd, False)
    return socket.socket(fileno=fd)


def _address(text: str) -> str:
    """Return *text* as the kernel wants it; "" for a kind that is not Unix."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else ""
