"""Bodies that are drawn, a network that finds them, and pictures for both."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.pose import Estimate, PoseTracker
from edge.records import Frame, MonotonicNs

EMPTY_S = 50.0
"""Then the patient of the timetable is out of the room."""

Picture = NDArray[np.uint8]


class Spots:
    """
    A network that finds 17 bright spots, or gives every point the score *blind*.

    Spot *i* has the colour (250, 250 − 10·i, 0); its middle is keypoint *i*.
    """

    size = 192

    def __init__(self, score: float = 0.9, blind: float = 0.1) -> None:
        self.score, self.blind = score, blind
        self.squares: list[Picture] = []

    def infer(self, square: Picture) -> NDArray[np.float32]:
        assert square.shape == (192, 192, 3)
        self.squares.append(square.copy())
        keypoints = np.full((17, 3), (0.5, 0.5, self.blind), np.float32)
        for i in range(17):
            shade = np.abs(square[:, :, 1].astype(int) - (250 - 10 * i)) < 3
            rows, columns = np.nonzero((square[:, :, 0] > 248) & shade)
            if len(rows):
                middle = (rows.mean() + 0.5) / 192, (columns.mean() + 0.5) / 192
                keypoints[i] = (*middle, self.score)
        return keypoints


def body(x: float, y: float, scale: float) -> NDArray[np.float32]:
    """Return where the 17 points of an upright body with hips at *x*, *y* are."""
    heads = [(0, -5), (-0.5, -5.6), (0.5, -5.6), (-1.2, -5.2), (1.2, -5.2)]
    limbs = [(2, -3.6), (-2, -3.6), (2.6, -2), (-2.6, -2), (2.8, -0.6), (-2.8, -0.6)]
    legs = [(1, 0), (-1, 0), (1.2, 2.6), (-1.2, 2.6), (1.3, 5), (-1.3, 5)]
    return np.array(heads + limbs + legs, np.float32) * scale + (x, y)


def drawn(points: NDArray[np.float32], width: int, height: int, spot: int) -> Picture:
    """Return a frame with the spots of `Spots` at *points*."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for i, (x, y) in enumerate(points.round().astype(int)):
        pixels[y - spot : y + spot, x - spot : x + spot] = (250, 250 - 10 * i, 0)
    return pixels


def at(second: float) -> MonotonicNs:
    return MonotonicNs(round(second * 1_000_000_000))


def frame(pixels: Picture, seconds: float = 0.0) -> Frame:
    now = at(seconds)
    return Frame(int(seconds * 25), now, now, "sensor", pixels)


def watched(
    tracker: PoseTracker, pictures: Iterator[Picture], rate_hz: float
) -> list[Estimate]:
    """Return what *tracker* finds in *pictures*."""
    stamps = (at(number / rate_hz) for number in range(10**9))
    return [
        tracker.step(Frame(0, stamp, stamp, "given", pixels))
        for stamp, pixels in zip(stamps, pictures, strict=False)
    ]


def smooth(width: int, height: int, seed: int = 20240607) -> Picture:
    """Return a smooth random picture: a few cosines a channel."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [
        sum(
            np.cos(x * a / width * 9 + y * b / height * 9 + c)
            for a, b, c in rng.uniform(-1, 1, (4, 3))
        )
        for _ in range(3)
    ]
    return (128 + 31 * np.stack(waves, axis=2)).astype(np.uint8)
