"""Walls, boards, boxes and rods of the room, by their corners in metres."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.patient.paint import Colour, Floats, limb, polygon, profile
from edge.patient.view import Spot, View

Point = Sequence[float] | NDArray[np.float64]
"""x, y, z in the room, metres."""


class Brush(NamedTuple):
    """A canvas and the camera that looks at it."""

    canvas: Floats
    view: View

    def at(self, *points: Point) -> list[Spot]:
        """Return where *points* of the room are in the picture."""
        return [self.view.spot(np.asarray(point, float)) for point in points]

    def face(
        self, corners: Sequence[Point], colour: Colour,
        strength: float = 1.0, soft: float = 1.0,
    ) -> None:  # fmt: skip
        """Paint a flat convex face; its edge is *soft* pixels wide."""
        polygon(self.canvas, self.at(*corners), colour, strength, soft)

    def upright(
        self, z: float, x: tuple[float, float], y: tuple[float, float], colour: Colour,
        strength: float = 1.0, soft: float = 1.0,
    ) -> None:  # fmt: skip
        """Paint a rectangle that faces the camera, at distance *z*."""
        corners = [(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)]
        self.face(corners, colour, strength, soft)

    def level(
        self, y: float, x: tuple[float, float], z: tuple[float, float], colour: Colour,
        strength: float = 1.0, soft: float = 1.0,
    ) -> None:  # fmt: skip
        """Paint a level rectangle, *y* above the floor."""
        corners = [(x[0], y, z[0]), (x[1], y, z[0]), (x[1], y, z[1]), (x[0], y, z[1])]
        self.face(corners, colour, strength, soft)

    def sideways(
        self, x: float, z: tuple[float, float], y: tuple[float, float], colour: Colour
    ) -> None:
        """Paint a rectangle in the plane of the side walls."""
        corners = [(x, y[0], z[0]), (x, y[0], z[1]), (x, y[1], z[1]), (x, y[1], z[0])]
        self.face(corners, colour)

    def box(
        self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float],
        colour: Colour,
    ) -> None:  # fmt: skip
        """Paint a box right of the camera: its left side, its front, its top."""
        self.sideways(x[0], z, y, darker(colour, 0.72))
        self.upright(z[0], x, y, darker(colour, 0.87))
        self.level(y[1], x, z, colour)

    def rod(self, begin: Point, end: Point, radius_m: float, colour: Colour) -> None:
        """Paint a round rod."""
        first, last = self.at(begin, end)
        limb(self.canvas, first, last, profile(radius_m, radius_m), colour)


def darker(colour: Colour, share: float) -> Colour:
    """Return *colour* with *share* of its brightness."""
    red, green, blue = colour
    return red * share, green * share, blue * share
