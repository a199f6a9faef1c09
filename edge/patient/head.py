"""The patient's head: an ellipsoid with a face painted on it, right from any side."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.patient.bodies import FACE, Body
from edge.patient.clothes import SKIN
from edge.patient.paint import (
    Colour,
    Floats,
    around,
    lay,
    limb,
    lit,
    offsets,
    profile,
)
from edge.patient.view import View

BLUSH: Colour = (222, 148, 128)
LIPS: Colour = (184, 100, 94)
HAIR: Colour = (78, 54, 40)
WHITE: Colour = (246, 243, 240)
IRIS: Colour = (58, 48, 48)

RADII = np.array([0.079, 0.120, 0.098])  # left, up, ahead, metres
NOSE_RADII = profile(0.010, 0.013, 0.018)
NOSE: Colour = (236, 186, 154)
EAR_RADII = profile(0.020, 0.024, 0.018)
EAR: Colour = (222, 168, 140)
TEXTURE = 112  # steps from ear to ear, and from chin to crown
HALO = 0.35  # how far the head darkens what is beside it, in its radii


def paint_head(canvas: Floats, body: Body, view: View) -> None:
    """Paint the head of *body* as *view* sees it; *canvas* begins at its corner."""
    ahead = view.seen(body.joints["head"])[2]
    ears = {name: view.seen(body.joints[name])[2] for name in ("left_ear", "right_ear")}
    for name, distance in ears.items():
        if distance > ahead:
            _ear(canvas, body, view, name)
    _skull(canvas, body, view)
    for name, distance in ears.items():
        if distance <= ahead:
            _ear(canvas, body, view, name)
    if view.seen(body.joints["nose"])[2] < ahead + 0.02:
        _nose(canvas, body, view)


def _skull(canvas: Floats, body: Body, view: View) -> None:
    """Paint where rays through the pixels meet the ellipsoid, in its own frame."""
    spot = view.spot(body.joints["head"])
    box = around((spot,), 0.14 * spot.scale + 3, canvas)
    if box is None:
        return
    x, y = offsets(box, view.width / 2 - view.left, view.height / 2 - view.top)
    right, down = x / np.float32(view.focal_px), y / np.float32(view.focal_px)
    axes = body.head @ view.axes().T  # rows left, up, ahead of the head, camera's frame
    squeeze = (axes / RADII[:, None]).astype(np.float32)
    eye = -squeeze @ np.array(view.seen(body.joints["head"]), np.float32)
    rays = [row[0] * right - row[1] * down + row[2] for row in squeeze]
    a = rays[0] ** 2 + rays[1] ** 2 + rays[2] ** 2
    b = rays[0] * eye[0] + rays[1] * eye[1] + rays[2] * eye[2]
    square = float(eye @ eye)
    reach = (-b - np.sqrt(np.maximum(b * b - a * (square - 1), 0))) / a
    face = [eye[k] + reach * rays[k] for k in range(3)]
    nearest = np.sqrt(np.maximum(square - b * b / a, 0))  # 1 at the outline
    cover = np.clip((1 - nearest) * np.float32(RADII[0] * spot.scale) + 0.5, 0, 1)
    dark = np.clip(1 + (1 - nearest) / np.float32(HALO), 0, 1)
    keep = (1 - cover) * (1 - np.float32(0.22) * dark * dark)
    cover *= _light_on(face, axes)
    lay(box.cut(canvas), _painted(*face), cover, keep)


def _light_on(face: list[Floats], axes: NDArray[np.float64]) -> Floats:
    """Return the brightness at points of the unit sphere that stands for the head."""
    slopes = (axes / RADII[:, None]).astype(np.float32)
    right, up, ahead = (
        slopes[0, n] * face[0] + slopes[1, n] * face[1] + slopes[2, n] * face[2]
        for n in range(3)
    )
    size = 1 / np.sqrt(right * right + up * up + ahead * ahead)
    return lit(right * size, -up * size, -ahead * size)


def _painted(left: Floats, up: Floats, ahead: Floats) -> list[Floats]:
    """Return the colours at points of the unit sphere that stands for the head."""
    half = np.float32(TEXTURE / 2)
    row, column = (up + 1) * half, (left + 1) * half
    for place in (row, column):
        np.maximum(place, 0, out=place)
        np.minimum(place, TEXTURE - 1, out=place)
    number = row.astype(np.intp) * TEXTURE + column.astype(np.intp)
    number += (ahead < 0) * TEXTURE**2
    return [plane.take(number) for plane in _texture()]


@lru_cache(maxsize=1)
def _texture() -> list[Floats]:
    """Return the planes of the head's front, then of its back, in one row each."""
    steps = ((np.arange(TEXTURE) + 0.5) / TEXTURE * 2 - 1).astype(np.float32)
    left, up = np.meshgrid(steps, steps)
    ahead = np.sqrt(np.maximum(1 - left * left - up * up, 0))
    front, back = _face(left, up, ahead), _face(left, up, -ahead)
    return [np.concatenate(both).ravel() for both in zip(front, back, strict=True)]


