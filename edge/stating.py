"""
The vitals of a board that sends lines: which of them are worth a record, by time.

Its decoder tells each change, and knows no time. A value that stays is stated again
each second, so that its age tells whether the board still sends it; one that is sent
no more is so stated once.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from edge.records import BoxNs, Vital

AGAIN_NS = 900_000_000
"""A bit less than a second, so that a board of 1 Hz states each of its values."""

GONE_NS = 3_000_000_000
"""A vital that comes in some lines alone is not gone in those between."""


class Stating:
    """What a board said last of each vital."""

    def __init__(self) -> None:
        self._last: dict[str, Vital] = {}
        self._absent: dict[str, BoxNs] = {}  # since when it is not sent

    def feed(self, told: Iterable[Vital], instants: NDArray[np.int64]) -> list[Vital]:
        """
        Return what to keep of the changes *told* with the samples at *instants*, shape
        (n,), n at least 1.
        """
        kept = []
        for vital in told:
            if vital.reason == "not_sent":
                self._absent[vital.name] = vital.sampled
            else:
                self._absent.pop(vital.name, None)
                self._last[vital.name] = vital
                kept.append(vital)
        for name in list(self._last):
            if name in self._absent:
                kept += self._gone(name, BoxNs(int(instants[-1])))
            else:
                kept += self._again(name, instants)
        return kept

    def _again(self, name: str, instants: NDArray[np.int64]) -> Iterator[Vital]:
        """Yield the vital *name* once more for each second without a change."""
        while True:
            vital = self._last[name]
            due = int(np.searchsorted(instants, vital.sampled + AGAIN_NS))
            if due == len(instants):
                return
            self._last[name] = vital._replace(sampled=BoxNs(int(instants[due])))
            yield self._last[name]

    def _gone(self, name: str, now: BoxNs) -> Iterator[Vital]:
        """Yield that the vital *name* is sent no more, once that is sure *now*."""
        if now - self._absent[name] >= GONE_NS:
            vital = self._last.pop(name)
            del self._absent[name]
            yield vital._replace(sampled=now, value=None, reason="not_sent")
