"""
The ECG board's serial port: the only door to pyserial.

pyserial and the kernel say *gone* in five ways (`SerialException`, plain `OSError`,
`termios.error`, which is no `OSError`, end of file, a hang-up of the poll): all of
them are `SourceLost` here. Any address that pyserial opens will do, a pseudo-terminal
and ``loop://`` too.
"""

import errno
import fcntl
import os
import select
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import serial

from edge import config
from edge.errors import SourceLost, SourceUnavailable
from edge.records import MonotonicNs, SerialChunk
from edge.sources import EcgSource
from edge.sources.ports import ROOT, Port, find_port

READ_BYTES = 65_536  # at most in one chunk; the kernel holds back the rest
WRITE_TIMEOUT_S = 1.0

PSEUDO_TERMINALS = range(136, 144)
"""Device numbers (kernel, admin-guide/devices) of ports that outlive their last
reader: one that was killed would keep its successor out."""

GONE = (OSError, termios.error, ValueError)
"""What a port raises whose device has left; `SerialException` is an `OSError`."""


class UsbSerial(EcgSource):
    """An open port."""

    def __init__(self, serial_port: serial.SerialBase, port: Port) -> None:
        self.name = port.name
        self.device = port.device
        self.identity = port.identity  # "" where it is not on USB
        self._serial = serial_port
        self._file = file_number(serial_port)
        self._poll = select.poll()
        if self._file is not None:
            self._poll.register(self._file, select.POLLIN)
            self._tune(self._file)

    def read(self, timeout_s: float) -> SerialChunk | None:
        """
        Return the bytes that arrived, or ``None`` if none came within *timeout_s*.

        :raises SourceLost: if the device disappeared
        """
        with self._loss_translated():
            if self._file is None or not self._serial.is_open:
                return self._read_emulated(timeout_s)
            if not self._poll.poll(timeout_s * 1000):
                return None
            data = os.read(self._file, READ_BYTES)
            received = MonotonicNs(time.monotonic_ns())
        if not data:
            raise SourceLost(f"{self.name} has gone: plug the board in again")
        return SerialChunk(received, data)

    def write(self, data: bytes) -> None:
        """
        Send a board its start-up command.

        :raises SourceLost: if the device disappeared
        """
        with self._loss_translated():
            self._serial.write(data)

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        # whatever the driver says of a device that has gone, the file is closed
        with suppress(*GONE):
            if self._serial.is_open and self._file is not None:
                fcntl.ioctl(self._file, termios.TIOCNXCL)
        with suppress(*GONE):
            self._serial.close()

    def _read_emulated(self, timeout_s: float) -> SerialChunk | None:
        """Read from an address of pyserial's that has no file behind it."""
        self._serial.timeout = timeout_s
        data = self._serial.read(1)
        data += self._serial.read(min(self._serial.in_waiting, READ_BYTES))
        received = MonotonicNs(time.monotonic_ns())
        return SerialChunk(received, bytes(data)) if data else None

    def _tune(self, file: int) -> None:
        """Set what not every driver has; a pseudo-terminal has none of it."""
        if os.major(os.fstat(file).st_rdev) not in PSEUDO_TERMINALS:
            with suppress(*GONE):  # keeps out those who ignore the lock
                fcntl.ioctl(file, termios.TIOCEXCL)
        with suppress(*GONE, NotImplementedError):
            self._serial.set_low_latency_mode(True)  # FTDI: 1 ms instead of 16
        with suppress(*GONE):
            # An Arduino restarts when DTR falls: leave it up when the port is closed.
            settings = termios.tcgetattr(file)
            settings[2] &= ~termios.HUPCL
            termios.tcsetattr(file, termios.TCSANOW, settings)

    @contextmanager
    def _loss_translated(self) -> Iterator[None]:
        try:
            yield
        except SourceLost:
            raise
        except GONE as error:
            raise SourceLost(
                f"{self.name} has gone ({error}): plug the board in again"
            ) from error


def open_source(ecg: config.Ecg, baud: int, identity: str = "") -> UsbSerial:
    """
    Return the port that the configuration names, as `open_port` does.

    :raises SourceUnavailable: if it is absent, in use, forbidden, or another board
    """
    return open_port(ecg.port, baud, identity)


def open_port(name: str, baud: int, identity: str = "", root: Path = ROOT) -> UsbSerial:
    """
    Return the serial port that *name* means (`find_port`), open at *baud* bit/s, for
    us alone. If *identity* is given, it must be that board: the one that was there.

    :raises SourceUnavailable: if it is absent, in use, forbidden, or another board
    """
    found = find_port(name, root)
    if identity and found.identity != identity:
        raise SourceUnavailable(
            f"{found.name} is now {found.identity or 'not on USB'}, it was {identity}: "
            "put the boards back into their sockets, or restart to take the new one"
        )
    try:
        opened = serial.serial_for_url(found.device, do_not_open=True)
        opened.baudrate = baud
        opened.timeout = 0
        opened.write_timeout = WRITE_TIMEOUT_S
        if isinstance(opened, serial.Serial):
            opened.exclusive = True
        opened.open()
    except (*GONE, ImportError) as error:
        raise SourceUnavailable(refusal(found, baud, error)) from error
    return UsbSerial(opened, found)


def file_number(serial_port: serial.SerialBase) -> int | None:
    """Return the file behind *serial_port*, ``None`` where there is none."""
    try:
        return int(serial_port.fileno())
    except (AttributeError, OSError):
        return None


def refusal(port: Port, baud: int, error: BaseException) -> str:
    """Return why *port* cannot be opened, and what to do."""
    mends = {
        errno.ENOENT: "plug the board in",
        errno.EACCES: "add the user of this program to the group dialout",
        # DeviceAllow= of edge.service: systemd.resource-control(5)
        errno.EPERM: "the service may open boards on USB alone; for one on the pins of"
        " a Raspberry Pi see systemd/README.md",
        errno.EAGAIN: "another program has it open: fuser -v shows which",
        errno.EBUSY: "another program has it open: fuser -v shows which",
        errno.ENOTTY: "it is not a serial port",
    }
    number = getattr(error, "errno", None)
    mend = mends.get(number or 0, f"check ecg.port and ecg.baud ({baud})")
    return f"cannot open {port.name}: {error}; {mend}"