def _face(left: Floats, up: Floats, ahead: Floats) -> list[Floats]:
    """Return the colours at points of the unit sphere, drawn feature by feature."""
    planes = [np.full_like(left, value) for value in SKIN]
    front = np.clip(ahead * 8, 0, 1)
    side = np.abs(left)
    brow = up + np.float32(0.12) * (side - np.float32(0.42))
    smile = up - np.float32(0.6) * side * side
    _mix(planes, BLUSH, 0.5 * front * _spot(side, up, 0.5, -0.22, 0.24, 0.2, 1.5))
    _mix(planes, BLUSH, 0.35 * front * _spot(side, up, 0.42, 0.16, 0.26, 0.2, 2))
    _mix(planes, HAIR, 0.8 * front * _spot(side, brow, 0.42, 0.39, 0.2, 0.04, 3))
    _mix(planes, WHITE, 0.8 * front * _spot(side, up, 0.43, 0.19, 0.17, 0.075, 4))
    _mix(planes, IRIS, front * _spot(side, up, 0.43, 0.19, 0.085, 0.085, 4))
    _mix(planes, HAIR, 0.8 * front * _spot(side, up, 0.43, 0.25, 0.18, 0.035, 3))
    _mix(planes, LIPS, front * _spot(side, smile, 0.0, -0.53, 0.3, 0.07, 4))
    _mix(planes, IRIS, 0.5 * front * _spot(side, smile, 0.0, -0.52, 0.28, 0.016, 2))
    line = -0.42 + 1.5 * np.clip(ahead + 0.25, 0, 0.64)
    line = line - 0.14 * left * left + 0.03 * np.cos(7 * left + 1)
    _mix(planes, HAIR, np.clip((up - line) * 8, 0, 1))
    return planes


def _spot(
    x: Floats, y: Floats, x0: float, y0: float, rx: float, ry: float, sharp: float
) -> Floats:
    """Return 1 inside the ellipse around (x0, y0), 0 outside, over a soft edge."""
    ring = ((x - np.float32(x0)) / np.float32(rx)) ** 2
    ring = ring + ((y - np.float32(y0)) / np.float32(ry)) ** 2
    inside = (1 - ring) * np.float32(sharp / 2) + np.float32(0.5)
    np.maximum(inside, 0, out=inside)
    np.minimum(inside, 1, out=inside)
    return inside


def _mix(planes: list[Floats], colour: Colour, share: Floats) -> None:
    for plane, value in zip(planes, colour, strict=True):
        plane += share * (np.float32(value) - plane)


def _nose(canvas: Floats, body: Body, view: View) -> None:
    left, up, ahead = FACE["nose"]
    head = body.joints["head"]
    bridge = head + np.array([left, up + 0.027, ahead - 0.028]) @ body.head
    tip = head + np.array([left, up - 0.007, ahead - 0.012]) @ body.head
    limb(canvas, view.spot(bridge), view.spot(tip), NOSE_RADII, NOSE)


def _ear(canvas: Floats, body: Body, view: View, name: str) -> None:
    ear, up = body.joints[name], body.head[1]
    below, above = view.spot(ear - 0.018 * up), view.spot(ear + 0.014 * up)
    limb(canvas, below, above, EAR_RADII, EAR)
