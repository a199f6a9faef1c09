"""
Square pieces of a frame for a network: which piece, and its pixels.

A `Region` is given in pixels of the **upright** frame, that is after turning the
source frame clockwise by *rotation* degrees. The pixels are read from the source as
it is and only the small square is turned, so that no frame is copied.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rotation = Literal[0, 90, 180, 270]
"""Degrees a source frame is turned clockwise to be upright."""
ROTATIONS: tuple[Rotation, ...] = (0, 90, 180, 270)

MOST_READS = 8
"""Source pixels read along one axis for one pixel of the square, at most."""

PAIRED_FROM = 1.5
"""Source pixels a pixel of the square must span for its columns to be read in pairs
at a fixed distance; below that each read has its own place, which is linear
interpolation."""


class Reads(NamedTuple):
    """How many source pixels are read along one axis for one of the square."""

    least: int  # where a frame shrinks; a power of two
    stride: int  # beyond that, one in so many of those under it

    def of(self, step: float) -> int:
        """Return how many for a pixel that spans *step*: 1, 2, 4 or 8."""
        count = self.least if step >= PAIRED_FROM else 2
        while count < step / self.stride and count < MOST_READS:
            count *= 2
        return count


class Care(NamedTuple):
    """How closely a frame is read: reading more costs time and averages noise out."""

    rows: Reads
    columns: Reads


STILL = Care(Reads(2, 1), Reads(2, 1))
"""For pictures that are looked at once."""
QUICK = Care(Reads(1, 4), Reads(2, 2))
"""For video in good light."""
NOISY = Care(Reads(4, 1), Reads(4, 1))
"""For video of a dark room: sixteen pixels or more for each of the square."""


class Region(NamedTuple):
    """A square of the upright frame; it may reach beyond the frame's edges."""

    x: float  # left edge, pixels
    y: float  # top edge, pixels
    side: float  # pixels


