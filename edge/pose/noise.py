"""
How noisy a camera's picture is, which says how closely it must be read.

In a dark room a camera amplifies, and its noise hides the body from a network that is
shown few of the pixels. Annotated photographs with noise added show where that begins:
up to a standard deviation of 4 (of 255) few pixels serve as well as many, from 6 on
they do not, and at 12 a dark picture is understood far better when all are averaged.
"""

import numpy as np
from numpy.typing import NDArray

from edge.pose.crop import NOISY, QUICK, Care
from edge.records import MonotonicNs

EVERY_NS = 1_000_000_000
"""From one look at the noise to the next."""
LOUD, CALM = 5.0, 4.5
"""Standard deviations from which a frame is read closely, and below which no more."""

LINES = 12
"""Of a frame are enough."""
DEVIATIONS = 0.6745 * 6**0.5
"""The median of |a - 2 b + c| in standard deviations of a, b and c: independent and
normal, their weights 1, 2 and 1 add up to the variance 6."""


def noise_of(pixels: NDArray[np.uint8]) -> float:
    """
    Return the standard deviation of the noise in *pixels*, of 255, as neighbours in
    a line show it: edges are few and leave the median alone, fine cloth counts as
    noise. *pixels* has the shape (height, width, 3).
    """
    lines = pixels[:: max(1, len(pixels) // LINES)].astype(np.int16)
    bent = np.abs(lines[:, :-2] - 2 * lines[:, 1:-1] + lines[:, 2:]).ravel()
    if not bent.size:
        return 0.0
    # Whole numbers with many equal: the mean of the middle half is finer than one.
    first, end = len(bent) // 4, 3 * len(bent) // 4 + 1
    reached = np.bincount(bent).cumsum().clip(first, end)
    return float((end - reached).sum()) / (end - first) / DEVIATIONS


class Light:
    """Says with which care to read, from the noise of a frame a second."""

    def __init__(self) -> None:
        self._care = QUICK
        self._looked: MonotonicNs | None = None

    def care(self, pixels: NDArray[np.uint8], exposed: MonotonicNs) -> Care:
        """Return how to read the frame *pixels*, which was *exposed* then."""
        if self._looked is None or exposed - self._looked >= EVERY_NS:
            self._looked = exposed
            noise = noise_of(pixels)
            self._care = NOISY if noise > (LOUD, CALM)[self._care is NOISY] else QUICK
        return self._care
