"""
When samples were taken, from when they arrived: the lower envelope of arrivals.

Delay is only ever added, so the smoothest line under all arrivals is the truth plus
a constant. Pure arithmetic; `edge.deviceclock` feeds it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SECOND_NS = 1_000_000_000


class Line(NamedTuple):
    """Sample index to nanoseconds, near one sample."""

    sample: int
    instant: float  # of that sample
    period_ns: float
    uncertainty_ns: float


class Envelope:
    """Learns the line under arrivals of one segment."""

    BINS = 300

    def __init__(self, period_ns: float) -> None:
        self._nominal = period_ns
        self._origin: tuple[int, int] | None = None
        self._bins: list[tuple[float, float]] = []
        self._low: tuple[float, float] | None = None
        self._bin_ends = 0.0
        self._slope = 0.0  # of the residual against nominal time
        self._offset = 0.0
        self._size = 1  # samples of the largest burst

    def add(self, index: int, arrival: int, samples: int) -> None:
        """Take note that sample *index*, the newest of *samples*, arrived."""
        if self._origin is None:
            self._origin = (index, arrival)
        tau = (index - self._origin[0]) * self._nominal
        residual = arrival - self._origin[1] - tau
        if self._low is None:
            self._low = (tau, residual)
            self._bin_ends = tau + SECOND_NS
            self._offset = residual
        elif tau >= self._bin_ends:
            self._bins.append(self._low)
            del self._bins[: -self.BINS]
            self._low = (tau, residual)
            self._bin_ends = tau + SECOND_NS
            self._fit()
        elif residual - self._low[1] < self._slope * (tau - self._low[0]):
            self._low = (tau, residual)
        self._offset = min(self._offset, residual - self._slope * tau)

    def line(self, index: int) -> Line:
        """Return the line near *index*, as known by now."""
        assert self._origin is not None
        tau = (index - self._origin[0]) * self._nominal
        return Line(
            index,
            self._origin[1] + tau + self._offset + self._slope * tau,
            self._nominal * (1 + self._slope),
            min(self._nominal, 4e6),
        )

    def _fit(self) -> None:
        points = np.array(self._bins)
        if len(points) > 30:
            hull = lower_hull(points)
            middle = points[:, 0].mean()
            right = max(1, int(np.searchsorted(hull[:, 0], middle)))
            (x0, y0), (x1, y1) = hull[right - 1], hull[right]
            self._slope = (y1 - y0) / (x1 - x0)
        self._offset = float((points[:, 1] - self._slope * points[:, 0]).min())


def lower_hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lower convex hull of *points*, shape (n, 2), sorted by the first."""
    hull: list[tuple[float, float]] = []
    for x, y in points:
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2:]
            if (x1 - x0) * (y - y0) > (y1 - y0) * (x - x0):
                break
            hull.pop()
        hull.append((x, y))
    return np.array(hull)