def turn(rotation: Rotation, degrees: int) -> Rotation:
    """Return *rotation* and *degrees* more, which is a multiple of 90."""
    return ROTATIONS[(rotation + degrees) // 90 % 4]


def upright_size(pixels: NDArray[np.uint8], rotation: Rotation) -> tuple[int, int]:
    """Return width and height of the frame *pixels* once it is upright."""
    height, width = pixels.shape[:2]
    return (height, width) if rotation in (90, 270) else (width, height)


def whole(width: int, height: int) -> Region:
    """Return the smallest square around a frame, the frame in its middle."""
    side = max(width, height)
    return Region((width - side) / 2, (height - side) / 2, side)


class Plan(NamedTuple):
    """Which bytes of a frame are read for a square, and where they go."""

    lines: NDArray[np.intp]  # shape (reads · rows,): lines of the frame
    span: slice  # of each line, in bytes: what is read lies in it
    shifts: tuple[int, ...]  # bytes to the neighbour that is added, step by step
    bytes: NDArray[np.intp]  # shape (reads, 3 · columns): then, of the span
    rows: slice  # of the square that lie inside the frame
    columns: slice  # in bytes


class Cutter:
    """
    Cuts regions of frames into squares of *size* pixels, with the `care` of the day.

    It keeps its memory, since a network leaves nothing of it in the cache and each
    fresh page is a miss more.
    """

    def __init__(self, size: int, care: Care = STILL) -> None:
        self.size = size
        self.care = care
        self._square = np.zeros((size, size * 3), np.uint8)
        self._spare = np.empty(0, np.uint8)
        self._picked = np.empty((0, 0), np.uint8)
        self._planned: tuple[object, ...] = ()
        self._plan: Plan

    def cut(
        self, pixels: NDArray[np.uint8], region: Region, rotation: Rotation = 0
    ) -> NDArray[np.uint8]:
        """
        Return *region* of the frame as a square, uint8 of shape (size, size, 3), RGB,
        to be read before the next cut.

        *pixels* is the source frame, uint8 of shape (height, width, 3). What lies
        outside the frame is black. Each pixel of the square is the mean of the source
        under it where it shrinks, and between its neighbours where it grows; rounding
        darkens it by up to 3 of 255.
        """
        height, width = pixels.shape[:2]
        wanted = (region, width, height, rotation, self.care)
        if wanted != self._planned:  # a body at rest asks for the same many times
            self._plan, self._planned = self._new_plan(*wanted), wanted
            self._square[:] = 0
            self._picked = self._square[self._plan.rows, self._plan.columns].copy()
        lines = pixels.reshape(height, width * 3)
        self._fill(self._square[self._plan.rows, self._plan.columns], lines)
        upright = self._square.reshape(self.size, self.size, 3)
        return upright if rotation == 0 else np.rot90(upright, -rotation // 90)

    def _fill(self, inside: NDArray[np.uint8], lines: NDArray[np.uint8]) -> None:
        """Write what is planned of the frame's *lines* into *inside* of the square."""
        plan = self._plan
        read = lines[:, plan.span][plan.lines]
        rows, length = len(inside), read.shape[1]
        strip = folded(read.reshape(-1), rows * length)
        if len(self._spare) < len(strip):
            self._spare = np.empty_like(strip)
        spare = self._spare[: len(strip)]
        for shift in plan.shifts:
            np.floor_divide(strip, 2, out=strip)
            np.add(strip[:-shift], strip[shift:], out=spare[:-shift])
            strip, spare = spare, strip
        strip = strip.reshape(rows, length)
        if len(plan.bytes) == 1:
            # "clip" lets numpy write in place, if the place is in one piece; every
            # index is valid anyway.
            inside[:] = strip.take(plan.bytes[0], 1, self._picked, "clip")
        else:
            picked = np.concatenate([strip[:, each].ravel() for each in plan.bytes])
            inside[:] = folded(picked, inside.size).reshape(inside.shape)

    def _new_plan(
        self, region: Region, width: int, height: int, rotation: Rotation, care: Care
    ) -> Plan:
        """Return how to cut *region* out of a source frame of *width* and *height*."""
        left, top = turned_back(region, width, height, rotation)
        step = region.side / self.size
        rows = inside_frame(top, step, self.size, height)
        columns = inside_frame(left, step, self.size, width)
        ys = places(rows, top, step, height, care.rows.of(step))
        count = care.columns.of(step)
        shifts: list[int] = []
        apart = max(1, round(step / count))
        if step < PAIRED_FROM or apart * (count - 1) >= width:
            xs = places(columns, left, step, width, count)
        else:
            shifts = [3 * apart * 2**power for power in range(count.bit_length() - 1)]
            reach = apart * (count - 1)
            xs = places(columns, left - reach / 2, step, width - reach, 1)
        first, last = (int(xs.min()), int(xs.max())) if xs.size else (0, 0)
        in_bytes = ((xs - first)[:, :, np.newaxis] * 3 + np.arange(3)).reshape(
            len(xs), -1
        )
        span = slice(3 * first, 3 * (last + 1) + sum(shifts))
        inside = slice(3 * columns.start, 3 * columns.stop)
        return Plan(ys.ravel(), span, tuple(shifts), in_bytes, rows, inside)


def folded(values: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return the mean of the parts of *values*, each of *size*, in their place."""
    while len(values) > size:
        np.floor_divide(values, 2, out=values)  # faster than a shift in numpy
        half = len(values) // 2
        values = np.add(values[:half], values[half:], out=values[:half])
    return values


def turned_back(
    region: Region, width: int, height: int, rotation: Rotation
) -> tuple[float, float]:
    """
    Return left and top of *region* in the source frame of *width* and *height*.
    """
    x, y, side = region
    if rotation == 90:
        return y, height - x - side
    if rotation == 180:
        return width - x - side, height - y - side
    if rotation == 270:
        return width - y - side, x
    return x, y


def inside_frame(start: float, step: float, size: int, length: int) -> slice:
    """
    Return which pixels of a square's axis have their middle inside a frame of
    *length*; the square begins at *start* and each pixel spans *step*.
    """
    first = max(0, math.ceil(-start / step - 0.5))
    end = min(size, math.ceil((length - start) / step - 0.5))
    return slice(first, max(first, end))


def places(
    inside: slice, start: float, step: float, length: int, count: int
) -> NDArray[np.intp]:
    """
    Return the source pixels to read along one axis: shape (count, pixels).

    They are spread over the width of one pixel of the square, or of the source where
    that is wider: then their mean is linear interpolation.
    """
    middles = np.arange(inside.start + 0.5, inside.stop) * step + start
    spread = (np.arange(0.5, count) / count - 0.5) * max(step, 1)
    found = np.floor(middles + spread[:, np.newaxis]).astype(np.intp)
    return np.clip(found, 0, length - 1)
