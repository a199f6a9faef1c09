"""
Heart rate from a lead, for boards that send none; what it gives is *derived*.

Only numpy: the libraries kept for this need SciPy, which alone is larger than all else
on the box, or find fewer beats (`scripts/bench heart`).
"""

from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.heart.counting import miscounted
from edge.heart.features import mean_over
from edge.heart.finder import KEPT_INTERVALS, LATE_S, STEP_S, Beat, BeatFinder
from edge.records import BoxNs

SLOWEST_HZ = 90.0
"""A QRS complex lasts 80 ms: sampled more slowly, it has no shape left."""

FINDER_HZ = 120.0  # leads sampled twice as fast, or faster, are averaged down
RECENT_S = 10.0  # beats that the rate is told from
PAUSE_S = 4.0  # since the last beat: there is no rate
SURE = 1.0  # score of a beat that stands by itself
KEPT_S = RECENT_S + LATE_S + STEP_S + 1.0  # a rate is told so late at most
MISSING_AT_MOST = 0.2  # share of the last seconds without a value
HOLE_S = 0.024  # without a value: of MIT-BIH 100, 28 ms hide beats and 20 ms do not
APART_NS = 100_000_000  # a jump of the samples' instants is a new beginning
UNSURE_NS = 20_000_000  # instants of a clock that has just begun move back by so much
FEWEST_BEATS = 4


Reason = Literal[
    "learning", "noisy", "no_beats", "lead_off", "samples_lost", "too_slow"
]
"""Why there is no rate."""


class Rate(NamedTuple):
    """The heart rate at one instant, or why there is none."""

    instant: BoxNs  # up to which the lead was looked at
    bpm: float | None
    quality: float  # share of the beats it rests on that stand by themselves, 0 to 1
    reason: Reason | Literal[""]  # "" where there is a rate


