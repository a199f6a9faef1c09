"""
A drawn heart: when it beats, and what three leads see of it.

Everything is a pure function of time, so that a test can ask for the truth of any
instant, days later, without having kept a sample. Seconds are counted from an
origin the caller chooses.

The shape of a beat is the sum of five Gaussians of McSharry, Clifford, Tarassenko
and Smith, "A dynamical model for generating synthetic electrocardiogram signals",
IEEE Trans. Biomed. Eng. 50 (2003) 289-294, table I: angles and widths are theirs,
stretched with the square root of the beat interval as in their ECGSYN. Amplitudes
are a healthy adult's. It is a picture of an ECG: no pathology, no electrode.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEADS = ("I", "II", "III")
"""The columns of `ecg_mv`; lead II is I + III, as Einthoven's triangle has it."""

BREATH_WANDER_MV = 0.04  # how far breathing moves the baseline, both ways
NOISE_MV = 0.008  # standard deviation of what muscles and electrodes add
NOISE_SAMPLES = 9973  # a prime: the tile never repeats in step with the heart


class Wave(NamedTuple):
    """One Gaussian of a beat."""

    angle_rad: float  # after the R peak; 2π is one beat
    width_rad: float
    peak_mv: float  # seen along its axis
    axis_deg: float  # where it points in the frontal plane


WAVES: dict[str, Wave] = {
    "P": Wave(-np.pi / 3, 0.25, 0.14, 60),
    "Q": Wave(-np.pi / 12, 0.1, -0.11, 20),
    "R": Wave(0.0, 0.1, 1.15, 55),
    "S": Wave(np.pi / 12, 0.1, -0.26, 75),
    "T": Wave(np.pi / 2, 0.4, 0.33, 45),
}


class Rhythm(NamedTuple):
    """How fast a heart beats; breathing and a slow wave speed it up and down."""

    rate_bpm: float = 68.0
    breaths_per_min: float = 14.0
    breath_depth: float = 0.07  # share of the rate: respiratory sinus arrhythmia
    slow_wave_hz: float = 0.1  # of the blood pressure (Mayer)
    slow_wave_depth: float = 0.03
    origin_rad: float = 0.0  # where the two waves stand at second 0


def rhythm(seed: int) -> Rhythm:
    """Return the rhythm of patient *seed*: at rest, 58 to 78 beats a minute."""
    draw = np.random.default_rng(seed)
    return Rhythm(
        rate_bpm=float(draw.uniform(58, 78)),
        breaths_per_min=float(draw.uniform(12, 16)),
        breath_depth=float(draw.uniform(0.05, 0.09)),
        origin_rad=float(draw.uniform(0, 2 * np.pi)),
    )


def beat_times(first_s: float, last_s: float, heart: Rhythm) -> NDArray[np.float64]:
    """
    Return the seconds of every R peak of *heart* from *first_s* to *last_s*,
    ascending: the instants at which its phase is a whole number.
    """
    ends = _phase(np.array([first_s, last_s]), heart)
    number = np.arange(np.ceil(ends[0]), np.floor(ends[1]) + 1)
    seconds = number * 60 / heart.rate_bpm
    for _ in range(12):  # Newton; the rate varies little, so it settles quickly
        seconds -= (_phase(seconds, heart) - number) / _rate_hz(seconds, heart)
    return seconds


def heart_rate_bpm(second: float, heart: Rhythm) -> float:
    """Return what a board would show at *second*: the mean over six beats."""
    peaks = beat_times(second - 18, second, heart)[-7:]
    return float(60 * (len(peaks) - 1) / (peaks[-1] - peaks[0]))


def ecg_mv(
    seconds: NDArray[np.float64], beats: NDArray[np.float64]
) -> NDArray[np.float64]:
    """
    Return the ECG at *seconds* of a heart with R peaks at *beats*, in millivolts:
    float64 of shape (len(seconds), 3), columns as in `LEADS`. *beats* ascend and
    should reach one beat beyond *seconds* on either side; at least two are needed.
    """
    intervals = np.append(np.diff(beats), beats[-1] - beats[-2])
    before = np.clip(np.searchsorted(beats, seconds, "right") - 1, 0, len(beats) - 1)
    after = np.minimum(before + 1, len(beats) - 1)
    first, third = _beat(seconds - beats[before], intervals[before])
    more = _beat(seconds - beats[after], intervals[after])
    alone = after != before
    first, third = first + alone * more[0], third + alone * more[1]
    return np.stack([first, first + third, third], axis=1)


def noise_mv(
    number: NDArray[np.int64], seconds: NDArray[np.float64], heart: Rhythm, seed: int
) -> NDArray[np.float64]:
    """
    Return what comes on top of the ECG in samples *number* taken at *seconds*:
    a baseline that breathes and white noise, shape (len(number), 3), millivolts,
    columns as in `LEADS`.
    """
    tile = _noise_tile(seed)
    wander = BREATH_WANDER_MV * np.sin(_breath_rad(seconds, heart))
    first, third = (tile[number % NOISE_SAMPLES] + wander[:, None] * [0.6, 0.4]).T
    return np.stack([first, first + third, third], axis=1)


@lru_cache(maxsize=4)
def _noise_tile(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, NOISE_MV, (NOISE_SAMPLES, 2))


def _beat(
    after_s: NDArray[np.float64], interval_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return leads I and III of the one beat whose R peak was *after_s* ago."""
    stretch = np.sqrt(interval_s)
    first = np.zeros_like(after_s)
    third = np.zeros_like(after_s)
    for wave in WAVES.values():
        angle = 2 * np.pi * after_s / stretch
        height = wave.peak_mv * np.exp(
            -((angle - wave.angle_rad) ** 2) / (2 * wave.width_rad**2)
        )
        first += height * np.cos(np.radians(wave.axis_deg))
        third += height * np.cos(np.radians(120 - wave.axis_deg))
    return first, third


def _breath_rad(seconds: NDArray[np.float64], heart: Rhythm) -> NDArray[np.float64]:
    return 2 * np.pi * heart.breaths_per_min / 60 * seconds + heart.origin_rad


def _slow_rad(seconds: NDArray[np.float64], heart: Rhythm) -> NDArray[np.float64]:
    return 2 * np.pi * heart.slow_wave_hz * seconds + 2 * heart.origin_rad


def _rate_hz(seconds: NDArray[np.float64], heart: Rhythm) -> NDArray[np.float64]:
    faster = heart.breath_depth * np.sin(_breath_rad(seconds, heart))
    faster = faster + heart.slow_wave_depth * np.sin(_slow_rad(seconds, heart))
    return heart.rate_bpm / 60 * (1 + faster)


def _phase(seconds: NDArray[np.float64], heart: Rhythm) -> NDArray[np.float64]:
    """Return beats since second 0: the integral of `_rate_hz`."""
    breath_hz = heart.breaths_per_min / 60
    breath = heart.breath_depth * np.cos(_breath_rad(seconds, heart)) / breath_hz
    slow = heart.slow_wave_depth * np.cos(_slow_rad(seconds, heart))
    slow = slow / heart.slow_wave_hz
    return heart.rate_bpm / 60 * (seconds - (breath + slow) / (2 * np.pi))
