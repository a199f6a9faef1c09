"""
One look of a network at a part of a frame, and what its scores mean.
"""

import time
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.pose.crop import Care, Cutter, Region, Rotation
from edge.records import SURE_SCORE

SHOULDERS, HIPS = [5, 6], [11, 12]
TORSO = SHOULDERS + HIPS

# From "determine_crop_region" of the MoveNet tutorial of TensorFlow Hub.
SEEN = 0.2
"""A keypoint that scores more counts for the region."""
TORSO_MARGIN = 1.9
BODY_MARGIN = 1.2

NARROWEST_PX = 16.0
"""Side of the smallest region: a torso of four pixels is none. A network that fails
may put all keypoints on one point."""

ENTER, STAY = 5, 3
"""Sure keypoints that make a pose out of none, and that keep one."""

FLESH = 0.15
"""How far a body reaches beyond its keypoints, of its longer side: hands, hair."""
COLOUR_STRIDE = 16
"""One in so many rows and columns is enough for the mean colour of a frame."""

Point = tuple[float, float, float]
"""A keypoint: x and y in pixels of the upright frame, score 0 to 1."""
Points = list[Point]
"""The 17 of a body: too few for numpy to be faster than plain numbers."""


class Network(Protocol):
    """What is needed of a model: `edge.models.Model`, or a stand-in."""

    size: int

    def infer(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return shape (17, 3): y and x as fractions of *square*, score 0 to 1."""


class Box(NamedTuple):
    """A rectangle of a frame; it may reach beyond the frame's edges."""

    left: float  # pixels
    top: float
    width: float
    height: float

    def holds(self, x: float, y: float) -> bool:
        """Return whether the point *x*, *y* is inside."""
        return (
            self.left <= x <= self.left + self.width
            and self.top <= y <= self.top + self.height
        )


class Eye:
    """Looks through a *network*, reading frames with *care*, which may change."""

    def __init__(self, network: Network, care: Care) -> None:
        self._network = network
        self._cutter = Cutter(network.size, care)

    def read_with(self, care: Care) -> None:
        """Read frames with *care* from now on."""
        self._cutter.care = care

    def look(
        self,
        pixels: NDArray[np.uint8],
        region: Region,
        rotation: Rotation,
        hidden: Box | None = None,
    ) -> tuple[Points, float]:
        """
        Return the keypoints in *region*, and the milliseconds the model took.

        What is in the box *hidden* is painted over with the mean colour of the frame.

        :raises ModelError: if the device fails
        """
        square = self._cutter.cut(pixels, region, rotation)
        if hidden is not None:
            colour = pixels[::COLOUR_STRIDE, ::COLOUR_STRIDE].mean(axis=(0, 1))
            square = square.copy()  # the bars beside the frame stay black
            paint_over(square, region, hidden, colour)
        began = time.perf_counter_ns()
        found = self._network.infer(square)
        spent_ms = (time.perf_counter_ns() - began) / 1e6
        left, top, side = region
        # The network says y first.
        points = [(left + side * x, top + side * y, s) for y, x, s in found.tolist()]
        return points, spent_ms


def paint_over(
    square: NDArray[np.uint8], region: Region, box: Box, colour: NDArray[np.float64]
) -> None:
    """Paint *box* of the upright frame in *square*, which shows *region* of it."""
    size = len(square)
    corners = np.array(
        [
            [box.left - region.x, box.top - region.y],
            [box.left + box.width - region.x, box.top + box.height - region.y],
        ]
    )
    places = np.clip(corners * size / region.side, 0, size).astype(int)
    (left, top), (right, bottom) = places
    square[top:bottom, left:right] = colour.astype(np.uint8)


def is_pose(points: Points, held: bool) -> bool:
    """Return whether *points* are a body's; fewer do where one was *held*."""
    sure = [score for _, _, score in points if score > SURE_SCORE]
    return len(sure) >= (STAY if held else ENTER)


def mean_score(points: Points) -> float:
    """Return the mean score of *points*: 0.1 in an empty room, 0.7 at best."""
    return sum(score for _, _, score in points) / len(points)


def around(points: Points, width: int, height: int) -> Region | None:
    """
    Return the region to look at for a body with *points* in a frame of *width* and
    *height*: around the hips, as wide as torso and limbs ask for; ``None`` for all of
    the frame, where the torso is not seen, fills it or is a mere point.
    """
    torso = one, other, hip, other_hip = [points[number] for number in TORSO]
    if max(one[2], other[2]) <= SEEN or max(hip[2], other_hip[2]) <= SEEN:
        return None
    x, y = (hip[0] + other_hip[0]) / 2, (hip[1] + other_hip[1]) / 2
    half = max(
        TORSO_MARGIN * reach(torso, x, y), BODY_MARGIN * reach(seen_of(points), x, y)
    )
    half = min(half, max(x, width - x, y, height - y))
    if not NARROWEST_PX / 2 <= half < max(width, height) / 2:
        return None
    return Region(x - half, y - half, 2 * half)


def seen_of(points: Points) -> Points:
    """Return those of *points* that score enough to be counted on."""
    return [point for point in points if point[2] > SEEN]


def reach(points: Points, x: float, y: float) -> float:
    """Return how far *points* are from *x*, *y* along the axis where that is most."""
    return max([max(abs(px - x), abs(py - y)) for px, py, _ in points])


def torso_centre(points: Points) -> tuple[float, float]:
    """Return x and y of the middle of the torso, as far as it is seen."""
    used = seen_of([points[number] for number in TORSO]) or points
    total = sum(score for _, _, score in used) or 1.0
    x = sum(x * score for x, _, score in used) / total
    y = sum(y * score for _, y, score in used) / total
    return x, y


def body_box(points: Points) -> Box:
    """Return the box of a body with *points*, with its flesh around them."""
    seen = seen_of(points)
    left, right = min(x for x, _, _ in seen), max(x for x, _, _ in seen)
    top, bottom = min(y for _, y, _ in seen), max(y for _, y, _ in seen)
    width, height = right - left, bottom - top
    margin = FLESH * max(width, height)
    return Box(left - margin, top - margin, width + 2 * margin, height + 2 * margin)
