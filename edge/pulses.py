"""
When light and voltage switch together: the schedule that a simulated board and a
drawn patient share, so that the delay between the two streams can be measured.

The schedule is a function of the monotonic clock alone. Two processes that know the
period agree on every pulse without talking to each other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from edge.records import MonotonicNs

NS_A_SECOND = 1_000_000_000


class Pulses(NamedTuple):
    """A pulse every *period_ns*, *width_ns* long, one beginning at *epoch*."""

    period_ns: int
    width_ns: int = 200_000_000  # three frames at 15 a second: none can miss it
    epoch: MonotonicNs = MonotonicNs(0)  # the kernel's own zero


def every(period_s: float, width_s: float = 0.2, epoch_ns: int = 0) -> Pulses | None:
    """
    Return the schedule of a pulse every *period_s*, or ``None`` if that is 0.

    :raises ConfigError: if a pulse would be longer than its period
    """
    if not period_s:
        return None
    if not 0 < width_s < period_s:
        raise ConfigError(f"a pulse of {width_s} s does not fit into {period_s} s")
    return Pulses(
        round(period_s * NS_A_SECOND),
        round(width_s * NS_A_SECOND),
        MonotonicNs(epoch_ns),
    )


def on(pulses: Pulses, instants: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of *instants*, in `MonotonicNs`, lie in a pulse."""
    return (instants - pulses.epoch) % pulses.period_ns < pulses.width_ns


def share(pulses: Pulses, began_ns: int, ended_ns: int) -> float:
    """
    Return the share of the interval that lies in a pulse, 0 to 1: what a camera
    sees of a light when its exposure is cut by the switching.
    """
    lit = _lit_ns(pulses, ended_ns) - _lit_ns(pulses, began_ns)
    return lit / max(ended_ns - began_ns, 1)


def _lit_ns(pulses: Pulses, instant_ns: int) -> int:
    """Return for how long the light has been on since the epoch."""
    whole, rest = divmod(instant_ns - pulses.epoch, pulses.period_ns)
    return whole * pulses.width_ns + min(rest, pulses.width_ns)
