"""
How long the newest sample of a read had waited for it: learnt for `envelope`.

A hand-over every so many milliseconds makes it wait for up to that long, or for up to
a sample's period, whichever is shorter. How long, and in which pattern, tells how
tightly an arrival bounds its sample's instant from below.
"""

from typing import NamedTuple

NOISE_NS = 20_000
"""How late the least late of several reads still is: scheduling."""

TOOTH_NS = 200_000
STEEPEST = 250e-6
TEETH = 3
"""Against a fixed rhythm of hand-over waits grow or shrink evenly, as fast as the
board's clock slips, until they jump back by all of their range. Three such jumps
alike in size and direction show that range."""

EVEN_HALF = 0.35, 0.65
EVEN_WHOLE = 0.9
"""Of waits spread evenly over a period, half are below half of it and all below it."""

LEAST_SLIP = 10e-6
SEVERAL = 0.1
"""Two crystals hardly agree better. Where reads bring single samples and there was no
jump for as long as this slip needs to pass all waits, there is none to come: samples
are handed over at once. Where this share of reads brings several, they surely wait."""


class Bin(NamedTuple):
    """Some reads weighed together; times in nanoseconds."""

    time: float  # of the newest sample of the least late read
    y: float  # its arrival less its nominal time
    near: float  # share of reads at most half a period later than the bin before was
    far: float  # and at most a whole one
    several: float  # share of reads of more than one sample


class Waits:
    """How long the newest sample of a read has waited for it: learnt, bin by bin."""

    def __init__(self, period_ns: float) -> None:
        self._period = period_ns
        self._before: Bin | None = None
        self._tooth = 0.0  # the jumps' size
        self._teeth = 0  # how many alike in a row
        self._calm_since = 0.0  # since when waits have not jumped
        self._near = 1.0  # share of waits below half a period, lately
        self._far = 1.0  # and below a whole one
        self._several = 0.0  # share of reads of several samples
        self._step = 0.0  # from the bin before that one
        self._rough = float(NOISE_NS)  # median change of steps

    def add(self, seen: Bin) -> None:
        """Take note of a bin of reads."""
        self._several += (seen.several - self._several) / 20
        self._near += (seen.near - self._near) / 20
        self._far += (seen.far - self._far) / 20
        before, self._before = self._before, seen
        if before is None:
            return
        jump = seen.y - before.y
        rough, self._step = abs(jump - self._step), jump
        self._rough *= 1.05 if rough > self._rough else 1 / 1.05
        if abs(jump) < TOOTH_NS + STEEPEST * (seen.time - before.time) + self.noise:
            return
        self._calm_since = seen.time
        if self._teeth and 0.6 < jump / self._tooth < 1.7:
            self._teeth += 1
            self._tooth += (jump - self._tooth) / min(self._teeth, 8)
        else:
            self._teeth, self._tooth = 1, jump

    @property
    def _even(self) -> bool:
        low, high = EVEN_HALF
        return low < self._near < high and self._far > EVEN_WHOLE

    def _at_once(self, time: float) -> bool:
        calm = time - self._calm_since
        return self._several < SEVERAL and calm * LEAST_SLIP > self._period

    @property
    def noise(self) -> float:
        """How late the least late read of a bin may be."""
        # 0.6 times the median of second differences is a normal deviation.
        return NOISE_NS + 4 * 0.6 * self._rough

    def longest(self, time: float, rate: float, bin_ns: float) -> float:
        """
        Return how long the newest sample may have waited at most by *time*: a period,
        or less where hand-over is known to be quicker than samples.
        """
        if self._teeth >= TEETH:
            seen = abs(self._tooth) + abs(rate) * bin_ns
        elif self._even or self._at_once(time):
            seen = TOOTH_NS
        else:
            return self._period
        return min(self._period, seen + 2 * NOISE_NS)
