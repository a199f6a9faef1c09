"""What the patient wears: pyjamas, as colours along and around the limbs."""

import numpy as np
from numpy.typing import NDArray

from edge.patient.bodies import SHIN, THIGH
from edge.patient.paint import PROFILE_STEPS, Colour, Floats, Pattern, Planes

SKIN: Colour = (232, 184, 154)
SHIRT: Colour = (118, 166, 206)
STRIPE: Colour = (196, 220, 236)
TROUSERS: Colour = (56, 72, 112)
SLIPPER: Colour = (112, 74, 60)

STRIPES = 13.0  # half around the trunk
HEM = 0.035  # share of the jacket
SLEEVE = 0.68  # share of the upper arm that a sleeve covers
CUFF = 0.12  # share of the shin that trousers leave bare


def jacket(middle_rad: float, sense: float) -> Pattern:
    """
    Return striped cloth around a trunk; the angle *middle_rad*, 0 at the patient's
    left and a quarter turn in front, is where its outline is.
    """
    around = middle_rad + sense * np.arccos(SIDES)
    stripes = _stripes(2 * STRIPES * around)
    stripes[np.abs(around - np.pi / 2) < 0.035] = -0.6  # where it opens
    dyes = _dyes(stripes, np.full(len(SIDES), -0.5))

    def pattern(share: Floats, side: Floats) -> Planes:
        return _printed(dyes, side, share < HEM)

    return pattern


def sleeve(share: Floats, side: Floats) -> Planes:
    """Return an upper arm in a short sleeve."""
    zone = (share > SLEEVE - 0.05).astype(np.intp) + (share > SLEEVE)
    return _printed(SLEEVE_DYES, side, zone)


def _printed(
    dyes: list[Floats], side: Floats, zone: NDArray[np.intp] | NDArray[np.bool_]
) -> Planes:
    """Return cloth that has *dyes*, one for each of `SIDES` in every zone, on it."""
    number = side * np.float32(len(SIDES) / 2 - 0.5)
    number += np.float32(len(SIDES) / 2)
    place = number.astype(np.intp)
    place += zone * len(SIDES)
    return [dye.take(place) for dye in dyes]


def _dyes(*zones: NDArray[np.float64]) -> list[Floats]:
    """Return red, green and blue of cloth that is as bright as *zones*, in a row."""
    stripe = np.concatenate(zones).astype(np.float32)
    return [
        stripe * np.float32(more - colour) + np.float32(colour)
        for colour, more in zip(SHIRT, STRIPE, strict=True)
    ]


def _stripes(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(3.2 * np.cos(phase) - 1.75, 0, 0.8)


SIDES = np.linspace(-1, 1, 512)
SLEEVE_DYES = [
    np.append(cloth, np.full(len(SIDES), skin, np.float32))
    for cloth, skin in zip(
        _dyes(_stripes(14 * SIDES), np.full(len(SIDES), -0.5)), SKIN, strict=True
    )
]
"""Stripes, the hem, and bare skin."""


def thigh_cloth(share: Floats, side: Floats) -> Planes:
    """Return a trouser leg from the hip to the knee."""
    return _along(THIGH_DYES, share)


def shin_cloth(share: Floats, side: Floats) -> Planes:
    """Return a trouser leg from the cuff up to the knee."""
    return _along(SHIN_DYES, share)


def _along(dyes: list[Floats], share: Floats) -> Planes:
    place = (share * np.float32(PROFILE_STEPS - 1)).astype(np.intp)
    return [dye.take(place) for dye in dyes]


def _knee_dyes(above_m: NDArray[np.float64]) -> list[Floats]:
    """Return trousers *above_m* the knee: worn bright on it, a crease below."""
    bright = 0.22 * np.exp(-(((above_m - 0.02) / 0.05) ** 2))
    crease = 0.28 * np.exp(-(((above_m + 0.055) / 0.018) ** 2))
    return [(value * (1 + bright - crease)).astype(np.float32) for value in TROUSERS]


THIGH_DYES = _knee_dyes(THIGH * np.linspace(1, 0, PROFILE_STEPS))
SHIN_DYES = _knee_dyes(SHIN * (1 - CUFF) * np.linspace(-1, 0, PROFILE_STEPS))
