"""How sure a place is that may be a beat, and which places make the best sequence."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.heart.features import Signal

LIKE, LIKE_SPREAD = 0.5, 0.25  # correlation that scores 0, and how much more scores 1
LIKE_CERTAIN = 2.0  # the most that likeness scores
LIKE_LEAST = 0.35  # of the usual energy: below, likeness counts less
SIZE_FREE = 0.5  # the template's size may differ by so much, as a logarithm

ENERGY = 0.4  # of the usual beat's energy: scores 0
ENERGY_SLOPE = 1.2  # score for each doubling
CLEAN_SLOPE = 1.5  # times so much, and
CLEAN_BONUS = 1.5  # so much more at most, where the signal is clean
CLEAN_BELOW, NOISY_ABOVE = 0.22, 0.42  # median energy, of the usual beat's

OVERSHADOWED_S = 0.42  # a T wave is so close to its beat, and
OVERSHADOWED = 1.8  # the beat is so much larger
OVERSHADOWED_COST = 1.5

IRREGULAR_COST = 1.6  # what any interval costs at most, in noise
QUIET_DISCOUNT = 0.75  # how much less where it is quiet nearly all the time:
QUIET_SHARE, QUIET_BELOW, LOUD_ABOVE = 0.8, 0.3, 0.5  # of the time; energy, as above
SPREAD = 0.09  # of intervals, as a share: one spread off costs a half
LONGEST_S = 3.0  # between two beats of one sequence
REFRACTORY_S = 0.25  # between two beats; with less, wide ones count twice, but
FAST_REFRACTORY_S = 0.18  # less if there is one as alike between most: above 235/min

RIVAL_SHAPE = 0.9  # a place that is not chosen is as good as one that is: so much like
RIVAL_SIZE = 0.8  # the template, and of its energy; 4 in 2570 intervals of MIT-BIH 105
RIVAL_APART_S = 0.11  # from the beats, or it is one of them

Places = NDArray[np.intp]


class Rhythm(NamedTuple):
    """What is known of the intervals between beats."""

    interval: float | None  # the usual one in samples, ``None`` before it is known
    quiet: float  # 0 in noise, where it has to help, to 1
    shortest: float  # interval in samples

    def cost(self, apart: Places) -> Signal:
        """Return what beats so far *apart* cost."""
        if self.interval is None:
            return np.zeros(len(apart))
        off = np.log(np.maximum(apart, 1) / self.interval) / SPREAD
        most = IRREGULAR_COST * (1 - QUIET_DISCOUNT * self.quiet)
        return np.minimum(most, off * off / 2)

    def waiting(self, apart: Places) -> Signal:
        """Return what the signal's end costs, so far *apart* from the last beat."""
        if self.interval is None:
            return np.zeros(len(apart))
        return np.where(apart > self.interval, self.cost(apart), 0.0)


def cleanness(energy: Signal, usual: float) -> float:
    """Return 1 for a signal that is quiet between *usual* beats, 0 in noise."""
    noise = float(np.median(energy)) / usual
    return float(np.clip((NOISY_ABOVE - noise) / (NOISY_ABOVE - CLEAN_BELOW), 0, 1))


def quietness(energy: Signal, usual: float) -> float:
    """Return 1 where nearly all the time is quiet, not one burst of noise; to 0."""
    noise = float(np.quantile(energy, QUIET_SHARE)) / usual
    return float(np.clip((LOUD_ABOVE - noise) / (LOUD_ABOVE - QUIET_BELOW), 0, 1))


def scores(
    at: Places, shape: Signal, fit: Signal, size: Signal, clean: float, rate_hz: float
) -> Signal:
    """
    Return how sure the places *at* are, between -2 and 2, in a *clean* signal up to
    3.5: by the correlation *shape* with the template and the size *fit* of it, or by
    the *size* of the energy, as a share of the usual. All of shape (n,).
    """
    like = (shape - LIKE) / LIKE_SPREAD
    off = np.abs(np.log(np.maximum(fit, 1e-3)))
    like = np.minimum(like - 2 * np.maximum(0, off - SIZE_FREE), LIKE_CERTAIN)
    log_size = np.log2(np.maximum(size, 1e-9))
    like += 2 * np.minimum(0, log_size - np.log2(LIKE_LEAST))
    strong = (log_size - np.log2(ENERGY)) * ENERGY_SLOPE
    most = LIKE_CERTAIN + CLEAN_BONUS * clean
    strong = np.where(
        strong > 0, np.minimum(strong * CLEAN_SLOPE * clean, most), strong
    )
    score = np.maximum(like, strong)
    close = np.abs(at[:, None] - at) < OVERSHADOWED_S * rate_hz
    larger = size > OVERSHADOWED * size[:, None]
    shadowed = (close & larger).any(axis=1) & (shape < 0.8)
    sureness: Signal = np.maximum(score - OVERSHADOWED_COST * clean * shadowed, -2)
    return sureness


def sequence(
    at: Places,
    score: Signal,
    last: int | None,
    end: int,
    rhythm: Rhythm,
    rate_hz: float,
) -> list[int]:
    """
    Return the indices of the best sequence among the places *at*: the largest sum of
    *score* less what irregular intervals cost, from the beat at *last* (if there was
    one) to *end*, where the signal ends.
    """
    best = score.copy()
    if last is not None:
        best -= rhythm.cost(at - last)
        best[at - last < round(rhythm.shortest)] = -np.inf
    before = np.full(len(at), -1)
    for index in range(1, len(at)):
        apart = at[index] - at[:index]
        sums = best[:index] + score[index] - rhythm.cost(apart)
        sums[(apart < rhythm.shortest) | (apart > LONGEST_S * rate_hz)] = -np.inf
        if sums.max() > best[index]:
            best[index], before[index] = sums.max(), sums.argmax()
    whole = best - rhythm.waiting(end - at)
    none = -rhythm.waiting(np.array([end - last]))[0] if last is not None else 0.0
    index = int(whole.argmax())
    if whole[index] < none:
        return []
    path = []
    while index >= 0:
        path.append(index)
        index = int(before[index])
    return path[::-1]


def rivals(
    at: Places,
    shape: Signal,
    size: Signal,
    chosen: list[int],
    last: int | None,
    rate_hz: float,
) -> list[bool]:
    """
    Return for each of the *chosen* among the places *at* whether one that was not is
    as good a beat, by its *shape* and *size*, as `scores` has them: between it and the
    beat before, that of the first at *last*.
    """
    apart = RIVAL_APART_S * rate_hz
    good = shape > RIVAL_SHAPE
    sizes = list(zip(at[good].tolist(), size[good].tolist(), strict=True))
    found = []
    for place, own in zip(at[chosen].tolist(), size[chosen].tolist(), strict=True):
        first = place if last is None else last
        between = (mv for k, mv in sizes if first + apart < k < place - apart)
        found.append(any(RIVAL_SIZE < mv / own < 1 / RIVAL_SIZE for mv in between))
        last = place
    return found
