"""
The patient's looks: pyjamas, skin, hair and a face on the joints of a body.

Limbs are round, the trunk is a row of ellipses, the head an ellipsoid. The farthest
part is painted first.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.patient.bodies import SPINE, Body
from edge.patient.clothes import (
    CUFF,
    SHIRT,
    SKIN,
    SLIPPER,
    TROUSERS,
    jacket,
    shin_cloth,
    sleeve,
    thigh_cloth,
)
from edge.patient.head import paint_head
from edge.patient.paint import (
    Colour,
    Floats,
    Pattern,
    Radii,
    disc,
    limb,
    profile,
)
from edge.patient.view import View

SHADE: Colour = (44, 48, 50)

# The jacket from its hem to the neck: half width, half depth.
TRUNK_WIDTH = profile(
    0.174, 0.172, 0.166, 0.158, 0.152, 0.154, 0.160, 0.166, 0.170, 0.166, 0.120, 0.06
)
TRUNK_DEPTH = profile(
    0.124, 0.124, 0.118, 0.112, 0.108, 0.110, 0.114, 0.116, 0.110, 0.098, 0.080, 0.055
)
TRUNK_BEGIN, TRUNK_END = -0.09, 1.08  # shares of the spine

SHOULDERS = profile(0.056, 0.062, 0.070, 0.080, 0.070, 0.062, 0.056)
UPPER_ARM = profile(
    0.058, 0.060, 0.061, 0.061, 0.062, 0.062, 0.063, 0.046, 0.045, 0.043
)
FOREARM = profile(0.042, 0.043, 0.040, 0.034, 0.028)
HAND = profile(0.027, 0.038, 0.040, 0.030)
THUMB = profile(0.014, 0.012)
PELVIS = profile(0.095, 0.095)
LEG_ABOVE = profile(0.092, 0.092, 0.086, 0.076, 0.066)
LEG_BELOW = profile(0.062, 0.060, 0.066, 0.070, 0.066)  # from the cuff up
ANKLE = profile(0.042, 0.038)
FOOT = profile(0.046, 0.047, 0.044, 0.036)
NECK = profile(0.060, 0.056)

BESIDE = 0.25  # how much darker it is close to a limb that lies before another
GROUND_M = 0.35  # a foot lower than this throws a shadow on the floor


class Sight(NamedTuple):
    """A body as one camera sees it."""

    canvas: Floats
    body: Body
    view: View

    def at(self, joint: str) -> NDArray[np.float64]:
        """Return where *joint* is in the room."""
        return self.body.joints[joint]

    def ahead(self, first: str, last: str) -> float:
        """Return how far the middle of two joints is from the camera, metres."""
        return self.view.seen((self.at(first) + self.at(last)) / 2)[2]

    def bone(
        self,
        begin: NDArray[np.float64],
        end: NDArray[np.float64],
        radii: Radii,
        colour: Colour | Pattern,
        shadow: float = 0.0,
        hem: bool = False,
    ) -> None:
        """Paint a limb between two points of the room."""
        first, last = self.view.spot(begin), self.view.spot(end)
        limb(self.canvas, first, last, radii, colour, shadow, hem)


def paint_figure(canvas: Floats, body: Body, view: View) -> None:
    """Paint *body* as *view* sees it on *canvas*, which begins at the view's corner."""
    sight = Sight(canvas, body, view)
    _ground(sight)
    parts: list[tuple[float, Callable[[], None]]] = [
        (sight.ahead("left_hip", "right_hip") + 0.10, lambda: _pelvis(sight)),
        (sight.ahead("pelvis", "neck"), lambda: _trunk(sight)),
        (sight.ahead("neck", "head") - 0.02, lambda: _neck(sight)),
        (sight.ahead("head", "head") - 0.06, lambda: paint_head(canvas, body, view)),
    ]
    for side in ("left", "right"):
        for first, last, nearer, paint in LIMBS:
            ahead = sight.ahead(f"{side}_{first}", f"{side}_{last}")
            parts.append((ahead - nearer, _with(paint, sight, side)))
    for _, paint_part in sorted(parts, key=lambda part: -part[0]):
        paint_part()


