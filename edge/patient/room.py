"""
The room the patient lives in: walls, window, bed, table with a lamp, painted once.

The lamp is the light that can flash for measuring how far picture and ECG are apart.
"""

import numpy as np

from edge.patient.bed import DARK_WOOD, SHADE, STEEL, WOOD, paint_bed
from edge.patient.brush import Brush
from edge.patient.paint import Box, Colour, Floats, disc, limb, offsets, profile
from edge.patient.view import View

BACK_M = 4.5  # the wall opposite the camera
SIDES_M = (-2.35, 2.6)
CEILING_M = 2.9
NEAREST_M = 0.6  # from where on the floor is painted
TILE_M = 0.6
TABLE_X, TABLE_Z, TABLE_M = (1.71, 2.19), (3.21, 3.69), 0.72
LAMP = np.array([1.95, TABLE_M + 0.33, 3.45])
LAMP_REACH_M = 0.42

WALL: Colour = (219, 211, 197)
SIDE_WALL: Colour = (196, 188, 176)
FLOOR: Colour = (152, 160, 156)
JOINT: Colour = (138, 147, 143)
DAYLIGHT: Colour = (236, 238, 230)
WINDOW: Colour = (240, 238, 232)
SKY: Colour = (206, 228, 244)
CLOUD: Colour = (232, 242, 250)
TREES: Colour = (168, 196, 164)
CURTAIN: Colour = (205, 186, 160)
FOLD: Colour = (180, 160, 134)
SCREEN: Colour = (24, 30, 34)
LAMPSHADE: Colour = (112, 94, 72)  # dark, so that its light does not clip
BAG: Colour = (222, 234, 238)


def paint_room(view: View) -> Floats:
    """
    Return the room as *view* sees it, nobody in it and the lamp dark: a canvas of
    shape (3, height, width).
    """
    brush = Brush(np.zeros((3, view.height, view.width), np.float32), view)
    for paint in (_floor, _walls, _window, _monitor, _drip, paint_bed, _table):
        paint(brush)
    _vignette(brush.canvas)
    return brush.canvas


def light_box(view: View) -> Box:
    """Return the part of the picture that the lamp lights."""
    x, y, scale = view.spot(LAMP)
    reach = LAMP_REACH_M * scale
    left, right = np.clip([x - reach, x + reach], 0, view.width).astype(int).tolist()
    top, bottom = np.clip([y - reach, y + reach], 0, view.height).astype(int).tolist()
    return Box(left, top, right, bottom)


def glow(view: View) -> Floats:
    """Return what the lamp adds to the pixels of its `light_box` when it is on."""
    x, y, scale = view.spot(LAMP)
    dx, dy = offsets(light_box(view), x, y)
    ring = np.hypot(dx, dy) / np.float32(LAMP_REACH_M * scale)
    halo = 30 * np.clip(1 - ring, 0, 1)
    shade = 110 * np.clip((0.32 - ring) * 20, 0, 1)
    return np.stack([halo + shade, 0.9 * halo + shade, 0.6 * halo + 0.9 * shade])


def _floor(brush: Brush) -> None:
    deep = (NEAREST_M, BACK_M)
    brush.level(0, SIDES_M, deep, FLOOR)
    for x in np.arange(*SIDES_M, TILE_M):
        brush.level(0, (x, x + 0.012), deep, JOINT, 0.6)
    for z in np.arange(*deep, TILE_M):
        brush.level(0, SIDES_M, (z, z + 0.014), JOINT, 0.6)
    brush.level(0, SIDES_M, (BACK_M - 0.5, BACK_M), SHADE, 0.12, 14)
    brush.face([(-1.1, 0, 2.2), (0.1, 0, 2.6), (0.1, 0, 4.0), (-0.8, 0, 4.0)],
               DAYLIGHT, 0.16, 26)  # fmt: skip


def _walls(brush: Brush) -> None:
    deep = (NEAREST_M, BACK_M)
    brush.upright(BACK_M, SIDES_M, (0, CEILING_M), WALL)
    for x in SIDES_M:
        brush.sideways(x, deep, (0, CEILING_M), SIDE_WALL)
        brush.sideways(x, deep, (0, 0.1), STEEL)
    brush.upright(BACK_M, SIDES_M, (0, 0.1), STEEL)


