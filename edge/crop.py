"""
Square pieces of a frame for a network: which piece, and its pixels.

A `Region` is given in pixels of the **upright** frame, that is after turning the
source frame clockwise by *rotation* degrees. The pixels are read from the source as
it is and only the small square is turned, so that no frame is copied.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rotation = Literal[0, 90, 180, 270]
"""Degrees a source frame is turned clockwise to be upright."""

MOST_READS = 16
"""Source pixels read along one axis for one pixel of the square, at most."""


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


class Cutter:
    """
    Cuts regions of frames into squares of *size* pixels.

    Where a frame shrinks, it reads at least one in *stride* of its rows and columns:
    1 for stills, where time is no matter, 2 for video, which halves the time. It keeps
    its working memory, since fresh pages cost more than the arithmetic.
    """

    def __init__(self, size: int, stride: int = 1) -> None:
        self.size = size
        self._stride = stride
        self._memory: list[NDArray[np.uint8]] = []

    def cut(
        self, pixels: NDArray[np.uint8], region: Region, rotation: Rotation = 0
    ) -> NDArray[np.uint8]:
        """
        Return *region* of the frame as a square, uint8 of shape (size, size, 3), RGB.

        *pixels* is the source frame, uint8 of shape (height, width, 3). What lies
        outside the frame is black. Each pixel of the square is the mean of the source
        under it where it shrinks, and between its neighbours where it grows.
        """
        height, width = pixels.shape[:2]
        left, top = turned_back(region, width, height, rotation)
        columns, xs = reads(left, region.side, self.size, width, self._stride)
        rows, ys = reads(top, region.side, self.size, height, self._stride)
        lines = np.ascontiguousarray(pixels).reshape(height, width * 3)
        # Rows first: they are copied whole, which costs less than picking columns.
        strip = self._mean(lines, ys, axis=0, level=0)
        picked = self._mean(strip, in_bytes(xs), axis=1, level=1)
        square = np.zeros((self.size, self.size, 3), np.uint8)
        square[rows, columns] = picked.reshape(len(picked), xs.shape[1], 3)
        return square if rotation == 0 else np.rot90(square, -rotation // 90)

    def _mean(
        self,
        source: NDArray[np.uint8],
        places: NDArray[np.intp],
        axis: Literal[0, 1],
        level: int,
    ) -> NDArray[np.uint8]:
        """
        Return the mean of *source* at each row of *places* along *axis*, each halving
        rounded down, in the working memory of *level*.
        """
        count, length = places.shape
        if count == 1:
            shape = (length, source.shape[1]) if axis == 0 else (len(source), length)
            taken = self._room(level, shape)
            return np.take(source, places[0], axis=axis, out=taken, mode="clip")
        one = self._mean(source, places[: count // 2], axis, level)
        other = self._mean(source, places[count // 2 :], axis, level + 1)
        differing = self._room(level + 2, one.shape)
        np.bitwise_xor(one, other, out=differing)
        np.right_shift(differing, 1, out=differing)
        np.bitwise_and(one, other, out=one)
        return np.add(one, differing, out=one)

    def _room(self, level: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Return the working memory of *level*, in *shape*; what it held is void."""
        while len(self._memory) <= level:
            self._memory.append(np.empty(0, np.uint8))
        if self._memory[level].size < shape[0] * shape[1]:
            self._memory[level] = np.empty(shape[0] * shape[1], np.uint8)
        return self._memory[level][: shape[0] * shape[1]].reshape(shape)


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


def reads(
    start: float, side: float, size: int, length: int, stride: int
) -> tuple[slice, NDArray[np.intp]]:
    """
    Return, along one axis, which pixels of the square lie inside the frame of
    *length*, and the source pixels each of them is the mean of: shape (reads, n).

    The reads are spread over the width of one pixel of the square, or of the source
    where that is wider: then their mean is linear interpolation.
    """
    step = side / size
    count = 2
    while count < step / stride and count < MOST_READS:
        count *= 2
    centres = start + (np.arange(size) + 0.5) * step
    first, end = np.searchsorted(centres, (0, length))
    spread = ((np.arange(count) + 0.5) / count - 0.5) * max(step, 1)
    places = np.floor(centres[first:end] + spread[:, np.newaxis]).astype(np.intp)
    return slice(int(first), int(end)), np.clip(places, 0, length - 1)


def in_bytes(columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the bytes of the RGB pixels *columns* of a line, in order."""
    count, length = columns.shape
    channels = columns[:, :, np.newaxis] * 3 + np.arange(3)
    return channels.reshape(count, length * 3)
