"""The drawn heart: beats and leads as functions of time."""

import numpy as np
import pytest

from edge.patient.heart import (
    NOISE_MV,
    Rhythm,
    beat_times,
    ecg_mv,
    heart_rate_bpm,
    noise_mv,
    rhythm,
)

RATE_HZ = 500.0


def test_a_steady_heart_beats_like_a_clock() -> None:
    steady = Rhythm(rate_bpm=60, breath_depth=0.0, slow_wave_depth=0.0)

    assert np.diff(beat_times(0.5, 60.5, steady)) == pytest.approx(1.0)
    assert heart_rate_bpm(100.0, steady) == pytest.approx(60.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_resting_heart_keeps_its_rate_and_breathes(seed: int) -> None:
    heart = rhythm(seed)
    beats = beat_times(0, 600, heart)
    intervals = np.diff(beats)

    assert len(beats) == pytest.approx(600 * heart.rate_bpm / 60, rel=0.01)
    assert 0.02 < intervals.std() / intervals.mean() < 0.15
    spectrum = np.abs(np.fft.rfft(intervals - intervals.mean()))
    cycles_a_beat = np.fft.rfftfreq(len(intervals))[spectrum.argmax()]
    breaths = cycles_a_beat / intervals.mean() * 60
    assert breaths == pytest.approx(heart.breaths_per_min, rel=0.05)


def test_beats_are_the_same_whatever_window_asks_for_them() -> None:
    """Also a week later, where the numbers are large."""
    heart = rhythm(4)
    for start in (0.0, 600_000.0):
        whole = beat_times(start, start + 60, heart)
        parts = [beat_times(start + k, start + k + 1, heart) for k in range(60)]
        assert np.concatenate(parts) == pytest.approx(whole, abs=1e-6)
        assert heart_rate_bpm(start + 60, heart) == pytest.approx(
            60 * 6 / (whole[-1] - whole[-7]), rel=1e-6
        )


def test_lead_two_peaks_at_the_beats_and_nowhere_else() -> None:
    heart = rhythm(1)
    beats = beat_times(-3, 33, heart)
    seconds = np.arange(0, 30, 1 / RATE_HZ)
    second = ecg_mv(seconds, beats)[:, 1]
    inner = second[1:-1]
    peak = (inner > second[:-2]) & (inner >= second[2:]) & (inner > 0.6)
    found = seconds[1:-1][peak]
    expected = beats[(beats > 0.01) & (beats < 29.99)]

    assert len(found) == len(expected)
    assert np.abs(found - expected).max() <= 1.5 / RATE_HZ


def test_leads_follow_einthoven() -> None:
    leads = ecg_mv(np.arange(0, 10, 0.002), beat_times(-3, 13, rhythm(2)))

    assert leads.shape == (5000, 3)
    assert (leads[:, 1] == leads[:, 0] + leads[:, 2]).all()


def test_ecg_in_pieces_is_the_ecg_in_one() -> None:
    beats = beat_times(-3, 23, rhythm(3))
    seconds = np.arange(0, 20, 0.004)
    pieces = [ecg_mv(part, beats) for part in np.array_split(seconds, 300)]

    assert np.abs(np.concatenate(pieces) - ecg_mv(seconds, beats)).max() < 1e-12


def test_one_beat_is_the_sum_of_the_five_waves() -> None:
    """By the definition, sample by sample, around a lone beat at 60 a minute."""
    waves = (  # degrees, width in radians, mV, axis: P, Q, R, S, T
        (-60, 0.25, 0.14, 60),
        (-15, 0.1, -0.11, 20),
        (0, 0.1, 1.15, 55),
        (15, 0.1, -0.26, 75),
        (90, 0.4, 0.33, 45),
    )
    seconds = np.linspace(-0.3, 0.45, 76)
    leads = ecg_mv(seconds, np.array([-1.0, 0.0, 1.0]))
    for second, (one, _, three) in zip(seconds, leads, strict=True):
        first = third = 0.0
        for angle, width, peak, axis in waves:
            away = 2 * np.pi * second - np.radians(angle)
            height = peak * np.exp(-(away**2) / (2 * width**2))
            first += height * np.cos(np.radians(axis))
            third += height * np.cos(np.radians(120 - axis))
        assert one == pytest.approx(first, abs=2e-3)
        assert three == pytest.approx(third, abs=2e-3)


def test_noise_is_small_repeatable_and_keeps_einthoven() -> None:
    heart, number = rhythm(1), np.arange(20_000)
    noise = noise_mv(number, number / RATE_HZ, heart, 1)
    later = noise_mv(number[500:600], number[500:600] / RATE_HZ, heart, 1)

    assert (later == noise[500:600]).all()
    assert np.abs(noise).max() < 0.15
    assert np.diff(noise[:, 0]).std() == pytest.approx(NOISE_MV * 2**0.5, rel=0.1)
    assert noise[:, 1] == pytest.approx(noise[:, 0] + noise[:, 2])
