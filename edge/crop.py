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

MOST_READS = 8
"""Source pixels read along one axis for one pixel of the square, at most."""

PAIRED_FROM = 1.5
"""Source pixels a pixel of the square must span for its columns to be read in pairs
at a fixed distance; below that each read has its own place, which is linear
interpolation."""


class Region(NamedTuple):
    """A square of the upright frame; it may reach beyond the frame's edges."""

    x: float  # left edge, pixels
    y: float  # top edge, pixels
    side: float  # pixels


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
    shifts: tuple[int, ...]  # bytes to the neighbour that is added, step by step
    bytes: NDArray[np.intp]  # shape (reads, 3 · columns): then, of a line
    rows: slice  # of the square that lie inside the frame
    columns: slice  # in bytes


class Cutter:
    """
    Cuts regions of frames into squares of *size* pixels.

    Where a frame shrinks, it reads at least one in *stride* of its rows and columns:
    1 for stills, where time is no matter, 2 for video. It keeps its working memory,
    since fresh pages cost more than the arithmetic.
    """

    def __init__(self, size: int, stride: int = 1) -> None:
        self.size = size
        self._stride = stride
        self._memory = [np.empty(0, np.uint8), np.empty(0, np.uint8)]
        self._planned: tuple[object, ...] = ()
        self._plan: Plan

    def cut(
        self, pixels: NDArray[np.uint8], region: Region, rotation: Rotation = 0
    ) -> NDArray[np.uint8]:
        """
        Return *region* of the frame as a square, uint8 of shape (size, size, 3), RGB.

        *pixels* is the source frame, uint8 of shape (height, width, 3). What lies
        outside the frame is black. Each pixel of the square is the mean of the source
        under it where it shrinks, and between its neighbours where it grows; rounding
        darkens it by up to 3 of 255.
        """
        height, width = pixels.shape[:2]
        wanted = (region, width, height, rotation)
        if wanted != self._planned:  # a body at rest asks for the same many times
            self._plan, self._planned = self._new_plan(*wanted), wanted
        lines = np.ascontiguousarray(pixels).reshape(height, width * 3)
        square = np.zeros((self.size, self.size * 3), np.uint8)
        self._fill(square[self._plan.rows, self._plan.columns], lines)
        upright = square.reshape(self.size, self.size, 3)
        return upright if rotation == 0 else np.rot90(upright, -rotation // 90)

    def _fill(self, inside: NDArray[np.uint8], lines: NDArray[np.uint8]) -> None:
        """Write what is planned of the frame's *lines* into *inside* of the square."""
        plan = self._plan
        rows, length = len(inside), lines.shape[1]
        strip = self._room(0, len(plan.lines) * length)
        # "clip" lets numpy write in place; every index is valid anyway.
        out = strip.reshape(-1, length)
        np.take(lines, plan.lines, axis=0, out=out, mode="clip")
        strip = folded(strip, rows * length)
        for step, shift in enumerate(plan.shifts, 1):
            np.floor_divide(strip, 2, out=strip)
            shifted = self._room(step % 2, len(strip))
            np.add(strip[:-shift], strip[shift:], out=shifted[:-shift])
            strip = shifted
        strip = strip.reshape(rows, length)
        if len(plan.bytes) == 1:
            np.take(strip, plan.bytes[0], axis=1, out=inside, mode="clip")
        else:
            picked = np.concatenate([strip[:, read].ravel() for read in plan.bytes])
            inside[:] = folded(picked, inside.size).reshape(inside.shape)

    def _new_plan(
        self, region: Region, width: int, height: int, rotation: Rotation
    ) -> Plan:
        """Return how to cut *region* out of a source frame of *width* and *height*."""
        left, top = turned_back(region, width, height, rotation)
        step = region.side / self.size
        rows = inside_frame(top, step, self.size, height)
        columns = inside_frame(left, step, self.size, width)
        count = reads(step / self._stride)
        ys = places(rows, top, step, height, count)
        shifts: list[int] = []
        apart = max(1, round(step / count))
        if step < PAIRED_FROM or apart * (count - 1) >= width:
            xs = places(columns, left, step, width, count)
        else:
            shifts = [3 * apart * 2**power for power in range(count.bit_length() - 1)]
            reach = apart * (count - 1)
            xs = places(columns, left - reach / 2, step, width - reach, 1)
        in_bytes = (xs[:, :, np.newaxis] * 3 + np.arange(3)).reshape(len(xs), -1)
        inside = slice(3 * columns.start, 3 * columns.stop)
        return Plan(ys.ravel(), tuple(shifts), in_bytes, rows, inside)

    def _room(self, number: int, size: int) -> NDArray[np.uint8]:
        """Return *size* bytes of the working memory *number*; what it held is void."""
        if len(self._memory[number]) < size:
            self._memory[number] = np.empty(size, np.uint8)
        return self._memory[number][:size]


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


def reads(step: float) -> int:
    """Return how often to read along an axis for a pixel that spans *step*: 2, 4, 8."""
    count = 2
    while count < step and count < MOST_READS:
        count *= 2
    return count


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
