"""
Shapes on a canvas, shaded and with soft edges: the brushes for figure and room.

Each shape is a distance field, evaluated in its bounding box alone. A canvas is a
float32 array of shape (3, height, width), red, green, blue, 0 to 255: planes, since
numpy is slow on an innermost axis of three.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.patient.view import Spot

Floats = NDArray[np.float32]
Colour = tuple[float, float, float]
Radii = Floats
"""Radii of a limb from its begin to its end, metres, shape (PROFILE_STEPS,)."""

Planes = Sequence[Floats | float]
"""What is painted: red, green and blue, each one number or one a pixel."""

LIGHT = (-0.42, -0.55, 0.72)  # where from: right, down, towards the camera
AMBIENT = 0.52
DIRECT = 0.62
PROFILE_STEPS = 256
BESIDE_PX = 5.0  # how far the darkness beside a limb reaches

Pattern = Callable[[Floats, Floats], Planes]
"""Along (0 to 1) and across (−1 to 1) a limb to its colours."""


class Box(NamedTuple):
    """A part of the canvas, in whole pixels."""

    left: int
    top: int
    right: int
    bottom: int

    def cut(self, canvas: Floats) -> Floats:
        """Return that part of *canvas*, not copied."""
        return canvas[:, self.top : self.bottom, self.left : self.right]


def around(
    spots: Sequence[Sequence[float]], margin: float, canvas: Floats
) -> Box | None:
    """
    Return the part of *canvas* that holds *spots*, x and y first, with *margin*
    pixels about them; ``None`` if they are outside.
    """
    _, height, width = canvas.shape
    xs, ys = [spot[0] for spot in spots], [spot[1] for spot in spots]
    left, right = max(0, int(min(xs) - margin)), min(width, math.ceil(max(xs) + margin))
    top, bottom = (
        max(0, int(min(ys) - margin)),
        min(height, math.ceil(max(ys) + margin)),
    )
    return Box(left, top, right, bottom) if right > left and bottom > top else None


def offsets(box: Box, x: float, y: float) -> tuple[Floats, Floats]:
    """Return how far the middles of the pixels of *box* are from *x*, *y*: a row
    and a column."""
    right = np.arange(box.left, box.right, dtype=np.float32) + np.float32(0.5 - x)
    down = np.arange(box.top, box.bottom, dtype=np.float32) + np.float32(0.5 - y)
    return right[None, :], down[:, None]


def limb(
    canvas: Floats,
    begin: Spot,
    end: Spot,
    radii: Radii,
    colour: Colour | Pattern,
    shadow: float = 0.0,
    hem: bool = False,
) -> None:
    """
    Paint a round limb of *radii* from *begin* to *end*. *shadow*, 0 to 1, darkens
    what lies just beside it. With *hem* it begins cut off straight instead of round.
    """
    table = radii * (begin.scale + RAMP * (end.scale - begin.scale))
    reach = BESIDE_PX if shadow else 1.0
    box = around((begin, end), float(table.max()) + reach, canvas)
    if box is None:
        return
    x, y = offsets(box, begin.x, begin.y)
    length = max(math.hypot(end.x - begin.x, end.y - begin.y), 1e-3)
    ux, uy = (end.x - begin.x) / length, (end.y - begin.y) / length
    share = x * np.float32(ux / length) + y * np.float32(uy / length)
    across = y * np.float32(ux) - x * np.float32(uy)
    within = np.maximum(share, 0)
    np.minimum(within, 1, out=within)
    step = (within * np.float32(PROFILE_STEPS - 1)).astype(np.intp)
    radius: Floats = table.take(step)
    inside = radius - _distance(across, share - within, length)
    side: Floats = np.divide(across, radius)
    np.maximum(side, -1, out=side)
    np.minimum(side, 1, out=side)
    cover = _clipped(inside + np.float32(0.5))
    if hem:
        cover *= _clipped(share * np.float32(length) + np.float32(0.5))
    keep = 1 - cover
    if shadow:
        light = _beside(inside, shadow)
        keep *= np.maximum(light, share < -reach / length) if hem else light
    cover *= _lit_round(side, ux, uy)
    planes = colour(within, side) if callable(colour) else colour
    lay(box.cut(canvas), planes, cover, keep)


def _distance(across: Floats, beyond: Floats, length: float) -> Floats:
    """Return the distance to a line; *beyond* its ends in its lengths."""
    beyond *= np.float32(length)
    beyond *= beyond
    beyond += across * across
    np.sqrt(beyond, out=beyond)
    return beyond


def _clipped(values: Floats) -> Floats:
    """Return *values*, changed, between 0 and 1."""
    np.maximum(values, 0, out=values)
    np.minimum(values, 1, out=values)
    return values


def _beside(inside: Floats, shadow: float) -> Floats:
    """Return what is left of the light *inside* pixels from an edge inwards."""
    light = inside * np.float32(-shadow / BESIDE_PX)
    light += np.float32(1 - shadow)
    np.maximum(light, np.float32(1 - shadow), out=light)
    np.minimum(light, 1, out=light)
    return light


RAMP = np.linspace(0, 1, PROFILE_STEPS, dtype=np.float32)


def profile(*radii: float) -> Radii:
    """Return the radii of a limb that has *radii*, metres, at even distances."""
    places = np.linspace(0, len(radii) - 1, PROFILE_STEPS)
    return np.interp(places, np.arange(len(radii)), radii).astype(np.float32)


def _lit_round(side: Floats, ux: float, uy: float) -> Floats:
    """
    Return the brightness *side*, −1 to 1, across a round limb that runs in the
    direction *ux*, *uy* of the picture.
    """
    right, down, towards = _light()
    shade = side * side
    np.subtract(1, shade, out=shade)
    np.sqrt(shade, out=shade)
    shade *= np.float32(DIRECT * towards)
    shade += side * np.float32(DIRECT * (down * ux - right * uy))
    np.maximum(shade, 0, out=shade)
    shade += np.float32(AMBIENT)
    return shade


def lit(right: Floats, down: Floats, towards: Floats) -> Floats:
    """Return the brightness of surfaces with these normals, camera's frame."""
    light = _light()
    facing = right * np.float32(light[0]) + down * np.float32(light[1])
    facing += towards * np.float32(light[2])
    return np.float32(AMBIENT) + np.float32(DIRECT) * np.maximum(facing, 0)


