"""
What is looked at to find beats: filtered signal, its energy, likeness to a template.

All filters are moving averages, so that they cost little on a small processor, need no
filter design for each sampling rate and delay all frequencies alike.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Signal = NDArray[np.float64]

WIDE_S = (0.014, 0.3)  # smoothing and baseline of what is compared in shape
NARROW_S = (0.022, 0.12)  # of the band in which the QRS complex has its energy
ENERGY_S = 0.1  # about the length of a QRS complex
BEFORE_S, AFTER_S = 0.12, 0.16  # of the template, about the middle of the complex


class Features(NamedTuple):
    """Of a stretch of n samples; all of shape (n,)."""

    wide: Signal  # mV, without baseline
    narrow: Signal  # mV, the band of the QRS complex
    energy: Signal  # mV, mean size of `narrow` about each sample


class Likeness(NamedTuple):
    """Of each sample's surroundings to a template; both of shape (n,)."""

    shape: Signal  # correlation, -1 to 1; -1 at the edges
    size: Signal  # 1 where it is as large as the template


def features(signal: Signal, rate_hz: float) -> Features:
    """Return the features of *signal*, in mV."""
    wide, narrow = (
        band(signal, smooth_s * rate_hz, baseline_s * rate_hz)
        for smooth_s, baseline_s in (WIDE_S, NARROW_S)
    )
    return Features(wide, narrow, mean_over(np.abs(narrow), ENERGY_S * rate_hz))


def band(signal: Signal, smooth: float, baseline: float) -> Signal:
    """Return *signal* smoothed over so many samples, less its mean over so many."""
    smoothed = mean_over(mean_over(signal, smooth), smooth)
    return smoothed - mean_over(smoothed, baseline)


def mean_over(signal: Signal, samples: float) -> Signal:
    """Return the mean of *signal* over so many *samples* about each."""
    width = max(1, round(samples))
    total = np.concatenate(([0.0], np.cumsum(signal)))
    at = np.arange(len(signal)) - width // 2
    first = np.clip(at, 0, len(signal))
    stop = np.clip(at + width, 0, len(signal))
    mean: Signal = (total[stop] - total[first]) / (stop - first)
    return mean


def largest_near(values: Signal, reach: int) -> Signal:
    """Return the largest of *values* within *reach* samples of each."""
    padded = np.pad(values, reach, constant_values=-np.inf)
    largest: Signal = sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    return largest


def peaks(values: Signal, reach: int) -> NDArray[np.intp]:
    """Return where *values* has a peak, the largest within *reach* samples."""
    inner = values[1:-1]
    peak = (inner > values[:-2]) & (inner >= values[2:])
    return 1 + np.flatnonzero(peak & (inner >= largest_near(values, reach)[1:-1]))


def likeness(wide: Signal, template: Signal, before: int) -> Likeness:
    """Compare *wide* about each sample with *template*, *before* of it before it."""
    length = len(template)
    form = template - template.mean()
    norm = float(np.linalg.norm(form))
    fit = np.correlate(wide, form / norm, "valid")
    total = np.concatenate(([0.0], np.cumsum(wide)))
    squares = np.concatenate(([0.0], np.cumsum(wide * wide)))
    mean = (total[length:] - total[:-length]) / length
    variance = squares[length:] - squares[:-length] - length * mean * mean
    shape = np.full(len(wide), -1.0)
    size = np.zeros(len(wide))
    at = slice(before, before + len(fit))
    shape[at] = fit / np.sqrt(np.maximum(variance, 1e-12))
    size[at] = fit / norm
    return Likeness(shape, size)
