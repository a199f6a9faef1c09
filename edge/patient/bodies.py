"""
A drawn patient's body: where its joints are at any instant, as pure geometry.

Space is in metres: x to the right, y up, z away from the camera; the floor is y = 0.
A posture is a pelvis and a direction for every bone, so that bones keep their length
whatever is interpolated. Lengths are shares of the body height after Drillis and
Contini (1966), as Winter, "Biomechanics and Motor Control of Human Movement",
gives them; where keypoints lie on the head is the artist's.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Positions or directions, shape (n, 3)."""

HEIGHT_M = 1.74
UPPER_ARM = 0.186 * HEIGHT_M
FOREARM = 0.146 * HEIGHT_M
HAND = 0.085 * HEIGHT_M  # to the fingers' middle joints
THIGH = 0.245 * HEIGHT_M
SHIN = 0.246 * HEIGHT_M
FOOT = 0.1 * HEIGHT_M
SPINE = 0.288 * HEIGHT_M  # hip line to shoulder line
NECK = 0.1 * HEIGHT_M  # shoulder line to the middle of the head
SHOULDER_HALF = 0.099 * HEIGHT_M
SHRUG_M = 0.05  # how far an arm held up lifts its shoulder
HIP_HALF = 0.06 * HEIGHT_M
ANKLE_M = 0.039 * HEIGHT_M  # height above the floor

# Directions in the frame they belong to: the patient's left, up, ahead.
BONES = (
    "trunk_up",  # the first four in the room's frame: x, y, z
    "trunk_ahead",
    "head_up",
    "head_ahead",
    "left_upper_arm",  # the others in the trunk's frame: left, up, ahead
    "right_upper_arm",
    "left_forearm",
    "right_forearm",
    "left_hand",
    "right_hand",
    "left_thigh",
    "right_thigh",
    "left_shin",
    "right_shin",
    "left_foot",
    "right_foot",
)
BONE = {name: number for number, name in enumerate(BONES)}

FACE: dict[str, tuple[float, float, float]] = {
    # left, up, ahead of the middle of the head, metres
    "nose": (0.0, -0.005, 0.118),
    "left_eye": (0.034, 0.03, 0.088),
    "right_eye": (-0.034, 0.03, 0.088),
    "left_ear": (0.078, 0.0, -0.002),
    "right_ear": (-0.078, 0.0, -0.002),
}


class Posture(NamedTuple):
    """Where the pelvis is and where every bone points."""

    pelvis: NDArray[np.float64]  # shape (3,): middle of the hip joints, metres
    bones: Points  # shape (16, 3), unit vectors in the order of BONES


class Body(NamedTuple):
    """A posture worked out: what a painter needs. Metres, in the room."""

    joints: dict[
        str, NDArray[np.float64]
    ]  # names of KEYPOINTS, hands, toes, head, neck
    trunk: Points  # shape (3, 3): rows are the patient's left, up, ahead
    head: Points  # likewise of the head


def posture(pelvis: tuple[float, float, float], **bones: tuple[float, ...]) -> Posture:
    """Return a posture from directions of any length, by the names of `BONES`."""
    directions = np.array([bones[name] for name in BONES], float)
    return Posture(np.array(pelvis, float), unit(directions))


def between(first: Posture, second: Posture, share: float) -> Posture:
    """Return the posture at *share*, 0 to 1, of the way from *first* to *second*."""
    return Posture(
        first.pelvis + share * (second.pelvis - first.pelvis),
        unit(first.bones + share * (second.bones - first.bones)),
    )


def body(stance: Posture) -> Body:
    """Return the joints of *stance*."""
    trunk = frame(stance.bones[0], stance.bones[1])
    head = frame(stance.bones[2], stance.bones[3])
    limbs = dict(zip(BONES[4:], stance.bones[4:] @ trunk, strict=True))
    left, up, _ = trunk
    neck = stance.pelvis + SPINE * up
    joints = {
        "pelvis": stance.pelvis,
        "neck": neck,
        "head": neck + NECK * (0.35 * up + 0.65 * head[1] + 0.1 * head[2]),
    }
    for side, sign in (("left", 1.0), ("right", -1.0)):
        raised = max(0.0, float(limbs[f"{side}_upper_arm"] @ up) + 0.3) / 1.3
        shoulder = neck + sign * SHOULDER_HALF * left + SHRUG_M * raised * up
        hip = stance.pelvis + sign * HIP_HALF * left
        joints |= _limb(side, shoulder, limbs, ARM)
        joints |= _limb(side, hip, limbs, LEG)
    for name, place in FACE.items():
        joints[name] = joints["head"] + np.array(place) @ head
    return Body(joints, trunk, head)


ARM = (
    ("shoulder", "upper_arm", UPPER_ARM),
    ("elbow", "forearm", FOREARM),
    ("wrist", "hand", HAND),
    ("fingers", "", 0.0),
)
LEG = (("hip", "thigh", THIGH), ("knee", "shin", SHIN), ("ankle", "foot", FOOT),
       ("toes", "", 0.0))  # fmt: skip


def frame(up: NDArray[np.float64], ahead: NDArray[np.float64]) -> Points:
    """Return rows left, up, ahead at right angles: *up* as given, *ahead* about so."""
    left = unit(_cross(ahead, up))
    return np.stack([left, up, _cross(up, left)])


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what `numpy.cross` does for two vectors, in a tenth of its time."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def unit(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return *directions*, shape (…, 3), with length 1."""
    lengths: NDArray[np.float64] = np.linalg.norm(directions, axis=-1, keepdims=True)
    return directions / lengths


def _limb(
    side: str,
    root: NDArray[np.float64],
    directions: dict[str, NDArray[np.float64]],
    chain: tuple[tuple[str, str, float], ...],
) -> dict[str, NDArray[np.float64]]:
    """Return the joints of a chain of bones that begins at *root*."""
    places = {}
    for joint, bone, length in chain:
        places[f"{side}_{joint}"] = root
        if bone:
            root = root + length * directions[f"{side}_{bone}"]
    return places
