"""A pinhole camera on the wall: points of the room to pixels of the picture."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Spot(NamedTuple):
    """Where a point is in the picture, whose upper left corner is (0, 0)."""

    x: float  # pixels to the right
    y: float  # pixels down
    scale: float  # pixels a metre there


class View(NamedTuple):
    """A camera at x = 0, z = 0 that looks into the room, tilted down."""

    width: int = 640
    height: int = 480
    focal: float = 0.76  # of the width: 66°, as a Raspberry Pi Camera Module 3 has it
    above_floor_m: float = 2.2
    tilt_rad: float = 0.43
    left: int = 0  # corner of a part of the picture that spots are counted from
    top: int = 0

    @property
    def focal_px(self) -> float:
        """Return pixels a metre at a distance of one metre."""
        return self.focal * self.width

    def axes(self) -> NDArray[np.float64]:
        """Return rows right, up, ahead of the camera in the room, shape (3, 3)."""
        sin, cos = math.sin(self.tilt_rad), math.cos(self.tilt_rad)
        return np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])

    def seen(self, point: NDArray[np.float64]) -> tuple[float, float, float]:
        """Return *point*, shape (3,), as right, up, ahead of the camera, metres."""
        x, y, z = point.tolist()
        sin, cos = math.sin(self.tilt_rad), math.cos(self.tilt_rad)
        high = y - self.above_floor_m
        return x, cos * high + sin * z, cos * z - sin * high

    def spot(self, point: NDArray[np.float64]) -> Spot:
        """Return where *point* of the room, shape (3,), is in the picture."""
        right, up, ahead = self.seen(point)
        scale = self.focal_px / max(ahead, 0.1)
        x = self.width / 2 - self.left + right * scale
        y = self.height / 2 - self.top - up * scale
        return Spot(x, y, scale)
