"""
Where the patient is: the region of interest, a part of the source frame.

Only a body whose torso has its middle inside is the patient, and where no patient is
followed, nothing outside is looked at.
"""

import numpy as np
from numpy.typing import NDArray

from edge.pose.crop import Rotation, upright_size, whole
from edge.pose.eye import Box, Eye, Points, torso_centre
from edge.pose.orientation import turned

EVERYWHERE = (0.0, 0.0, 1.0, 1.0)


class Bed:
    """
    The part *region* of every frame: left, top, width and height, as fractions; all of
    it where that is empty.
    """

    def __init__(self, region: tuple[float, ...] = ()) -> None:
        self._left, self._top, self._width, self._height = region or EVERYWHERE
        self._everywhere = region in ((), EVERYWHERE)

    def look(
        self, eye: Eye, pixels: NDArray[np.uint8], rotation: Rotation
    ) -> tuple[Points, float]:
        """
        Return the keypoints in this part of the frame *pixels*, letterboxed, in pixels
        of the whole upright frame, and the milliseconds the model took.

        :raises ModelError: if the device fails
        """
        left, top, width, height = self._box(pixels)
        part = pixels[top : top + height, left : left + width]
        points, spent_ms = eye.look(
            part, whole(*upright_size(part, rotation)), rotation
        )
        box = self.upright_box(pixels, rotation)
        moved = [(x + box.left, y + box.top, score) for x, y, score in points]
        return moved, spent_ms

    def holds(
        self, points: Points, pixels: NDArray[np.uint8], rotation: Rotation
    ) -> bool:
        """Return whether a body with *points* is the patient."""
        if self._everywhere:
            return True
        return self.upright_box(pixels, rotation).holds(*torso_centre(points))

    def upright_box(self, pixels: NDArray[np.uint8], rotation: Rotation) -> Box:
        """Return this part in pixels of the upright frame."""
        height, width = pixels.shape[:2]
        return turned(Box(*self._box(pixels)), width, height, rotation)

    def _box(self, pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
        """Return left, top, width and height in the source frame, at least a pixel."""
        height, width = pixels.shape[:2]
        left, top = int(self._left * width), int(self._top * height)
        return (
            left,
            top,
            max(1, round(self._width * width)),
            max(1, round(self._height * height)),
        )
