"""
The next frame of a camera, waited for beside something else.

A camera can only be waited for inside a call that reads it. So that call is made in a
thread, one at a time, and a descriptor says when it is over.
"""

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait

from edge.records import Frame
from edge.sources import FrameSource

HUNG_S = 0.5
"""A read that takes so much longer than it may has hung."""


class NextFrame:
    """The frames of *source*, each read waiting *within_s* at most."""

    def __init__(self, source: FrameSource, within_s: float) -> None:
        self._source = source
        self._within_s = within_s
        self._ready = os.eventfd(0)
        self._reader = ThreadPoolExecutor(1, "camera")
        self._read: Future[Frame | None] = Future()
        self._began = 0.0

    def begin(self) -> None:
        """Begin a read; `over` must have returned true for the one before."""
        self._began = time.monotonic()
        self._read = self._reader.submit(self._source.read, self._within_s)
        self._read.add_done_callback(lambda _: os.eventfd_write(self._ready, 1))

    def over(self, pipe: Connection) -> bool:
        """
        Return true once the read is over, false before that if *pipe* has a message.

        While a read hangs *pipe* is left alone, so that whoever is behind it notices.
        """
        left_s = self._began + self._within_s + HUNG_S - time.monotonic()
        found = wait([self._ready, pipe], left_s) if left_s > 0 else []
        if pipe in found and self._ready not in found and not self.has_come:
            return False
        os.eventfd_read(self._ready)  # waits for it
        return True

    @property
    def has_come(self) -> bool:
        """Whether the read is over."""
        return self._read.done()

    def result(self) -> Frame | None:
        """
        Return the frame of the read that is over, ``None`` if there was none in time.

        :raises SourceLost: if the device disappeared
        :raises SourceEnded: if a recording is over
        """
        return self._read.result()
