"""
Samples that a board counted and nobody received, as the recording's gaps tell them.

They are exact where dates are not: the first chunks of a segment may be dated some
samples early or late, which is no loss.
"""

from array import array
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
    ended, losses = array("q"), array("q")  # there may be millions
    for event in events:
        if (event.kind, event.stream) != ("gap", "ecg") or event.ended is None:
            continue
        lost = event.detail.get("lost")
        if isinstance(lost, int) and lost > 0:
            ended.append(event.ended)
            losses.append(lost)
    order = np.argsort(ended, kind="stable")
    total = np.cumsum(np.array(losses, np.int64)[order])
    return Losses(np.array(ended, np.int64)[order], np.concatenate([[0], total]))


NONE = losses_of(())
