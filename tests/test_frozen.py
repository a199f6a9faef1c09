"""When a camera that repeats its picture has stopped."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import SourceLost
from edge.records import MonotonicNs
from edge.sources.frozen import Frozen

PERIOD_NS = 66_000_000
Picture = NDArray[np.uint8]


def noise() -> Picture:
    return np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)


def even(level: int) -> Picture:
    picture = np.full((480, 640, 3), level, np.uint8)
    picture[40, 40] = 90  # a hot pixel
    return picture


def watched(picture: Picture, stamps_go_on: bool, pictures: int = 60) -> None:
    """Let a camera give *picture* for some seconds."""
    frozen = Frozen("the camera")
    for at in range(PERIOD_NS, pictures * PERIOD_NS, PERIOD_NS):
        frozen.check(picture, MonotonicNs(at), at if stamps_go_on else 1)


@pytest.mark.parametrize("stamps_go_on", [True, False])
def test_picture_that_repeats_itself_to_the_last_pixel_has_stopped(
    stamps_go_on: bool,
) -> None:
    with pytest.raises(SourceLost, match="same picture"):
        watched(noise(), stamps_go_on, pictures=12)


@pytest.mark.parametrize("level", [0, 16, 255])
def test_camera_that_sees_nothing_works_while_its_stamps_go_on(level: int) -> None:
    watched(even(level), stamps_go_on=True)
    with pytest.raises(SourceLost, match="same picture"):
        watched(even(level), stamps_go_on=False)
