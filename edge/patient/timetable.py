"""
What the patient does, minute by minute: the posture at any second, for ever.

One round takes `ROUND_S`. The patient stands and raises the arms, walks to the bed,
lies in it, gets up, leaves and comes back.
"""

from bisect import bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.patient import bed
from edge.patient.bodies import (
    ANKLE_M,
    BONE,
    SHIN,
    THIGH,
    Posture,
    between,
    body,
    frame,
    posture,
    unit,
)

ROUND_S = 60.0

Direction = tuple[float, float, float]

HANGING: dict[str, Direction] = {
    "left_upper_arm": (0.16, -1, 0.02),
    "right_upper_arm": (-0.16, -1, 0.02),
    "left_forearm": (0.10, -1, 0.22),
    "right_forearm": (-0.10, -1, 0.22),
    "left_hand": (0.0, -1, 0.2),
    "right_hand": (0.0, -1, 0.2),
}
UPRIGHT: dict[str, Direction] = {
    "left_thigh": (0.07, -1, 0.04),
    "right_thigh": (-0.07, -1, 0.04),
    "left_shin": (0.04, -1, -0.06),
    "right_shin": (-0.04, -1, -0.06),
    "left_foot": (0.4, -0.3, 1),
    "right_foot": (-0.4, -0.3, 1),
}
SIDEWAYS: dict[str, Direction] = {
    "left_upper_arm": (1, -0.02, 0.05),
    "right_upper_arm": (-1, -0.02, 0.05),
    "left_forearm": (1, 0.08, 0.10),
    "right_forearm": (-1, 0.08, 0.10),
    "left_hand": (1, 0.05, 0.1),
    "right_hand": (-1, 0.05, 0.1),
}
RAISED: dict[str, Direction] = {
    "left_upper_arm": (0.55, 1, 0.05),
    "right_upper_arm": (-0.55, 1, 0.05),
    "left_forearm": (0.22, 1, 0.12),
    "right_forearm": (-0.22, 1, 0.12),
    "left_hand": (0.1, 1, 0.1),
    "right_hand": (-0.1, 1, 0.1),
}

STANDING_M = ANKLE_M + THIGH + SHIN - 0.006  # pelvis above the floor
STRIDE_M = 1.25  # two steps
PLACE = (-0.72, 2.1)  # x, z: where the patient stands
CAMERA = (0.12, -1.0)  # x, z: facing it from there
BEDSIDE = (-0.10, 2.82)
OUTSIDE = (-2.6, 1.7)  # left of what the camera sees


class Moment(NamedTuple):
    """From *second* of a round on, the patient goes from *posture* to the next one."""

    second: float
    doing: str
    posture: Posture
    walks: bool = False


def doing(second: float) -> str:
    """Return what the patient does at *second*: "stands", "raises arms", "lies", …."""
    return _now(second)[0].doing


def posture_at(second: float) -> Posture:
    """Return the posture at *second*, which may be any number."""
    now, following, share = _now(second)
    eased = share * share * (3 - 2 * share)
    stance = between(now.posture, following.posture, eased)
    if now.walks:
        stance = _walking(now, following, eased, stance)
    return _alive(stance, second)


def _now(second: float) -> tuple[Moment, Moment, float]:
    """Return the moment that holds *second*, the next one and the share between."""
    within = second % ROUND_S
    number = bisect_right(BEGINS, within) - 1
    now = MOMENTS[number]
    following = MOMENTS[(number + 1) % len(MOMENTS)]
    end = following.second or ROUND_S
    return now, following, (within - now.second) / (end - now.second)


def _walking(now: Moment, following: Moment, share: float, stance: Posture) -> Posture:
    """Return *stance* with legs and arms swinging, *share* of the way walked."""
    way = float(np.linalg.norm(following.posture.pelvis - now.posture.pelvis))
    stride = 2 * np.pi * share * way / STRIDE_M
    effort = min(1.0, 12 * share * (1 - share))  # none at either end
    bones = stance.bones.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = sign * np.sin(stride)
        bend = 0.1 + 0.7 * max(0.0, sign * np.cos(stride + 0.3)) ** 1.5
        thigh = effort * (0.34 * swing + 0.04)
        shin = thigh - effort * bend
        arm = -0.4 * effort * swing
        for bone, angle in (
            ("thigh", thigh),
            ("shin", shin),
            ("upper_arm", arm),
            ("forearm", arm + 0.15 * effort),
        ):
            forward = np.array([0.0, 0.0, np.tan(angle)])
            bones[BONE[f"{side}_{bone}"]] += forward
    return on_floor(Posture(stance.pelvis, unit(bones)))


def on_floor(stance: Posture) -> Posture:
    """Return *stance* moved up or down until the lower foot is on the floor."""
    joints = body(stance).joints
    low = min(joints["left_ankle"][1], joints["right_ankle"][1])
    return stance._replace(pelvis=stance.pelvis + [0, ANKLE_M - low, 0])


def _alive(stance: Posture, second: float) -> Posture:
    """Return *stance* as nobody alive stands still: swaying, looking about."""
    bones = stance.bones.copy()
    sway = 0.012 * np.sin(2 * np.pi * second / 5.3)
    look = 0.22 * np.sin(2 * np.pi * second / 9.1) ** 3
    bones[BONE["trunk_up"]] += [sway, 0, 0]
    head = frame(bones[BONE["head_up"]], bones[BONE["head_ahead"]])
    bones[BONE["head_ahead"]] += look * head[0]
    return Posture(stance.pelvis, unit(bones))


