"""
When a board took its samples: its own counter tells, once it is understood.

USB hands samples over in bursts (FTDI: every 16 ms), so the moment of arrival says
little about one sample. A board of fixed rate that counts its samples gets a
`DeviceClock`; one that sends at its own pace is dated by `arrivals`, and flagged so.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.envelope import Envelope
from edge.records import MonotonicNs

SECOND_NS = 1_000_000_000
LONGEST_GAP_NS = 10 * SECOND_NS
"""A longer silence ends the segment: nobody knows what the board did meanwhile."""

BITS_PER_BYTE = 10
"""On the line: start bit, eight data bits, stop bit."""

ARRIVAL_UNCERTAINTY_NS = 20_000_000
"""Of a line dated by its arrival: FTDI's 16 ms latency timer and some scheduling."""


class Timing(NamedTuple):
    """When a run of samples was taken."""

    start: MonotonicNs  # instant of the first sample
    period_ns: float  # from one to the next
    uncertainty_ns: int  # half width of the interval that holds the true instant


class Break(NamedTuple):
    """Where samples do not follow one another."""

    at: int  # position in the call's samples before which something is missing
    lost: int  # how many samples; -1 where nobody can know
    cause: str  # one sentence for people
    resets: bool  # a new segment begins at `at`


class Continuity(NamedTuple):
    """What the counters of one call say."""

    indices: NDArray[np.int64]  # shape (n,): counts on over loss, is never used twice
    breaks: tuple[Break, ...]  # in order; usually none


class DeviceClock:
    """
    Sample counter to monotonic time, for one board of fixed rate.

    Causal: what `stamp` answers depends on earlier calls of `observe` alone. Within
    a segment the instants of later samples are later.
    """

    def __init__(self, sampling_rate_hz: float, modulus: int) -> None:
        self._period_ns = SECOND_NS / sampling_rate_hz
        self._modulus = modulus
        self._next = 0  # index of the sample to come
        self._counter = -1  # of the newest sample; -1 before the first
        self._received = MonotonicNs(0)
        self._cause = "first samples"
        self._first = 0  # index of the segment's first sample
        self._envelope = Envelope(self._period_ns)
        self._before: tuple[int, Envelope] | None = None
        self._stamped: tuple[int, float, float] | None = None

    def observe(self, counter: NDArray[np.int64], received: MonotonicNs) -> Continuity:
        """
        Return where the samples of one read belong: *counter* as the board sent
        them, shape (n,), read at *received*.
        """
        n = len(counter)
        if n == 0:
            return Continuity(np.zeros(0, np.int64), ())
        breaks: list[Break] = []
        steps = np.diff(counter, prepend=self._counter) % self._modulus
        if self._counter < 0:
            steps[0] = 1
        if self._cause or received - self._received > LONGEST_GAP_NS:
            cause = self._cause or "nothing came for more than 10 s"
            breaks.append(Break(0, -1, cause, True))
            steps[0] = 1
            self._begin(self._next)
        for at in np.flatnonzero(steps != 1):
            lost = int(steps[at] - 1) % self._modulus
            breaks.append(Break(int(at), lost, f"{lost} samples lost", False))
        index = self._next - 1 + np.cumsum(np.where(steps == 0, self._modulus, steps))
        self._next = int(index[-1]) + 1
        self._counter = int(counter[-1])
        self._received = received
        self._envelope.add(self._next - 1, received, n)
        return Continuity(index, tuple(breaks))

    def stamp(self, index: int) -> Timing:
        """
        Return when the sample *index* and those after it were taken, as known by
        now. For a sample of the segment before, if the present one just began.
        """
        if index < self._first and self._before:
            line = self._before[1].line(index)
        else:
            line = self._envelope.line(index)
        start = line.instant
        if self._stamped and self._stamped[0] >= self._first:
            at, instant, period_ns = self._stamped
            start = max(start, instant + (index - at - 0.5) * period_ns)
        self._stamped = (index, start, line.period_ns)
        return Timing(
            MonotonicNs(round(start)), line.period_ns, int(line.uncertainty_ns)
        )

    def reset(self, cause: str) -> None:
        """Forget the board's time: the next samples begin a segment, for *cause*."""
        self._cause = cause

    def _begin(self, index: int) -> None:
        self._before = (self._first, self._envelope)
        self._first = index
        self._envelope = Envelope(self._period_ns)
        self._cause = ""


def arrivals(
    ends: NDArray[np.int64],
    size: int,
    received: MonotonicNs,
    baud: int,
    after: MonotonicNs | None = None,
) -> tuple[NDArray[np.int64], int]:
    """
    Return when each packet of one read began on the line, int64 nanoseconds of
    monotonic time of shape (n,), and the uncertainty in nanoseconds.

    *ends* says how many of the read's *size* bytes were in up to each packet's end.
    *after*, the last instant returned before, keeps the result rising.
    """
    byte_ns = BITS_PER_BYTE * SECOND_NS / baud
    begins = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    instants = received - np.round((size - begins) * byte_ns).astype(np.int64)
    if after is not None:
        instants = np.maximum(instants, after + 1 + np.arange(len(ends)))
    return instants, ARRIVAL_UNCERTAINTY_NS
