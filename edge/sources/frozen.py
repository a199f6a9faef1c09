"""Notices a camera that keeps giving the same picture and calls it new."""

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceLost
from edge.records import MonotonicNs

SAME_FOR_NS = 600_000_000
"""A sensor's noise changes some pixel of every picture. A stopped one is seen within a
second, of which the next picture and the way to the recorder take some."""
STEP = 4  # compare each fourth pixel of each fourth row: enough noise, little work


class Frozen:
    """Compares each picture of one camera with the one before."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = np.empty(0, np.uint8)
        self._since: MonotonicNs | None = None

    def check(self, pixels: NDArray[np.uint8], received: MonotonicNs) -> None:
        """
        Take note of the next picture, shape (height, width, 3).

        :raises SourceLost: if it has not changed for nearly a second
        """
        sample = pixels[::STEP, ::STEP].copy()
        if self._since is None or not np.array_equal(sample, self._last):
            self._last, self._since = sample, received
        elif received - self._since >= SAME_FOR_NS:
            raise SourceLost(
                f"{self._name} repeats the same picture: it has stopped; reopened"
            )
