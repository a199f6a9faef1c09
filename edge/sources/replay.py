"""
The serial port of a recorded session: the same bytes in the same rhythm.

All instants are moved by one constant, so that the recording seems to begin shortly
after the recorder; differences stay to the nanosecond, and so does everything computed
from them. What the board would have answered to other commands is not reproduced.
"""

import os
import time
from pathlib import Path

from edge import config
from edge.errors import SourceEnded, SourceLost, SourceUnavailable
from edge.records import MonotonicNs, SerialChunk
from edge.sources import EcgSource
from edge.sources.recording import read_serial, read_settings, serial_path

LEAD_IN_NS = 3_000_000_000
"""Time for the recorder and its vision process to start before the first bytes."""

PROC_START_TICKS = 19  # proc(5), stat: field 22, counted after the name


class Replay(EcgSource):
    """
    A recorded port, from one opening of it to its loss.

    The *identity* of the one before says where to go on. All instants are moved by
    *shift_ns*. With *pace* chunks come when they are due, else at once.
    """

    def __init__(
        self, folder: Path, identity: str = "", shift_ns: int = 0, pace: bool = True
    ) -> None:
        self.part = int(identity.removeprefix("part ") or 0) + 1
        self.identity = f"part {self.part}"
        self._folder = folder
        self._chunks = read_serial(serial_path(folder, self.part))
        self._next = next(self._chunks, None)
        self._shift_ns = shift_ns
        self._pace = pace

    def read(self, timeout_s: float) -> SerialChunk | None:
        """
        Return the next chunk, or ``None`` if none is due within *timeout_s*.

        :raises SourceLost: where the port was lost in the recording and came back
        :raises SourceEnded: if the recording is over
        """
        if self._next is None:
            if serial_path(self._folder, self.part + 1).exists():
                raise SourceLost(f"the port was lost here, says {self._folder}")
            raise SourceEnded(f"the recording {self._folder} is over")
        received = MonotonicNs(self._next.received + self._shift_ns)
        if self._pace and not wait_until(received, timeout_s):
            return None
        chunk = SerialChunk(received, self._next.data)
        self._next = next(self._chunks, None)
        return chunk

    def write(self, data: bytes) -> None:
        """Do nothing: what the board answered is in the recording."""

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._chunks.close()


def open_source(ecg: config.Ecg, baud: int, identity: str = "") -> Replay:
    """
    Return the recorded port in the folder that the configuration names.

    :raises SourceUnavailable: if it is none, or of another board
    """
    folder = Path(ecg.port)
    settings = read_settings(folder)
    if settings["board"] != ecg.board:
        raise SourceUnavailable(
            f"{folder} is the recording of {settings['board']}: set ecg.board to it"
        )
    return Replay(folder, identity, shift_of(settings["began_ns"], os.getpid()))


def shift_of(began_ns: int, recorder: int) -> int:
    """
    Return by how much to move a recording that began at *began_ns*, replayed by the
    process *recorder*: the same number in every process that asks.
    """
    stat = Path(f"/proc/{recorder}/stat").read_text()
    ticks = int(stat.rpartition(")")[2].split()[PROC_START_TICKS])
    started_ns = ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    # that clock counts time asleep, ours does not
    asleep_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
    return started_ns - round(asleep_ns, -8) + LEAD_IN_NS - began_ns


def wait_until(due: MonotonicNs, timeout_s: float) -> bool:
    """Wait until *due*, at most *timeout_s*; return whether it is reached."""
    left_s = (due - time.monotonic_ns()) / 1e9
    if left_s > 0:
        time.sleep(min(left_s, timeout_s))
    return left_s <= timeout_s
