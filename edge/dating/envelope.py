"""
When samples were taken, from when they arrived.

Every read of the port says two things. Its newest sample had been taken, so that
sample's instant lies before the arrival; and the next sample had not come, so it lies
not a whole period earlier either. Between reads the board's clock runs evenly, its
rate changing slowly. `Envelope` keeps all pairs of offset and rate that agree with
every read so far: a small convex polygon, cut by reads and growing with time. Its
middle is the estimate, its width the uncertainty. Delay is only ever added, so a
stall cuts nothing away and does no harm.

This is set-membership estimation (F. C. Schweppe, IEEE Trans. Automatic Control 13,
1968) in two dimensions, where the exact set is cheap to keep.
"""

from collections import deque
from itertools import pairwise
from typing import NamedTuple

from edge.dating.polygon import Pair, Polygon, cut, rectangle, thinned, widened
from edge.dating.waits import Bin, Waits

SECOND_NS = 1_000_000_000

RATE_BOUND = 600e-6
"""A crystal is within 100 ppm or so; the host's clock may be slewed by 500 more."""

WIDEST = 0.03
"""But many a board has none: an ADS1299's own oscillator is within 2.5 % over all
temperatures. So much may a rate be beside the stated one while it is learnt."""

DRIFT_PER_NS = 0.04e-6 / SECOND_NS
"""Fastest lasting change of rate: 24 ppm in ten minutes, a box in a warming room."""

BIN_NS = SECOND_NS // 2
BIN_READS = 16
LONG_BIN_NS = 4 * SECOND_NS
LONG_BIN_READS = 4
"""Reads are weighed together: for this long and this many; of a port that is read
seldom, fewer for longer. One of them at least was not late."""

HELD_UP_NS = 20_000_000
HELD_UP_TIMES = 3
"""A read that comes so much longer after the one before than its samples took, or so
much sooner, was held up or catches up: it may be late, so it counts for none of these,
nor does the time that it makes up for."""

HAND_OVER_BINS = 12
"""How long the least late packet of a bin waits shows in so many: all that it can,
unless hand-over keeps step with packets."""

AHEAD_BINS = 4
"""From the bin that an estimate comes from to the samples it is used for, at most."""

LATE_BINS = 4
"""So many bins in a row that come too late are no stall: time itself has moved."""


class Line(NamedTuple):
    """Sample number to nanoseconds, near one sample."""

    instant: float  # of that sample
    period_ns: float
    uncertainty_ns: float  # half width, for the samples of the second that follows


