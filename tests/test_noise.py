"""How noisy a picture is, and how closely it is read for that."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pose_rig import smooth

from edge.pose.crop import NOISY, QUICK
from edge.pose.noise import Light, noise_of
from edge.records import MonotonicNs

SEED = 8


def noisy(sigma: float, light: float = 1.0) -> NDArray[np.uint8]:
    """Return a smooth picture with normal noise of the standard deviation *sigma*."""
    noise = np.random.default_rng(SEED).normal(0, sigma, (480, 640, 3))
    return np.clip(smooth(640, 480) * light + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [2.0, 4.0, 5.0, 8.0, 15.0, 30.0])
@pytest.mark.parametrize("light", [0.5, 1.0])
def test_noise_is_what_was_added(sigma: float, light: float) -> None:
    assert noise_of(noisy(sigma, light)) == pytest.approx(sigma, rel=0.1, abs=0.3)


def test_smooth_picture_has_no_noise() -> None:
    assert noise_of(smooth(640, 480)) < 0.5


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 2, 3), (1, 3, 3), (2000, 4, 3)])
def test_smallest_pictures_are_measured(shape: tuple[int, int, int]) -> None:
    assert noise_of(np.full(shape, 7, np.uint8)) == 0.0


def test_care_follows_the_light_within_a_second_and_does_not_flutter() -> None:
    light = Light()
    shown = [(0.0, 2.0), (0.5, 9.0), (1.0, 9.0), (2.0, 4.7), (3.0, 3.0), (4.0, 4.7)]

    cares = [light.care(noisy(sigma), MonotonicNs(int(s * 1e9))) for s, sigma in shown]

    assert cares == [QUICK, QUICK, NOISY, NOISY, QUICK, QUICK]
