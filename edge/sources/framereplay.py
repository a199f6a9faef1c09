"""
The pictures of a recorded session, in the rhythm of its serial port (`replay`).

A camera that is opened late, or again, goes on at the present moment.
"""

import os
import time
from pathlib import Path

from edge import config
from edge.errors import SourceEnded
from edge.records import Frame, MonotonicNs
from edge.sources import FrameSource
from edge.sources.recording import read_frames, read_settings
from edge.sources.replay import shift_of, wait_until

LATE_NS = 1_000_000_000  # a frame that was due longer ago is left out


class FrameReplay(FrameSource):
    """Recorded pictures; all instants are moved by *shift_ns*."""

    def __init__(self, folder: Path, shift_ns: int = 0, pace: bool = True) -> None:
        self._folder = folder
        self._frames = read_frames(folder)
        self._next = next(self._frames, None)
        self._shift_ns = shift_ns
        self._pace = pace
        while pace and self._next and self._due() < time.monotonic_ns() - LATE_NS:
            self._next = next(self._frames, None)

    def read(self, timeout_s: float) -> Frame | None:
        """
        Return the next frame, or ``None`` if none is due within *timeout_s*.

        :raises SourceEnded: if the recording is over
        """
        if self._next is None:
            raise SourceEnded(f"the recording {self._folder} is over")
        if self._pace and not wait_until(self._due(), timeout_s):
            return None
        frame = self._next._replace(
            exposed=MonotonicNs(self._next.exposed + self._shift_ns),
            received=self._due(),
        )
        self._next = next(self._frames, None)
        return frame

    def close(self) -> None:
        """Let go of the files. Safe to call twice."""
        self._frames.close()

    def _due(self) -> MonotonicNs:
        assert self._next is not None
        return MonotonicNs(self._next.received + self._shift_ns)


def open_source(camera: config.Camera) -> FrameReplay:
    """
    Return the recorded pictures in the folder that the configuration names, opened by
    the vision process: the recorder, whose clock they follow, is its parent.

    :raises SourceUnavailable: if there are none
    """
    folder = Path(camera.device)
    began_ns = read_settings(folder)["began_ns"]
    return FrameReplay(folder, shift_of(began_ns, os.getppid()))