class HeartRate:
    """Heart rate from one lead of *sampling_rate_hz*."""

    def __init__(self, sampling_rate_hz: float) -> None:
        self._rate_hz = sampling_rate_hz
        self._every = max(1, int(sampling_rate_hz // FINDER_HZ))
        self._period_ns = 1e9 / max(sampling_rate_hz, 1e-3)
        self._begin()

    def _begin(self) -> None:
        """Forget everything."""
        self._finder = BeatFinder(max(self._rate_hz, 1.0) / self._every)
        self._samples = 0  # taken or lost since the beginning
        self._lost: list[tuple[int, int]] = []  # lately: number of the first, how many
        self._behind_ns = 0.0  # the numbers, to the instants; less than a sample
        self._chunk_ns = 0  # instant of the first sample of the newest chunk
        self._chunk_first = 0  # its number
        self._rest = np.empty(0)
        self._missing = np.empty(0, bool)  # of the last seconds, each finder's sample
        self._beats: list[Beat] = []
        self._last_mv = 0.0
        self._told = 0  # seconds, by the finder's samples

    def feed(
        self, millivolts: NDArray[np.float64], start_ns: BoxNs, period_ns: float = 0.0
    ) -> list[Rate]:
        """
        Return a rate for each second that *millivolts* completes: samples of shape
        (n,), NaN where there is no value, the first at *start_ns*, the others
        *period_ns* apart (as the sampling rate says if 0). Samples that were lost
        before them have no value; those that do not follow at all begin anew.
        """
        lost = self._lost_before(start_ns)
        self._chunk_ns, self._chunk_first = start_ns, self._samples
        self._period_ns = period_ns or self._period_ns
        self._samples += len(millivolts)
        self._take(np.concatenate((self._rest, np.full(lost, np.nan), millivolts)))
        return self._tell()

    def _lost_before(self, start_ns: BoxNs) -> int:
        """
        Return how many samples are missing before *start_ns*, and count them: what
        comes after them would else be too early, and the rate too high.
        """
        jump_ns = start_ns - self._instant(self._samples)
        if abs(jump_ns) > APART_NS:
            self._begin()
            return 0
        # Added up, since a jump to and fro of a clock is no loss.
        self._behind_ns = max(self._behind_ns + jump_ns, -UNSURE_NS)
        lost = max(0, round(self._behind_ns / self._period_ns))
        if lost:
            self._behind_ns -= lost * self._period_ns
            recent = self._samples - KEPT_S * self._rate_hz
            self._lost = [one for one in self._lost if one[0] > recent]
            self._lost.append((self._samples, lost))
            self._samples += lost
        return lost

    def _instant(self, sample: int) -> BoxNs:
        """
        Return when *sample*, counted from the beginning, was taken: by the newest
        chunk, since a period refined by 1 ppm moves what is 12 h away by 43 ms.
        """
        apart_ns = round((sample - self._chunk_first) * self._period_ns)
        return BoxNs(self._chunk_ns + apart_ns)

    def _take(self, millivolts: NDArray[np.float64]) -> None:
        """Give the finder what it wants: fewer samples, all with a value."""
        whole = len(millivolts) // self._every * self._every
        self._rest = millivolts[whole:]
        several = millivolts[:whole].reshape(-1, self._every)
        known = ~np.isnan(several)
        missing = ~known.any(axis=1)
        total = np.where(known, several, 0.0).sum(axis=1)
        signal = total / np.maximum(1, known.sum(axis=1))
        if len(signal):
            held = np.where(missing, 0, np.arange(1, len(signal) + 1))
            index = np.maximum.accumulate(held)
            signal = np.concatenate(([self._last_mv], signal))[index]
            self._last_mv = float(signal[-1])
        keep = round(KEPT_S * self._finder.rate_hz)
        self._missing = np.concatenate((self._missing, missing))[-keep:]
        if self._rate_hz >= SLOWEST_HZ:
            self._beats = [*self._beats, *self._finder.feed(signal)][-100:]

    def _tell(self) -> list[Rate]:
        """Return a rate for each new second."""
        rate_hz = self._finder.rate_hz
        known = self._finder.decided
        if self._rate_hz < SLOWEST_HZ:
            known = self._samples // self._every
        told = []
        while (self._told + 1) * rate_hz <= known:
            self._told += 1
            told.append(self._rate_at(round(self._told * rate_hz)))
        return told

    def _rate_at(self, sample: int) -> Rate:
        """Return the rate at *sample* of the finder's."""
        rate_hz = self._finder.rate_hz
        instant = self._instant(sample * self._every)
        beats = [
            beat
            for beat in self._beats
            if sample - RECENT_S * rate_hz < beat.sample <= sample
        ][-KEPT_INTERVALS - 1 :]
        reason = self._doubt(sample, beats)
        quality = sum(beat.score >= SURE for beat in beats) / max(1, len(beats))
        if not reason and miscounted(beats, rate_hz):
            reason = "noisy"
        if reason or quality < 0.6:
            return Rate(instant, None, round(quality, 2), reason or "noisy")
        intervals = self._unbroken(beats)
        if len(intervals) < max(FEWEST_BEATS - 1, len(beats) / 2):
            return Rate(instant, None, round(quality, 2), self._why_missing())
        span_ns = sum(intervals) * self._every * self._period_ns
        return Rate(instant, 60e9 * len(intervals) / span_ns, round(quality, 2), "")

    def _unbroken(self, beats: list[Beat]) -> list[int]:
        """Return the intervals between *beats*, but for those with a hole."""
        first = (self._samples - len(self._rest)) // self._every - len(self._missing)
        width = max(1, round(HOLE_S * self._finder.rate_hz))
        holes = mean_over(self._missing, width) > 1 - 0.5 / width
        return [
            after - before
            for before, after in pairwise(beat.sample for beat in beats)
            if not holes[max(0, before - first) : max(0, after - first)].any()
        ]

    def _doubt(self, sample: int, beats: list[Beat]) -> Reason | Literal[""]:
        """Return why there can be no rate at *sample*, "" if there can."""
        rate_hz = self._finder.rate_hz
        if self._rate_hz < SLOWEST_HZ:
            return "too_slow"
        recent = self._missing[-round(RECENT_S * rate_hz) :]
        if recent.sum() > MISSING_AT_MOST * len(recent):
            return self._why_missing()
        if beats and sample - beats[-1].sample > PAUSE_S * rate_hz:
            return "no_beats"
        if len(beats) >= FEWEST_BEATS:
            return ""
        if sample < 2 * RECENT_S * rate_hz:
            return "learning"
        return "no_beats"

    def _why_missing(self) -> Reason:
        """Return where most of what is missing lately was lost."""
        recent = self._samples - KEPT_S * self._rate_hz
        lost = sum(count for first, count in self._lost if first > recent)
        mostly = 2 * lost > self._missing.sum() * self._every
        return "samples_lost" if mostly else "lead_off"
