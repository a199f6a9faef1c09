"""Squares cut from frames, against plainer ways to do the same."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pose_rig import smooth

from edge.pose.crop import (
    NOISY,
    QUICK,
    STILL,
    Care,
    Cutter,
    Region,
    Rotation,
    upright_size,
    whole,
)

RNG_SEED = 20240607


def turned(pixels: NDArray[np.uint8], rotation: Rotation) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.rot90(pixels, -rotation // 90))


def test_frame_of_the_square_size_is_copied() -> None:
    pixels = smooth(192, 192)

    square = Cutter(192).cut(pixels, whole(192, 192))

    assert np.abs(square.astype(int) - pixels).max() <= 2


def test_letterbox_centres_the_frame_between_black_bars() -> None:
    pixels = np.full((480, 640, 3), (250, 100, 50), np.uint8)

    square = Cutter(192).cut(pixels, whole(640, 480))

    assert (square[:24] == 0).all()
    assert (square[168:] == 0).all()
    assert (square[24:168] == (250, 100, 50)).all()


@pytest.mark.parametrize("care", [STILL, QUICK, NOISY])
@pytest.mark.parametrize("factor", [2, 3, 4, 7, 20])
def test_shrinking_is_close_to_the_mean_of_the_pixels(factor: int, care: Care) -> None:
    side = 48 * factor
    pixels = smooth(side, side)

    square = Cutter(48, care).cut(pixels, whole(side, side))

    blocks = pixels.reshape(48, factor, 48, factor, 3).mean(axis=(1, 3))
    assert np.abs(square - blocks).max() < 8
    assert -3 < (square - blocks).mean() <= 0  # as rounding goes


def test_region_outside_the_frame_is_black() -> None:
    pixels = np.full((100, 100, 3), 200, np.uint8)

    square = Cutter(50).cut(pixels, Region(-50, 50, 100))

    inside = np.zeros((50, 50), bool)
    inside[:25, 25:] = True
    assert ((square == 200).all(axis=2) == inside).all()
    assert (square[~inside] == 0).all()


def test_region_that_misses_the_frame_is_black() -> None:
    pixels = np.full((10, 10, 3), 200, np.uint8)

    assert not Cutter(8).cut(pixels, Region(20, 0, 10)).any()


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("region", [None, Region(31, -17, 90), Region(5.5, 3.25, 211)])
def test_turning_the_square_equals_turning_the_frame(
    rotation: Rotation, region: Region | None
) -> None:
    pixels = smooth(160, 120)
    upright = turned(pixels, rotation)
    width, height = upright_size(pixels, rotation)
    assert (height, width) == upright.shape[:2]
    region = region or whole(width, height)

    square = Cutter(64).cut(pixels, region, rotation)

    expected = Cutter(64).cut(upright, region)
    assert np.abs(square.astype(int) - expected).mean() < 1.5


def test_memory_of_one_frame_does_not_show_in_the_next() -> None:
    """Frames of all sizes cut by one cutter equal those of fresh cutters."""
    cutter = Cutter(32)
    rng = np.random.default_rng(RNG_SEED)
    for _ in range(60):
        width, height = rng.integers(1, 400, 2).tolist()
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        x, y, side = rng.uniform(-50, 300), rng.uniform(-50, 300), rng.uniform(1, 500)

        square = cutter.cut(pixels, Region(x, y, side))

        assert (square == Cutter(32).cut(pixels, Region(x, y, side))).all()


def test_frame_that_is_a_view_is_read_as_it_looks() -> None:
    pixels = smooth(120, 80)
    view = pixels[::-1, ::-1]

    square = Cutter(32).cut(view, whole(120, 80))

    assert (square == Cutter(32).cut(view.copy(), whole(120, 80))).all()


@pytest.mark.parametrize(("care", "pixels"), [(STILL, 16), (QUICK, 2), (NOISY, 16)])
def test_noise_averages_out_where_a_frame_shrinks(care: Care, pixels: int) -> None:
    """Each pixel of the square is the mean of so many *pixels* of the frame."""
    noise = np.random.default_rng(3).normal(128, 30, (480, 640, 3))

    square = Cutter(192, care).cut(noise.astype(np.uint8), whole(640, 480))

    assert square[24:168].std() == pytest.approx(30 / pixels**0.5, rel=0.2)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("care", [STILL, QUICK, NOISY])
@pytest.mark.parametrize("step", [0.4, 1.0, 1.3, 2.1, 3.3, 9.0])
def test_nothing_is_shifted(step: float, care: Care, rotation: Rotation) -> None:
    """
    Of a ramp that rises to the right and one that falls, each pixel has the value of
    the place under it; what rounding takes from both cancels.
    """
    width = round(210 * step) + 20
    slope = 240 / width
    rising = np.tile((np.arange(width) + 0.5) * slope, (width, 1))
    upright = np.uint8(np.rint(np.stack([rising, 250 - rising, rising], axis=2)))
    source = np.rot90(upright, rotation // 90)
    left = 5 * step + 1.7

    square = Cutter(192, care).cut(source, Region(left, 3, 192 * step), rotation)

    truth = (left + (np.arange(192) + 0.5) * step) * slope
    apart = (square[:, :, 0] - truth) - (square[:, :, 1] - (250 - truth))
    assert abs(apart.mean() / 2 / slope) < 0.25 * max(step, 1)  # a quarter pixel