class Envelope:
    """
    Learns when the samples of one segment were taken.

    Times inside are nanoseconds since the first read. *y* is an arrival less the
    nominal time of its newest sample; offset and rate are those of the true time
    against the nominal one. With *uncounted* samples may vanish without a trace, which
    puts all later ones off. A *learnt* period is no crystal's. *batch* samples make a
    packet.
    """

    def __init__(
        self,
        period_ns: float,
        uncounted: bool = False,
        learnt: bool = False,
        batch: int = 1,
    ) -> None:
        self._period = period_ns
        self._packet = period_ns * batch  # from one to the next: the longest wait
        self._wait = period_ns  # of packets: how long the least late did, at most
        self._least_late: deque[Pair] = deque(maxlen=HAND_OVER_BINS)  # of the bins
        self._uncounted = uncounted
        self._learnt = learnt
        self._origin: tuple[int, int] | None = None  # sample, arrival
        self._polygon: Polygon = []
        self._at = 0.0  # when the polygon holds
        self._rate = 0.0
        self._middle = 0.0  # estimated offset at _at
        self._vanishing = 0.0  # how much later samples get in a bin by uncounted loss
        self._usual = 0.0  # rate of a board without a crystal
        self._settled = False  # whether the rate was seen to be near that
        self._waits = Waits(period_ns)
        self._bin_ns = float(BIN_NS)  # how long bins are, lately
        self._late_bins = 0
        self._early_bins = 0
        self._lost_bins = 0
        self._lost_ns = 0.0  # how much too late all came in these, by samples lost
        self._track: list[Pair] = []  # least late reads of the latest bins
        self.stray = 0.0  # rate so far beside the stated one that it must be another
        self.late_ns = 0.0  # how much too late everything has come for seconds
        self._half = period_ns / 2
        self._lowest = (0.0, 0.0)  # time and y of the least late read
        self._newest = (0.0, 0.0)  # and of the last
        self._begin_bin(0.0)

    def _begin_bin(self, begins: float) -> None:
        time, y = self._lowest
        # What the bin before leads to expect of the least late read.
        self._least = y - self._rate * (time - begins)
        self._begins = begins
        self._stood = 0.0  # how much of the bin was made up for after a stall
        self._reads = 0
        self._near = 0  # reads that waited up to half a period above the least, …
        self._far = 0  # … and up to a whole one
        self._several = 0  # reads of more than one sample
        self._low = float("inf")

    def add(self, sample: int, arrival: int, samples: int) -> None:
        """Take note that *sample*, the newest of a read of *samples*, arrived."""
        if self._origin is None:
            self._origin = sample, arrival
        time = (sample - self._origin[0]) * self._period
        y = arrival - self._origin[1] - time
        age = time - self._begins
        over = y - self._rate * age
        before, y_before = self._newest
        self._newest = time, y
        later = y - y_before
        if abs(later) > HELD_UP_NS and is_held_up(time - before, later):
            self._stood += time - before
        else:
            self._reads += 1
            above = over - self._least
            self._near += above <= self._half
            self._far += above <= self._period
            self._several += samples > 1
        if over < self._low:
            self._low = over
            self._lowest = time, y
        watched = age - self._stood
        if watched >= BIN_NS and (
            self._reads >= BIN_READS
            or (watched >= LONG_BIN_NS and self._reads >= LONG_BIN_READS)
        ):
            self._bin_ns += (age - self._bin_ns) / 10
            self._close_bin()
            self._begin_bin(time)

    @property
    def usual_period_ns(self) -> float | None:
        """The stated period, or the one that shows instead; while unsure, ``None``."""
        return self._period * (1 + self._usual) if self._settled else None

    @property
    def knows(self) -> bool:
        """Whether enough came to tell a late arrival from an early one."""
        return bool(self._polygon)

    def lateness(self, sample: int, arrival: int) -> float:
        """Return how long after its estimated instant *sample* arrived, in ns."""
        if self._origin is None:
            return 0.0
        time = (sample - self._origin[0]) * self._period
        middle = self._middle + self._rate * (time - self._at)
        return arrival - self._origin[1] - time - middle

    def line(self, sample: int) -> Line:
        """Return the line near *sample*, as known by now."""
        assert self._origin is not None
        time = (sample - self._origin[0]) * self._period
        low, high = self._offsets(time)
        low = min(low + 2 * self._slack(), high)
        high += AHEAD_BINS * self._vanishing
        slowest, fastest = self.rates()
        width = high - low + (fastest - slowest) * SECOND_NS
        if self._polygon and self._wait > self._period:
            # Packets that wait for long are dated by the least late, near the latest
            # instant that agrees: the middle would move while their wait is learnt.
            early = max(low, high - self._period)
            width += early - low
            low = early
        if self._packet > self._period and len(self._least_late) < HAND_OVER_BINS:
            width += 2 * (self._packet - self._period)
        return Line(
            self._origin[1] + time + (low + high) / 2,
            self._period * (1 + self._rate),
            width / 2,
        )

    def rates(self) -> Pair:
        """Return the lowest and the highest rate that agree with what came."""
        if not self._polygon:
            return self._bounds()
        rates = [rate for _, rate in self._polygon]
        return min(rates), max(rates)

    def _offsets(self, time: float) -> Pair:
        """Return the lowest and the highest offset that agree with what came."""
        if not self._polygon:
            # Nothing tells yet whether this was a stall: the least late read, and as
            # much doubt as reads are apart.
            doubt = max(2 * self._packet, 2 * time / max(self._reads, 1), 1e8)
            y = self._lowest[1] - self._period / 2
            return y - doubt, y + doubt
        ahead = time - self._at
        offsets = [offset + rate * ahead for offset, rate in self._polygon]
        return min(offsets), max(offsets)

    def _slack(self) -> float:
        """
        Return half of what the lower bound is loose by.

        The longest wait lasts for an instant only and falls between bins, so that the
        bound misses some of what the board's clock slips in a bin.
        """
        if not self._polygon or self._usual:
            return 0.0
        return abs(self._rate) * self._bin_ns / 8

    def _bounds(self) -> Pair:
        """Return between which rates the board's may be, whatever came."""
        by = RATE_BOUND if self._settled else WIDEST
        return self._usual - by, self._usual + by

    def _near_usual(self) -> bool:
        slowest, fastest = self.rates()
        away = max(self._usual - slowest, fastest - self._usual)
        return away <= 1.1 * RATE_BOUND  # which allows for what a drift adds in time

    def _settle(self) -> None:
        """Find out which rate is usual here: the stated one, unless that cannot be."""
        slowest, fastest = self.rates()
        away = max(slowest - self._usual, self._usual - fastest)
        if away > RATE_BOUND or (self._usual and not self._settled):
            self._usual = (slowest + fastest) / 2
        self._settled |= self._near_usual()

    def _close_bin(self) -> None:
        time, y = self._lowest
        reads = self._reads
        near, far = self._near / reads, self._far / reads
        level = y - self._usual * time
        self._waits.add(Bin(time, level, near, far, self._several / reads))
        self._track = [*self._track[-LATE_BINS:], (time, y)]
        if self._polygon:
            self._advance(time)
            self._bound_above(y)
            # By a wrong rate a read seems the least late that is not.
            slowest, fastest = self.rates()
            blur = (fastest - slowest) / 2 * (time - self._begins)
            self._bound_below(y - self._longest(time) - self._waits.noise - blur)
            self._polygon = thinned(self._polygon)
            self._settle()
        else:
            self._at = time
            self._start_anew(y)
        self._rate = sum(self.rates()) / 2
        self._middle = sum(self._offsets(time)) / 2

    def _longest(self, time: float) -> float:
        """Return how long the newest sample of a read may have waited at most."""
        if self._packet > self._period:
            return self._handed_over()
        # Where the board slips faster than crystals do, waits show no pattern to learn.
        if self._learnt or self._usual or not self._near_usual():
            return self._period
        return self._waits.longest(time, self._rate, self._bin_ns)

    def _handed_over(self) -> float:
        """Return `_longest` of packets, which may be handed over at once when whole."""
        self._least_late.append(self._lowest)
        levels = [y - self._rate * time for time, y in self._least_late]
        waited = max(levels) - min(levels)
        self._wait = min(self._packet, max(self._period, waited))
        return self._wait

    def _advance(self, time: float) -> None:
        ahead = time - self._at
        moved = [(offset + rate * ahead, rate) for offset, rate in self._polygon]
        self._polygon = widened(moved, DRIFT_PER_NS * abs(ahead))
        self._at = time

    def _bound_above(self, level: float) -> None:
        low, high = self._offsets(self._at)
        self._vanishing *= 0.9
        if self._uncounted and level > high:
            # What came later than it could have is as many periods too late as samples
            # were lost; it may be one, unseen.
            late_ns = level - self._packet - self._waits.noise - high
            self._lost_ns = max(self._lost_ns, late_ns)
            self._lost_bins += 1
            self._vanishing += (level - high) / 10
            self._polygon = rectangle((low, level), self.rates())
            if self._lost_bins >= LATE_BINS:
                self._go_astray()
                self._tell_loss()
            return
        self._tell_loss()
        if level - low > self._waits.noise:
            self._early_bins = 0
            self._polygon = cut(self._polygon, level, 1)
        else:  # earlier than seemed possible: the host's clock was slewed, as one cause
            self._early_bins += 1
            if self._early_bins >= LATE_BINS:
                self._go_astray()
            self._start_anew(level)

    def _tell_loss(self) -> None:
        """Say how late samples came that vanished; at first it may be their rate."""
        if self._lost_bins:
            self.late_ns, self._lost_ns, self._lost_bins = self._lost_ns, 0.0, 0

    def _bound_below(self, level: float) -> None:
        low, high = self._offsets(self._at)
        if high - level > self._waits.noise:
            self._late_bins = 0
            if not self._uncounted:
                self.late_ns = 0.0
            if level > low:
                self._polygon = cut(self._polygon, level, -1)
            return
        self._late_bins += 1
        if self._late_bins >= LATE_BINS:
            self.late_ns = level - high
            self._go_astray()
            self._start_anew(self._lowest[1], low)

    def _go_astray(self) -> None:
        """Doubt the rate; where bin after bin says so, note which one it must be."""
        self._settled = False
        self._early_bins = 0
        slopes = [
            (y - y_before) / (time - before)
            for (before, y_before), (time, y) in pairwise(self._track)
        ]
        slope = sum(slopes) / len(slopes)
        if abs(slope) > WIDEST and max(abs(one - slope) for one in slopes) < (
            abs(slope) / 2
        ):
            self.stray = slope

    def _start_anew(self, y: float, low: float = float("inf")) -> None:
        """Allow any rate, and offsets from *low* or what *y* alone would say to *y*."""
        low = min(low, y - self._wait - self._waits.noise)
        self._polygon = rectangle((low, y), self._bounds())


def is_held_up(took: float, later: float) -> bool:
    """
    Return whether a read was late, or catches up, whose samples *took* so long and that
    came so much *later* than that after the one before.
    """
    longer, shorter = max(took + later, took), min(took + later, took)
    return longer > HELD_UP_TIMES * shorter + HELD_UP_NS
