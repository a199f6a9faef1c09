"""
Pictures of the patient, and the truth in them, as pure functions of time.

What a camera adds is in them (noise, a lens that darkens its corners); what it does
to time is not: no blur of motion, no rolling shutter, no exposure that adapts.
"""

import numpy as np
from numpy.typing import NDArray

from edge.patient.bodies import Body, body
from edge.patient.figure import paint_figure
from edge.patient.paint import Box, Floats, around
from edge.patient.room import glow, light_box, paint_room
from edge.patient.timetable import posture_at
from edge.patient.view import View
from edge.records import KEYPOINTS

NOISE = 4.0  # standard deviation, of 255: a small sensor indoors
NOISY_ROOMS = 4  # pictures of the empty room, each with other noise
TILE_PX = 97  # how far the figure's noise can be shifted
FLESH_M = 0.2  # how far the figure reaches beyond its joints
SHADOW_PX = 8


class Pictures:
    """Pictures of one room with its patient, *seed* making the noise."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self.view = View(width, height)
        draw = np.random.default_rng(seed)
        shape = (height + TILE_PX, width + TILE_PX)
        self._noise = draw.standard_normal(shape, np.float32) * np.float32(NOISE)
        self._room = paint_room(self.view)
        self._rooms = [self._noisy_room(draw) for _ in range(NOISY_ROOMS)]
        self._canvas = np.empty(3 * height * width, np.float32)  # the figure's, reused
        self._light, self._glow = light_box(self.view), glow(self.view)

    @property
    def light(self) -> Box:
        """Return the part of the picture that the lamp lights."""
        return self._light

    def picture(self, second: float, lamp: float = 0.0) -> NDArray[np.uint8]:
        """
        Return the picture at *second* of the timetable with the lamp as bright as
        *lamp*, 0 to 1: uint8 of shape (height, width, 3), RGB.
        """
        grain = int(second * 1e6) * 2654435761 % 2**32  # other noise in every picture
        pixels = self._rooms[grain % NOISY_ROOMS].copy()
        self._add_patient(pixels, body(posture_at(second)), grain // NOISY_ROOMS)
        if lamp:
            self._add_light(pixels, lamp)
        return pixels

    def truth(self, second: float) -> NDArray[np.float32]:
        """
        Return where the keypoints are in the picture at *second*: shape (17, 3) with
        x and y in pixels, and 1 where that is inside the picture, else 0.
        """
        joints = body(posture_at(second)).joints
        spots = [self.view.spot(joints[name]) for name in KEYPOINTS]
        x, y, _ = np.array(spots).T
        inside = (x >= 0) & (x < self.view.width) & (y >= 0) & (y < self.view.height)
        return np.stack([x, y, inside], axis=1).astype(np.float32)

    def body_height_px(self, second: float) -> float:
        """Return how tall the patient, upright, is in the picture."""
        figure = body(posture_at(second))
        crown = self.view.spot(figure.joints["head"] + 0.12 * figure.head[1])
        soles = [
            self.view.spot(figure.joints[name]) for name in ("left_toes", "right_toes")
        ]
        return max(sole.y for sole in soles) - crown.y

    def _noisy_room(self, draw: np.random.Generator) -> NDArray[np.uint8]:
        noise = draw.standard_normal(self._room.shape, np.float32) * np.float32(NOISE)
        return _pixels(self._room + noise).transpose(1, 2, 0).copy()

    def _add_patient(self, pixels: NDArray[np.uint8], figure: Body, grain: int) -> None:
        box = self._box(figure)
        if box is None:
            return
        width, height = box.right - box.left, box.bottom - box.top
        canvas = self._canvas[: 3 * height * width].reshape(3, height, width)
        np.copyto(canvas, box.cut(self._room))
        paint_figure(canvas, figure, self.view._replace(left=box.left, top=box.top))
        for number, plane in enumerate(canvas):
            down, right = (
                (grain >> 3 * number) % TILE_PX,
                (grain >> 7 * number) % TILE_PX,
            )
            plane += self._noise[down : down + height, right : right + width]
        np.maximum(canvas, 0, out=canvas)
        np.minimum(canvas, 255, out=canvas)
        part = pixels[box.top : box.bottom, box.left : box.right]
        for number, plane in enumerate(canvas):
            np.copyto(part[:, :, number], plane, casting="unsafe")

    def _box(self, figure: Body) -> Box | None:
        """Return the part of the picture the figure is in, ``None`` if in none."""
        spots = [self.view.spot(joint) for joint in figure.joints.values()]
        margin = FLESH_M * max(spot.scale for spot in spots) + SHADOW_PX
        return around(spots, margin, self._room)

    def _add_light(self, pixels: NDArray[np.uint8], lamp: float) -> None:
        left, top, right, bottom = self._light
        part = pixels[top:bottom, left:right]
        part[:] = _pixels(part + np.float32(lamp) * self._glow.transpose(1, 2, 0))


def _pixels(values: Floats) -> NDArray[np.uint8]:
    """Return *values*, changed, as whole numbers from 0 to 255."""
    np.maximum(values, 0, out=values)
    np.minimum(values, 255, out=values)
    return values.astype(np.uint8)
