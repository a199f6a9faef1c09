"""
Beats in one lead, as they come: the best explanation of the last eight seconds.

Where a beat may be is every peak of the QRS band's energy and of the likeness to the
beats so far. How sure each place is comes from likeness and, where the signal is clean,
from energy alone, so that a ventricular beat of another shape counts as well. Then the
sequence of places is taken that is the surest and the most regular (dynamic
programming): in noise the rhythm decides, in a clean signal it has no say.

Beats come 3.5 to 5.5 s late, so that most are seen with neighbours on either side.
The constants were set on MIT-BIH records 100, 105 and 119.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.heart.features import (
    AFTER_S,
    BEFORE_S,
    Features,
    Signal,
    features,
    largest_near,
    likeness,
    peaks,
)
from edge.heart.sequence import (
    FAST_REFRACTORY_S,
    REFRACTORY_S,
    Rhythm,
    cleanness,
    quietness,
    rivals,
    scores,
    sequence,
)

WINDOW_S = 8.0
STEP_S = 2.0  # half the cost of one second
LATE_S = 3.5
"""A beat is decided once so much is known after it: with 1.5 s four more of the 2570
beats of record 105 are missed."""
LEARN_S = 5.0  # of signal, before the first template
SILENCE_S = 5.0  # without a beat: learn anew

EDGE_S = 0.05  # at the end of a window, where the filters are not whole
NEAR_S = 0.08  # energy and likeness of one beat peak within
FINE_S = 0.02  # peaks of likeness that are so close are one

SMALLEST_MV = 0.008  # energy of the smallest beat that is learnt
KEPT_BEATS = 16  # whose median size is the standard
KEPT_INTERVALS = 8
MANY_RIVALS = 3  # of these
FAST_S = 0.3  # usual interval: above, a heart that was too fast is so no more


class Beat(NamedTuple):
    """One beat."""

    sample: int  # counted from the first that was fed
    score: float  # how sure: 2 is certain, below 0 is by rhythm alone
    shape: float  # correlation with the template
    size_mv: float  # energy
    rival: bool  # a place between it and the beat before is as good


class Places(NamedTuple):
    """Where beats may be: n places in a window, ascending; all of shape (n,)."""

    at: NDArray[np.intp]
    score: Signal
    shape: Signal
    size_mv: Signal


class BeatFinder:
    """Finds beats at *rate_hz*, 90 to 400; more costs more and finds no better."""

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self.beats: list[Beat] = []  # the latest, as many as the rhythm needs
        self.decided = 0  # samples up to which beats are known
        self.template: Signal | None = None
        self._before = round(BEFORE_S * rate_hz)
        self._after = round(AFTER_S * rate_hz)
        self._signal = np.empty(0)
        self._usual_mv = SMALLEST_MV
        self._refractory_s = REFRACTORY_S
        self._first = 0  # number of the first sample in it
        self._due = round(LEARN_S * rate_hz)

    def feed(self, millivolts: Signal) -> list[Beat]:
        """Return the beats that are decided by *millivolts*, of shape (n,)."""
        self._signal = np.concatenate((self._signal, millivolts))
        found: list[Beat] = []
        while self._first + len(self._signal) >= self._due:
            found += self._step(self._due, LATE_S)
            self._due += round(STEP_S * self.rate_hz)
        return found

    def finish(self) -> list[Beat]:
        """Return what is left at the end of a recording, but for its last 0.2 s."""
        return self._step(self._first + len(self._signal), 0.0)

    def _step(self, stop: int, late_s: float) -> list[Beat]:
        """Decide on the beats up to *late_s* before sample *stop*."""
        first = max(self._first, stop - round(WINDOW_S * self.rate_hz))
        self._signal = self._signal[first - self._first :]
        self._first = first
        found = features(self._signal[: stop - first], self.rate_hz)
        decided = stop - round(late_s * self.rate_hz)
        if self.template is None and not self._learn(found):
            self.decided = decided
            return []
        beats = [beat for beat in self._best(found) if beat.sample < decided]
        self._take(beats, found)
        self.decided = decided
        return beats

    def _take(self, beats: list[Beat], found: Features) -> None:
        """Learn from *beats*; forget what was learnt if they are none like it."""
        assert self.template is not None
        for beat in beats:
            at = beat.sample - self._first
            if beat.shape > 0.8:
                like = found.wide[at - self._before : at + self._after]
                self.template = self.template + 0.05 * (like - self.template)
        self.beats = (self.beats + beats)[-KEPT_BEATS:]
        recent = self.beats[-KEPT_INTERVALS:]
        if self._halved():
            self._refractory_s = FAST_REFRACTORY_S
        elif (self._interval() or np.inf) > FAST_S * self.rate_hz:
            self._refractory_s = REFRACTORY_S
        silent = self.decided - self.beats[-1].sample if self.beats else 0
        if silent > SILENCE_S * self.rate_hz or (
            len(recent) == KEPT_INTERVALS
            and sum(beat.shape for beat in recent) < 0.4 * KEPT_INTERVALS
        ):
            self.template = None

    def _learn(self, found: Features) -> bool:
        """Make a template of the largest complexes, if they are alike."""
        rate, energy = self.rate_hz, found.energy
        seconds = np.array_split(energy, max(1, round(len(energy) / rate)))
        usual = float(np.median([second.max() for second in seconds]))
        reach = round(0.06 * rate)
        edge = max(self._before, self._after) + reach
        large = [
            int(peak) - reach
            for peak in peaks(energy, round(0.2 * rate))
            if energy[peak] > 0.5 * usual and edge <= peak < len(energy) - edge
        ]
        if len(large) < 3 or usual < SMALLEST_MV:
            return False
        slope = np.abs(found.narrow)
        at = [i + int(slope[i : i + 2 * reach + 1].argmax()) for i in large]
        complexes = np.array(
            [found.wide[i - self._before : i + self._after] for i in at]
        )
        template = np.median(complexes, axis=0)
        alike = [float(np.corrcoef(one, template)[0, 1]) for one in complexes]
        if np.median(alike) < 0.7 or np.median(energy) > 0.6 * usual:
            return False
        self.template = template
        self.beats = self.beats[-1:]  # an electrode that has moved: of another size
        self._usual_mv = float(np.median(energy[at]))
        return True

    def _best(self, found: Features) -> list[Beat]:
        """Return the surest and most regular sequence of beats after the last one."""
        places = self._places(found)
        if not len(places.at):
            return []
        last = (self.beats[-1].sample - self._first) if self.beats else None
        end = len(found.wide) - self._after
        rhythm = Rhythm(
            self._interval(),
            quietness(found.energy, self._usual()),
            self._refractory_s * self.rate_hz,
        )
        at, score, shape, size = places
        chosen = sequence(at, score, last, end, rhythm, self.rate_hz)
        doubles = rivals(at, shape, size, chosen, last, self.rate_hz)
        return [
            Beat(
                self._first + int(at[index]),
                float(score[index]),
                float(shape[index]),
                float(size[index]),
                double,
            )
            for index, double in zip(chosen, doubles, strict=True)
        ]

    def _halved(self) -> bool:
        """Return whether many beats lately have another between them."""
        return sum(beat.rival for beat in self.beats[-KEPT_INTERVALS:]) >= MANY_RIVALS

    def _interval(self) -> float | None:
        """Return the usual interval in samples, ``None`` while it is not known."""
        if self._halved():
            return None
        samples = [beat.sample for beat in self.beats[-KEPT_INTERVALS - 1 :]]
        return float(np.median(np.diff(samples))) if len(samples) > 3 else None

    def _places(self, found: Features) -> Places:
        """Return where beats may be after the last one, and how sure each is."""
        assert self.template is not None
        rate = self.rate_hz
        like = likeness(found.wide, self.template, self._before)
        near = round(NEAR_S * rate)
        fit = like.shape * np.clip(like.size, 0, 1)
        fine = max(1, round(FINE_S * rate))
        at = {
            max(0, peak - near)
            + int(fit[max(0, peak - near) :][: 2 * near + 1].argmax())
            for peak in peaks(found.energy, round(0.11 * rate)).tolist()
        }
        at |= {peak for peak in peaks(fit, fine).tolist() if like.shape[peak] > 0.1}
        every = thinned(np.array(sorted(at), np.intp), fit, fine)
        size = largest_near(found.energy, near)[every]
        usual = self._usual()
        clean = cleanness(found.energy, usual)
        shape = like.shape[every]
        score = scores(every, shape, like.size[every], size / usual, clean, rate)
        begin = self._before
        if self.beats:
            begin = self.beats[-1].sample - self._first
            begin += round(FAST_REFRACTORY_S * rate)
        end = len(found.wide) - self._after - round(EDGE_S * rate)
        kept = (every >= begin) & (every < end)
        return Places(every[kept], score[kept], shape[kept], size[kept])

    def _usual(self) -> float:
        """Return the size of a usual beat."""
        if len(self.beats) >= 4:
            self._usual_mv = float(np.median([beat.size_mv for beat in self.beats]))
        return self._usual_mv


def thinned(at: NDArray[np.intp], fit: Signal, apart: int) -> NDArray[np.intp]:
    """Return *at* without those closer than *apart* to one with a better *fit*."""
    kept: list[int] = []
    for place in at.tolist():
        if kept and place - kept[-1] <= apart:
            if fit[place] > fit[kept[-1]]:
                kept[-1] = place
        else:
            kept.append(place)
    return np.array(kept, np.intp)
