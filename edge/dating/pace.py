"""
Boards that send at their own pace: where samples are missing between those that came.

Such a board counts nothing. What it sent and was damaged is known; what never came
shows only as a pause that is long for this board.
"""

from collections import deque
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST_STEP_NS = 2_000_000_000
"""Samples that are further apart have a gap between them, whatever is usual."""

LOOKS = 20
LOOKS_ENOUGH = 5
"""The pace is the median of the last looks; before there were some it is not known."""

TIMES = 5
SHORTEST_NS = 250_000_000
"""A pause is so many times what is usual, and no hiccup of the machine."""

Instants = NDArray[np.int64]


class Missing(NamedTuple):
    """A stretch without samples that should have some."""

    began: int  # instant of the sample before
    ended: int  # and of the one after
    cause: str  # one sentence for people
    detail: dict[str, object]


class Pace:
    """How far apart the samples of one board come."""

    def __init__(self) -> None:
        self._longest: deque[int] = deque(maxlen=LOOKS)  # step, look by look

    def look(self, instants: Instants, before: int, lost: Instants) -> list[Missing]:
        """
        Return what is missing before the samples at *instants*, shape (n,), the first
        of which follows the one at *before*. *lost*, shape (n,) or (0,), says how many
        damaged ones came just before each.
        """
        steps = instants.copy()
        steps[1:] -= instants[:-1]
        steps[0] -= before
        longest = int(steps.max())
        if not len(lost) and longest <= self._limit():
            self._longest.append(longest)
            return []
        return self._found(instants, steps, lost)

    def _found(
        self, instants: Instants, steps: Instants, lost: Instants
    ) -> list[Missing]:
        """As `look`, where something may be missing."""
        damaged = lost if len(lost) else np.zeros(len(steps), np.int64)
        odd = (steps > self._limit()) | ((damaged > 0) & (steps > 0))
        found = [
            Missing(
                int(instants[at] - steps[at]),
                int(instants[at]),
                *why(int(damaged[at]), int(steps[at])),
            )
            for at in np.flatnonzero(odd).tolist()
        ]
        whole = steps[damaged == 0]
        if len(whole):
            self._longest.append(int(whole.max()))
        return found

    def _limit(self) -> int:
        if len(self._longest) < LOOKS_ENOUGH:
            return LONGEST_STEP_NS
        usual = round(TIMES * median(self._longest))
        return min(LONGEST_STEP_NS, max(SHORTEST_NS, usual))


def why(damaged: int, step: int) -> tuple[str, dict[str, object]]:
    """Return the cause of a *step* with so many *damaged* lines, and its detail."""
    if not damaged:
        return f"no sample came for {step / 1e9:.1f} s", {}
    if step > LONGEST_STEP_NS:
        cause = f"only damaged lines came for {step / 1e9:.1f} s"
    else:
        cause = (
            "a line was damaged" if damaged == 1 else f"{damaged} lines were damaged"
        )
    return cause, {"damaged": damaged}
