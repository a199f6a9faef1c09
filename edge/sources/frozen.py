"""Notices a camera that keeps giving the same picture and calls it new."""

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceLost
from edge.records import MonotonicNs

SAME_FOR_NS = 600_000_000
"""A sensor's noise changes some pixel of every picture. A stopped one is seen within a
second, of which the next picture and the way to the recorder take some."""
STEP = 4  # compare each fourth pixel of each fourth row: enough noise, little work
EVEN = 4
"""Of 255: what the middle 98 % of a picture without light, or with too much of it, lie
within in each colour. A camera that smooths its pictures leaves no noise in those."""


class Frozen:
    """Compares each picture of one camera with the one before."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = np.empty(0, np.uint8)
        self._since: MonotonicNs | None = None
        self._stamp_ns = 0
        self._stamped = MonotonicNs(0)  # when the driver's stamp last went on

    def check(
        self, pixels: NDArray[np.uint8], received: MonotonicNs, stamp_ns: int
    ) -> None:
        """
        Take note of the next picture, shape (height, width, 3), with the driver's
        *stamp_ns*, on whatever clock.

        :raises SourceLost: if it has not changed for nearly a second, unless it is
            evenly dark or bright and the stamps go on
        """
        sample = pixels[::STEP, ::STEP].copy()
        if stamp_ns != self._stamp_ns:
            self._stamp_ns, self._stamped = stamp_ns, received
        if self._since is None or not np.array_equal(sample, self._last):
            self._last, self._since = sample, received
        elif received - self._since >= SAME_FOR_NS:
            if is_even(sample) and received - self._stamped < SAME_FOR_NS:
                return  # a lens cap, the night: the camera works
            raise SourceLost(
                f"{self._name} repeats the same picture: it has stopped; reopened"
            )


def is_even(pixels: NDArray[np.uint8]) -> bool:
    """Return whether nothing is to be seen in *pixels*, shape (height, width, 3)."""
    low, high = np.percentile(pixels, (1, 99), axis=(0, 1))
    return bool((high - low <= EVEN).all())
