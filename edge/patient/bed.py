"""The bed, its backrest raised: where points on it are, and how it looks."""

import numpy as np
from numpy.typing import NDArray

from edge.patient.brush import Brush
from edge.patient.paint import Colour, limb, profile

YAW_RAD = 0.27
LENGTH_M = 2.05
HALF_M = 0.46  # of its width
MATTRESS_M = 0.62  # its top above the floor
HINGE_M = 1.12  # from the foot end to where the backrest begins
BACKREST_RAD = 0.68
FOOT = np.array([0.50, 0.0, 1.72])  # middle of the foot end, on the floor

TOWARDS_HEAD = np.array([np.sin(YAW_RAD), 0.0, np.cos(YAW_RAD)])
TOWARDS_NEAR = np.array([np.cos(YAW_RAD), 0.0, -np.sin(YAW_RAD)])
UP = np.array([0.0, 1.0, 0.0])

WOOD: Colour = (176, 138, 98)
DARK_WOOD: Colour = (134, 100, 70)
STEEL: Colour = (178, 184, 190)
SHEET: Colour = (234, 237, 242)
SHEET_SIDE: Colour = (196, 201, 210)
BLANKET: Colour = (122, 168, 156)
BLANKET_SIDE: Colour = (88, 132, 122)
PILLOW: Colour = (246, 247, 250)
SHADE: Colour = (40, 42, 46)

Place = NDArray[np.float64]


def on_bed(along_m: float, across_m: float, above_m: float = 0.0) -> Place:
    """
    Return the point *above_m* over the mattress, *along_m* from the foot end and
    *across_m* from the middle, positive away from where one gets in; behind the hinge
    on the raised backrest.
    """
    place = under_bed(min(along_m, HINGE_M), across_m, MATTRESS_M)
    rest = along_m - HINGE_M
    if rest <= 0:
        return place + above_m * UP
    sin, cos = np.sin(BACKREST_RAD), np.cos(BACKREST_RAD)
    along, above = cos * TOWARDS_HEAD + sin * UP, cos * UP - sin * TOWARDS_HEAD
    return np.asarray(place + rest * along + above_m * above)


def under_bed(along_m: float, across_m: float, high_m: float) -> Place:
    """Return the point *high_m* over the floor, as `on_bed` if the bed were flat."""
    return FOOT + along_m * TOWARDS_HEAD + across_m * TOWARDS_NEAR + high_m * UP


def paint_bed(brush: Brush) -> None:
    """Paint the bed, from the back to the front."""
    _frame(brush)
    _mattress(brush)
    _blanket(brush)
    _footboard(brush)


def _rectangle(along: tuple[float, float], high_m: float) -> list[Place]:
    corners = ((0, -1), (0, 1), (1, 1), (1, -1))
    return [under_bed(along[k], side * HALF_M, high_m) for k, side in corners]


def _frame(brush: Brush) -> None:
    brush.face(_rectangle((-0.05, LENGTH_M), 0.0), SHADE, 0.5, 22)
    board = LENGTH_M + 0.03
    brush.face([under_bed(board, -HALF_M, 0.3), under_bed(board, HALF_M, 0.3),
                under_bed(board, HALF_M, 1.22), under_bed(board, -HALF_M, 1.22)],
               WOOD)  # fmt: skip
    for along in (0.1, LENGTH_M - 0.1):
        for across in (0.08 - HALF_M, HALF_M - 0.08):
            foot = under_bed(along, across, 0.05)
            brush.rod(foot, foot + 0.3 * UP, 0.028, STEEL)
    for across in (-HALF_M, HALF_M):
        brush.face([under_bed(0, across, 0.34), under_bed(LENGTH_M, across, 0.34),
                    under_bed(LENGTH_M, across, 0.44), under_bed(0, across, 0.44)],
                   STEEL)  # fmt: skip


def _mattress(brush: Brush) -> None:
    parts = ((0.0, HINGE_M, 0.18), (HINGE_M, LENGTH_M, 0.10))
    for begin, end, thick in parts:
        brush.face([on_bed(begin, -HALF_M, -0.18), on_bed(end, -HALF_M, -thick),
                    on_bed(end, -HALF_M), on_bed(begin, -HALF_M)],
                   SHEET_SIDE)  # fmt: skip
    for begin, end, _ in parts[::-1]:
        brush.face(_strip(begin, end), SHEET)
    brush.face(_strip(HINGE_M - 0.16, HINGE_M + 0.05), SHEET_SIDE, 0.45, 9)
    left, right = brush.at(on_bed(1.80, -0.24, 0.05), on_bed(1.80, 0.24, 0.05))
    pillow = profile(0.13, 0.15, 0.15, 0.13)
    limb(brush.canvas, left, right, pillow, PILLOW, 0.2)
    brush.face([on_bed(0, -HALF_M, -0.18), on_bed(0, HALF_M, -0.18),
                on_bed(0, HALF_M), on_bed(0, -HALF_M)], SHEET_SIDE)  # fmt: skip


def _strip(
    begin_m: float, end_m: float, wide_m: float = HALF_M, above_m: float = 0.0
) -> list[Place]:
    """Return the corners of a strip across the bed."""
    corners = ((begin_m, -1), (begin_m, 1), (end_m, 1), (end_m, -1))
    return [on_bed(along, side * wide_m, above_m) for along, side in corners]


def _blanket(brush: Brush) -> None:
    """Paint a blanket folded across the foot end."""
    wide, high = HALF_M + 0.02, 0.03
    brush.face([on_bed(0.05, -wide, -0.2), on_bed(0.30, -wide, -0.2),
                on_bed(0.30, -wide, high), on_bed(0.05, -wide, high)],
               BLANKET_SIDE)  # fmt: skip
    brush.face(_strip(0.05, 0.30, wide, high), BLANKET)
    for along in (0.10, 0.24):
        brush.face(_strip(along, along + 0.025, wide, high), SHEET, 0.55)


def _footboard(brush: Brush) -> None:
    along, top = -0.06, MATTRESS_M + 0.02
    for low, colour in ((0.22, WOOD), (top - 0.06, DARK_WOOD)):
        brush.face([under_bed(along, -HALF_M, low), under_bed(along, HALF_M, low),
                    under_bed(along, HALF_M, top), under_bed(along, -HALF_M, top)],
                   colour)  # fmt: skip