@lru_cache(maxsize=1)
def _light() -> tuple[float, float, float]:
    size = math.hypot(*LIGHT)
    return LIGHT[0] / size, LIGHT[1] / size, LIGHT[2] / size


def lay(part: Floats, planes: Planes, cover: Floats, keep: Floats) -> None:
    """Lay *planes* over *part*, which *keep* lets shine through."""
    for plane, colour in zip(part, planes, strict=True):
        plane *= keep
        plane += cover * colour


def disc(
    canvas: Floats,
    centre: Sequence[float],
    axes: tuple[float, float],
    colour: Colour,
    strength: float = 1.0,
    soft: float = 1.0,
) -> None:
    """Paint a flat ellipse with half *axes* in pixels; *soft* is its edge, pixels."""
    box = around((centre,), max(axes) + soft, canvas)
    if box is None:
        return
    x, y = offsets(box, centre[0], centre[1])
    x, y = x * np.float32(1 / axes[0]), y * np.float32(1 / axes[1])
    ring = x * x + y * y
    np.sqrt(ring, out=ring)
    inside = np.float32(min(axes)) * (1 - ring)
    _flat(box.cut(canvas), colour, inside, strength, soft)


def polygon(
    canvas: Floats,
    corners: Sequence[Sequence[float]],
    colour: Colour,
    strength: float = 1.0,
    soft: float = 1.0,
) -> None:
    """Paint a flat convex polygon, *corners* in either sense, x and y first."""
    box = around(corners, soft, canvas)
    if box is None:
        return
    following = [*corners[1:], corners[0]]
    edges = list(zip(corners, following, strict=True))
    sense = math.copysign(1.0, sum(a[0] * b[1] - a[1] * b[0] for a, b in edges))
    inside = np.full((box.bottom - box.top, box.right - box.left), np.inf, np.float32)
    for a, b in edges:
        x, y = offsets(box, a[0], a[1])
        length = sense * max(math.hypot(b[0] - a[0], b[1] - a[1]), 1e-6)
        across, down = (b[0] - a[0]) / length, (b[1] - a[1]) / length
        np.minimum(inside, y * np.float32(across) - x * np.float32(down), out=inside)
    _flat(box.cut(canvas), colour, inside, strength, soft)


def _flat(
    part: Floats, colour: Colour, inside: Floats, strength: float, soft: float
) -> None:
    """Lay *colour* where *inside*, pixels from the edge inwards, is positive."""
    cover = _clipped(inside * np.float32(1 / soft) + np.float32(0.5))
    cover *= np.float32(strength)
    lay(part, colour, cover, 1 - cover)
