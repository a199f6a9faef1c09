"""Whether beats were counted once each: a wrong rate is worse than none."""

import numpy as np

from edge.heart.finder import Beat

MISSED_AT_MOST = 0.15
"""Of the beats a rate rests on: two of nine missed are a rate a fifth too low."""

ECHO_S = 0.36
"""So soon after its beat a T wave peaks, in a QT interval of 0.44 s; the spikes of a
pacemaker for atrium and ventricle are closer. Ectopic beats mostly come later: none
of MIT-BIH 100, 105, 119 and 208 is so close."""

ECHO_SHARE = 0.9  # an echo's interval is so much of its neighbours at most
ECHO_SHAPE, ECHO_SIZE = 0.1, 1.2  # and its likeness so much another, or its size,
ECHO_LEAST = 0.4  # and so much like the template at least: less is an ectopic beat
ECHO_SPREAD_S = 0.04  # echoes follow their beats alike; beats in a flutter do not
ECHOES = 0.25  # of the intervals: fewer are a few early beats


def miscounted(beats: list[Beat], rate_hz: float) -> bool:
    """Return whether *beats* may be twice as many as there were, or half as many."""
    missed = sum(beat.rival for beat in beats)
    return missed > MISSED_AT_MOST * len(beats) or with_echoes(beats, rate_hz)


def with_echoes(beats: list[Beat], rate_hz: float) -> bool:
    """
    Return whether many of *beats* are close behind another, always as close and
    of another kind: T waves as high as the beat, or the second spike of a pacemaker.
    """
    if len(beats) < 3:
        return False
    intervals = np.diff([beat.sample for beat in beats]) / rate_hz
    around = np.pad(intervals, 1, constant_values=np.inf)
    shapes = np.array([beat.shape for beat in beats])
    other = np.abs(np.diff(shapes)) > ECHO_SHAPE
    sizes = np.abs(np.diff(np.log([beat.size_mv for beat in beats])))
    echo = (
        (intervals < ECHO_S)
        & (intervals < ECHO_SHARE * np.minimum(around[:-2], around[2:]))
        & (other | (sizes > np.log(ECHO_SIZE)))
        & (shapes[1:] > ECHO_LEAST)
    )
    echoes = intervals[echo]
    many = len(echoes) >= max(2, ECHOES * len(intervals))
    return many and float(np.ptp(echoes)) < ECHO_SPREAD_S