def _window(brush: Brush) -> None:
    left, right, low, high = -0.75, 0.35, 0.95, 2.05
    wide, tall, middle = (left, right), (low, high), (left + right) / 2
    rim = 0.09
    brush.upright(BACK_M, (left - rim, right + rim), (low - rim, high + rim), WINDOW)
    brush.upright(BACK_M, wide, tall, SKY)
    brush.upright(BACK_M, wide, (low, low + 0.38), TREES, 0.8, 5)
    brush.upright(BACK_M, wide, (high - 0.3, high), CLOUD, 0.7, 8)
    brush.upright(BACK_M, (middle - 0.025, middle + 0.025), tall, WINDOW)
    hanging = (low - 0.2, high + 0.14)
    for x in (left - 0.2, right - 0.06):
        brush.upright(BACK_M, (x, x + 0.26), hanging, CURTAIN)
        for fold in np.arange(x + 0.03, x + 0.26, 0.065):
            brush.upright(BACK_M, (fold, fold + 0.025), hanging, FOLD, 0.7, 2)
    sill = (low - 0.12, low - 0.06)
    brush.upright(BACK_M, (left - 0.14, right + 0.14), sill, WINDOW)


def _monitor(brush: Brush) -> None:
    """Paint a monitor on the wall; what it shows is a picture of a picture."""
    z, left, right, low, high, rim = BACK_M - 0.06, 1.62, 2.16, 1.42, 1.80, 0.03
    brush.upright(z, (left, right), (low, high), STEEL)
    brush.upright(z, (left + rim, right - rim), (low + rim, high - rim), SCREEN)
    beat = [(0.0, 0.0), (0.25, 0.0), (0.29, 0.02), (0.33, 0.0), (0.36, -0.01),
            (0.39, 0.08), (0.42, -0.02), (0.46, 0.0), (0.6, 0.03), (0.7, 0.0),
            (1.0, 0.0)]  # fmt: skip
    wide = right - left - 4 * rim
    for row, colour in ((0.24, (92, 220, 130)), (0.11, (110, 190, 230))):
        points = [(left + 2 * rim + wide * x, low + row + y, z) for x, y in beat]
        for begin, end in zip(points[:-1], points[1:], strict=True):
            brush.rod(begin, end, 0.007, colour)


def _table(brush: Brush) -> None:
    x, z = TABLE_X, TABLE_Z
    brush.level(0, (x[0] - 0.08, x[1] + 0.06), (z[0] - 0.06, z[1] + 0.06), SHADE, 0.45,
                12)  # fmt: skip
    brush.box(x, (0.04, TABLE_M), z, WOOD)
    for high in (0.38, 0.66):  # drawers
        brush.upright(z[0], (x[0] + 0.04, x[1] - 0.04), (high, high + 0.015), DARK_WOOD,
                      0.7)  # fmt: skip
        (knob,) = brush.at((LAMP[0], high - 0.08, z[0]))
        disc(brush.canvas, knob, (0.026 * knob.scale, 0.013 * knob.scale), DARK_WOOD)
    _lamp(brush)


def _lamp(brush: Brush) -> None:
    foot, lamp = brush.at((LAMP[0], TABLE_M + 0.01, LAMP[2]), LAMP)
    size = lamp.scale
    disc(brush.canvas, foot, (0.09 * size, 0.04 * size), DARK_WOOD)
    limb(brush.canvas, foot, lamp, profile(0.015, 0.015), DARK_WOOD)
    disc(brush.canvas, lamp, (0.15 * size, 0.13 * size), LAMPSHADE, soft=1.5)
    bright = (lamp.x - 0.04 * size, lamp.y - 0.04 * size)
    disc(brush.canvas, bright, (0.08 * size, 0.07 * size), (128, 110, 86), soft=6)


def _drip(brush: Brush) -> None:
    """Paint a drip stand behind the bed."""
    x, z, top = 0.42, 4.0, 1.95
    brush.rod((x, 0, z), (x, top, z), 0.012, STEEL)
    brush.rod((x - 0.1, top, z), (x + 0.1, top, z), 0.010, STEEL)
    above, below = brush.at((x - 0.1, top - 0.04, z), (x - 0.1, top - 0.22, z))
    limb(brush.canvas, above, below, profile(0.045, 0.06, 0.055), BAG, 0.1)


def _vignette(canvas: Floats) -> None:
    """Darken the corners as a small lens does."""
    _, height, width = canvas.shape
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    canvas *= 1 - np.float32(0.09) * (x * x + y * y) ** 1.5
