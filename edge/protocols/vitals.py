"""The vitals a board states: which are worth a record, and which cannot be true."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.protocols import Reading

RANGES: dict[str, tuple[float, float]] = {
    "heart_rate": (10, 350),
    "blood_pressure_systolic": (20, 350),
    "blood_pressure_diastolic": (10, 250),
    "oxygen_saturation": (1, 100),
    "respiration_rate": (1, 150),
    "temperature": (10, 46),
}
"""What a living person can have, in the units of records.VITALS; wide on purpose."""

NOT_STATED = np.nan
REFUSED = np.inf
PLACEHOLDER = -np.inf
"""Values that are none: nothing sent, out of range, a number the firmware makes up."""

FORGOTTEN = np.finfo(np.float64).min
"""Of a vital that was stated before the port was lost: no board sends it."""


class Stated:
    """
    Turns the vitals of every packet into readings: at a change, and now and then. One
    that is sent no more is so stated once.
    """

    def __init__(
        self, names: Sequence[str], every: int = 0, zero: dict[str, str] | None = None
    ) -> None:
        """
        State an unchanged vital again after *every* packets, 0 for never. A 0 is no
        value for the reason that *zero* gives for its name.
        """
        self._names = tuple(names)
        self._every = every
        self._zero = zero or {}
        self._packets = 0
        self._before = np.full(len(names), NOT_STATED)

    def feed(self, values: NDArray[np.float64]) -> tuple[Reading, ...]:
        """Return the readings due in *values*, float64 of shape (packets, names)."""
        if not values.size:
            return ()
        due = np.empty(values.shape, np.bool_)
        due[0] = values[0] != self._before
        np.not_equal(values[1:], values[:-1], out=due[1:])
        if self._every:
            due[-self._packets % self._every :: self._every] = True
        absent = np.isnan(values)
        if absent.any():
            due[1:] &= ~(absent[1:] & absent[:-1])
            due[0] &= ~(absent[0] & np.isnan(self._before))
        self._packets += len(values)
        self._before = values[-1]
        packets, names = np.nonzero(due)
        stated = zip(
            packets.tolist(), names.tolist(), values[due].tolist(), strict=True
        )
        return tuple(self._reading(*one) for one in stated)

    def restart(self) -> None:
        """State everything again, also that something is sent no more."""
        known = ~np.isnan(self._before)
        self._before = np.where(known, FORGOTTEN, NOT_STATED)

    def _reading(self, packet: int, index: int, value: float) -> Reading:
        name = self._names[index]
        low, high = RANGES[name]
        if np.isnan(value):
            return Reading(packet, name, None, "not_sent")
        if low <= value <= high:
            return Reading(packet, name, value, "")
        if value == PLACEHOLDER:
            return Reading(packet, name, None, "placeholder")
        reason = self._zero.get(name, "out_of_range") if value == 0 else "out_of_range"
        return Reading(packet, name, None, reason)


def judge_pressure(
    systolic: NDArray[np.float64], diastolic: NDArray[np.float64]
) -> None:
    """Refuse, in place, pressures that cannot be; 80 over 120 is a known fake."""
    impossible = systolic <= diastolic
    if impossible.any():
        # HealthyPi v4 firmware sends these two numbers and has no cuff
        # (Healthypiv4_Arduino.ino).
        fake = (systolic == 80) & (diastolic == 120)
        for pressure in (systolic, diastolic):
            pressure[impossible] = REFUSED
            pressure[fake] = PLACEHOLDER
