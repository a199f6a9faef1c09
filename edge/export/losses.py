"""
Samples that a board counted and nobody received, as the recording's gaps tell them.

They are exact where dates are not: the first chunks of a segment may be dated some
samples early or late, which is no loss.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.records import Event


class Losses(NamedTuple):
    """When samples came again after a loss, in order, and how many had been lost."""

    ended: NDArray[np.int64]  # box time of the first sample after it
    total: NDArray[np.int64]  # lost up to each, those before it included; one more

    def between(self, last: float, first: float) -> int:
        """Return how many were lost between the samples at *last* and at *first*."""
        begin, end = np.searchsorted(self.ended, (last, first), side="right")
        return int(self.total[end] - self.total[begin])


def losses_of(events: Iterable[Event]) -> Losses:
    """Return the losses of the ECG that *events* tell."""
    found = sorted(
        (int(event.ended), lost)
        for event in events
        if event.kind == "gap" and event.stream == "ecg" and event.ended is not None
        for lost in (event.detail.get("lost"),)
        if isinstance(lost, int) and lost > 0
    )
    ended = np.array([at for at, _ in found], np.int64)
    total = np.cumsum([0, *(lost for _, lost in found)], dtype=np.int64)
    return Losses(ended, total)


NONE = losses_of(())