def standing(x: float, z: float, ahead: tuple[float, float],
             arms: dict[str, Direction] = HANGING) -> Posture:  # fmt: skip
    """Return somebody standing at *x*, *z* and facing *ahead* (x, z)."""
    facing = (ahead[0], 0.0, ahead[1])
    return posture(
        (x, STANDING_M, z),
        trunk_up=(0, 1, 0),
        trunk_ahead=facing,
        head_up=(0, 1, 0),
        head_ahead=(facing[0], -0.12, facing[2]),
        **UPRIGHT,
        **arms,
    )


def sitting() -> Posture:
    """Return somebody on the edge of the bed, feet on the floor."""
    seat = bed.on_bed(0.98, -0.26, 0.11)
    out = -bed.TOWARDS_NEAR - 0.25 * bed.TOWARDS_HEAD
    return posture(
        (float(seat[0]), float(seat[1]), float(seat[2])),
        trunk_up=tuple(np.array([0, 1, 0]) + 0.12 * out),
        trunk_ahead=tuple(out),
        head_up=(0, 1, 0),
        head_ahead=tuple(out - np.array([0, 0.1, 0])),
        left_upper_arm=(0.3, -1, 0.0),
        right_upper_arm=(-0.3, -1, 0.0),
        left_forearm=(0.1, -1, 0.55),
        right_forearm=(-0.1, -1, 0.55),
        left_hand=(0, -0.6, 1),
        right_hand=(0, -0.6, 1),
        left_thigh=(0.1, -0.16, 1),
        right_thigh=(-0.1, -0.16, 1),
        left_shin=(0, -1, 0.0),
        right_shin=(0, -1, 0.0),
        left_foot=(0.1, -0.2, 1),
        right_foot=(-0.1, -0.2, 1),
    )


def lying(arm: float = 0.0) -> Posture:
    """Return somebody lying against the backrest; *arm* 1 raises the left hand."""
    up = unit(bed.on_bed(1.9, 0) - bed.on_bed(bed.HINGE_M, 0))
    ahead = np.cross(up, bed.TOWARDS_NEAR)
    head_ahead = ahead - 0.35 * up
    axes = np.stack([bed.TOWARDS_NEAR, up, ahead])

    def inside(direction: NDArray[np.float64]) -> Direction:
        x, y, z = axes @ direction
        return float(x), float(y), float(z)

    feet, high = -bed.TOWARDS_HEAD, bed.UP
    wide = 0.13 * bed.TOWARDS_NEAR
    place = bed.on_bed(0.99, 0.0, 0.12)
    return posture(
        (float(place[0]), float(place[1]), float(place[2])),
        trunk_up=tuple(up),
        trunk_ahead=tuple(ahead),
        head_up=tuple(up + 0.35 * ahead),
        head_ahead=tuple(head_ahead),
        left_upper_arm=(0.45 + 0.5 * arm, -1 + 0.8 * arm, 0.05 + 0.5 * arm),
        right_upper_arm=(-0.45, -1, 0.05),
        left_forearm=(-0.25, -0.75 + 2 * arm, 0.62),
        right_forearm=(0.35, -0.75, 0.52),
        left_hand=(-0.5, -0.5 + 2 * arm, 0.3),
        right_hand=(0.7, -0.5, 0.2),
        left_thigh=inside(feet + 0.42 * high + wide),
        right_thigh=inside(feet + 0.34 * high - wide),
        left_shin=inside(feet - 0.46 * high + 0.4 * wide),
        right_shin=inside(feet - 0.38 * high - 0.4 * wide),
        left_foot=inside(0.5 * feet + high + wide),
        right_foot=inside(0.5 * feet + high - wide),
    )


def _moments() -> tuple[Moment, ...]:
    here = standing(*PLACE, CAMERA)
    wide = standing(*PLACE, CAMERA, SIDEWAYS)
    high = standing(*PLACE, CAMERA, RAISED)
    beside = standing(*BEDSIDE, (0.7, 0.7))
    turned = standing(*BEDSIDE, (-0.95, 0.0))
    seated = sitting()
    leaving = standing(*BEDSIDE, (-0.88, -0.47))
    away = standing(*OUTSIDE, (-0.88, -0.47))
    coming = standing(*OUTSIDE, (0.95, 0.30))
    return (
        Moment(0.0, "stands", here),
        Moment(4.0, "raises arms", here),
        Moment(5.5, "raises arms", wide),
        Moment(7.0, "raises arms", wide),
        Moment(8.5, "raises arms", high),
        Moment(11.0, "raises arms", high),
        Moment(13.0, "stands", here),
        Moment(15.0, "walks", here, walks=True),
        Moment(17.5, "walks", beside),
        Moment(19.0, "sits down", turned),
        Moment(21.0, "lies down", seated),
        Moment(24.0, "lies", lying()),
        Moment(29.0, "lies", lying()),
        Moment(30.5, "lies", lying(1.0)),
        Moment(33.0, "lies", lying(1.0)),
        Moment(34.5, "lies", lying()),
        Moment(40.0, "gets up", lying()),
        Moment(43.0, "gets up", seated),
        Moment(45.0, "walks", turned),
        Moment(45.7, "walks", leaving, walks=True),
        Moment(49.0, "absent", away),
        Moment(49.5, "absent", standing(*OUTSIDE, (0.0, -1.0))),
        Moment(51.0, "absent", coming),
        Moment(53.0, "walks", coming, walks=True),
        Moment(56.5, "stands", here),
    )


MOMENTS = _moments()
"""The timetable; the first moment follows the last."""

BEGINS = [moment.second for moment in MOMENTS]