def _with(
    paint: Callable[[Sight, str], None], sight: Sight, side: str
) -> Callable[[], None]:
    return lambda: paint(sight, side)


def _ground(sight: Sight) -> None:
    """Paint the shadows of feet on the floor."""
    for side in ("left", "right"):
        foot = (sight.at(f"{side}_ankle") + sight.at(f"{side}_toes")) / 2
        if foot[1] < GROUND_M:
            x, y, scale = sight.view.spot(foot * [1, 0, 1])
            strength = 0.42 * (1 - float(foot[1]) / GROUND_M)
            disc(sight.canvas, (x, y), (0.17 * scale, 0.08 * scale), SHADE, strength,
                 0.08 * scale)  # fmt: skip


def _pelvis(sight: Sight) -> None:
    sight.bone(sight.at("left_hip"), sight.at("right_hip"), PELVIS, TROUSERS)


def _trunk(sight: Sight) -> None:
    up, pelvis = sight.body.trunk[1], sight.at("pelvis")
    sight.bone(sight.at("left_shoulder"), sight.at("right_shoulder"), SHOULDERS, SHIRT)
    begin = sight.view.spot(pelvis + TRUNK_BEGIN * SPINE * up)
    end = sight.view.spot(pelvis + TRUNK_END * SPINE * up)
    along = np.array([end.x - begin.x, end.y - begin.y])
    along /= max(float(np.hypot(*along)), 1e-3)
    turned = sight.body.trunk @ sight.view.axes().T  # right, up, ahead of the camera
    wide, _, deep = (turned[:, :2] @ [-along[1], -along[0]]).astype(np.float32)
    middle = float(np.arctan2(0.7 * deep, wide))
    near = np.sin(middle) * turned[0, 2] - np.cos(middle) * turned[2, 2]
    radii = np.hypot(TRUNK_WIDTH * wide, TRUNK_DEPTH * deep)
    cloth = jacket(middle, 1.0 if near > 0 else -1.0)
    limb(sight.canvas, begin, end, radii, cloth, BESIDE, hem=True)


def _neck(sight: Sight) -> None:
    sight.bone(sight.at("neck"), sight.at("head"), NECK, SKIN)


def _upper_arm(sight: Sight, side: str) -> None:
    shoulder, elbow = sight.at(f"{side}_shoulder"), sight.at(f"{side}_elbow")
    sight.bone(shoulder, elbow, UPPER_ARM, sleeve, BESIDE)


def _forearm(sight: Sight, side: str) -> None:
    elbow, wrist = sight.at(f"{side}_elbow"), sight.at(f"{side}_wrist")
    hand = sight.at(f"{side}_fingers") - wrist
    inward = sight.body.trunk[0] * (-0.045 if side == "left" else 0.045)
    sight.bone(elbow, wrist, FOREARM, SKIN)
    sight.bone(wrist + 0.3 * hand, wrist + 0.55 * hand + inward, THUMB, SKIN)
    sight.bone(wrist, wrist + hand, HAND, SKIN)


def _thigh(sight: Sight, side: str) -> None:
    hip, knee = sight.at(f"{side}_hip"), sight.at(f"{side}_knee")
    sight.bone(hip, knee, LEG_ABOVE, thigh_cloth, BESIDE)


def _shin(sight: Sight, side: str) -> None:
    knee, ankle = sight.at(f"{side}_knee"), sight.at(f"{side}_ankle")
    shin, foot = knee - ankle, sight.at(f"{side}_toes") - ankle
    sight.bone(ankle + 0.25 * shin, ankle, ANKLE, SKIN)
    sight.bone(ankle - 0.25 * foot - [0, 0.02, 0], ankle + foot, FOOT, SLIPPER)
    sight.bone(ankle + CUFF * shin, knee, LEG_BELOW, shin_cloth, hem=True)


LIMBS = (
    # from, to, metres it is painted nearer than it is, painter
    ("shoulder", "elbow", 0.02, _upper_arm),
    ("elbow", "wrist", 0.06, _forearm),
    ("hip", "knee", -0.08, _thigh),
    ("knee", "ankle", 0.15, _shin),
)
