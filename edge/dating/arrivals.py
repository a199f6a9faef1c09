"""
When the lines of a board were sent that counts nothing and sends at its own pace.

A line was on its way before it arrived; how long it waited for its read shows in how
evenly lines come. Several that came in one read are spread over the time since the
read before, if that is what so many usually take; if they take less, the board had
paused, and they belong to the end of it.
"""

from collections import deque
from itertools import accumulate
from statistics import median

import numpy as np
from numpy.typing import NDArray

from edge.records import MonotonicNs

SECOND_NS = 1_000_000_000

BITS_PER_BYTE = 10
"""On the line: start bit, eight data bits, stop bit."""

LEAST_UNCERTAINTY_NS = 20_000_000
"""Of a line dated by its arrival: FTDI's 16 ms latency timer and some scheduling."""

SCHEDULING_NS = 5_000_000

UNKNOWN_NS = 255_000_000
"""What came first may have waited as long as an FTDI can be told to."""

STEPS = 32
STEPS_ENOUGH = 5
"""The pace is that of the last reads; before there were some it is not known."""

EVERY = 4
"""It is worked out again after so many."""

EVEN_STEPS = 12
"""So many in a row show how long lines wait for their read."""

SEVERAL = 1.2
"""So many lines a read, and the port lets them wait."""

FORGETTING = 0.9
"""What of the longest wait is still allowed for when it is worked out again."""

PAUSE_TIMES = 3
"""A step so many times the usual one teaches no pace: nobody sent."""

FULL_BYTES = 4095
"""A read of so many emptied the kernel's buffer: more was held up behind it."""

AT_ONCE = 0.7
"""What was held up comes in less than this share of the time it was sent in."""

Instants = NDArray[np.int64]
Places = NDArray[np.float64]


class Arrivals:
    """Dates the lines of one board on a line of *baud* bit/s, read by read."""

    def __init__(self, baud: int) -> None:
        self._byte_ns = BITS_PER_BYTE * SECOND_NS / baud
        self._steps: deque[tuple[float, int]] = deque(maxlen=STEPS)  # time, lines
        self._reads = 0
        self._pace_ns = 0.0  # from one line to the next; 0 while unknown
        self._wait_ns = 0.0  # the longest of a read's newest line, if lines come evenly
        self._split_ns = 0.0  # how long the rest of a line waits at most, if any did
        self._read: int | None = None  # when bytes came last
        self._split = False  # whether they ended within a line
        self._newest: float | None = None  # when the newest line began at the latest
        self._last = -1  # the last instant returned
        self._held_up = False  # more is to come of what was

    def lost(self) -> None:
        """Forget when lines came last: the port was lost."""
        self._newest = self._read = None
        self._split = self._held_up = False

    def date(
        self, ends: Instants, size: int, received: MonotonicNs, damaged: Instants
    ) -> tuple[Instants, int]:
        """
        Return when each line of one read began on the line, int64 nanoseconds of
        monotonic time of shape (n,), rising, and the uncertainty in nanoseconds.

        *ends* says how many of the read's *size* bytes were in up to each line's end,
        *damaged*, shape (n,) or (0,), how many damaged lines came just before each.
        """
        self._note_split(ends, size, received)
        if not len(ends):
            return np.empty(0, np.int64), 0
        places = np.arange(1.0, len(ends) + 1)
        if len(damaged):
            places += np.cumsum(damaged)
        begins = int(ends[-2]) if len(ends) > 1 else 0
        newest = received - (size - begins) * self._byte_ns
        step = UNKNOWN_NS if self._newest is None else newest - self._newest
        if self._newest is None or not self._pace_ns:
            instants = newest - (ends[-1] - ends) * self._byte_ns
            doubt_ns = step + LEAST_UNCERTAINTY_NS
        else:
            instants, doubt_ns = self._spread(places, newest, step, size)
        if self._newest is not None:
            self._note(step, int(places[-1]))
        self._newest = newest
        found = np.rint(instants).astype(np.int64)
        if found[0] <= self._last:
            found = np.maximum(found, self._last + 1 + np.arange(len(found)))
        self._last = int(found[-1])
        return found, round(max(LEAST_UNCERTAINTY_NS, doubt_ns))

    def _spread(
        self, places: Places, newest: float, step: float, size: int
    ) -> tuple[Places, float]:
        """
        Return instants and uncertainty of the lines at *places* after the one before,
        once the pace is known.
        """
        wait_ns = min(self._wait_ns, self._split_ns or self._wait_ns)
        doubt_ns = 0.75 * wait_ns + SCHEDULING_NS
        count = float(places[-1])
        takes = count * self._pace_ns
        end = newest - wait_ns / 2
        missing = end - self._last - takes
        fast = self._held_up and step < AT_ONCE * takes
        self._held_up = missing > 0 and (size >= FULL_BYTES or fast)
        if self._held_up:
            return self._last + places * self._pace_ns, doubt_ns
        if missing > takes:  # the board had paused
            return end - (count - places) * self._pace_ns, doubt_ns
        even = (end - self._last) / count
        return self._last + places * even, doubt_ns + (abs(missing) if count > 1 else 0)

    def _note_split(self, ends: Instants, size: int, received: MonotonicNs) -> None:
        """Take note of how long the rest of a line has waited that began before."""
        if self._split and self._read is not None:
            waited = received - self._read
            self._split_ns = max(waited, FORGETTING * self._split_ns)
        self._read = received
        self._split = not len(ends) or bool(ends[-1] < size)

    def _note(self, step: float, count: int) -> None:
        """Take note that *count* lines came *step* after those before."""
        if self._pace_ns and step < AT_ONCE / 2 * count * self._pace_ns:
            before, lines = self._steps.pop()  # of one heap
            step, count = step + before, count + lines
        self._steps.append((step, count))
        self._reads += 1
        if len(self._steps) < STEPS_ENOUGH or (self._pace_ns and self._reads % EVERY):
            return
        limit = PAUSE_TIMES * median([step / count for step, count in self._steps])
        usual = [(step, count) for step, count in self._steps if step <= limit * count]
        lines = sum([count for _, count in usual])
        self._pace_ns = sum([step for step, _ in usual]) / lines
        # Lines that wait for others may do so in step, which does not show.
        least_ns = self._pace_ns if lines > SEVERAL * len(usual) else 0.0
        late = [step - count * self._pace_ns for step, count in usual[-EVEN_STEPS:]]
        waits = list(accumulate(late, initial=0.0))
        seen_ns = max(max(waits) - min(waits), least_ns)
        self._wait_ns = max(seen_ns, FORGETTING * self._wait_ns)
