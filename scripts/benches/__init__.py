"""
Figures: one module a subject, each with ``rows() -> list[Row]``.

Every speed is a ratio of two things measured side by side in one run, the median of
several, since the machine's own speed drifts. Modules may read ``options`` set by
the harness's flags through the environment; each says so in its docstring.
"""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One figure."""

    name: str
    ours: float
    peer: float | None  # None where there is nothing to compare with
    ratio: float | None  # larger is better for us; None without a peer
    unit: str
    runs: int  # how often it was measured; ours and peer are medians
    bar: str = ""  # what it should be, as text: "ratio >= 0.90"
    holds: bool | None = None  # whether it is; None where there is no bar


def side_by_side(
    ours: Callable[[], object], peer: Callable[[], object], runs: int = 5
) -> tuple[float, float, float]:
    """
    Return the median seconds of *ours* and of *peer*, called in turn *runs* times
    after one warm-up each, and the median of peer/ours pair by pair. In every other
    pair the peer is first, so that a machine that gets slower favours neither.
    """
    pairs: list[tuple[float, float]] = []
    for run in range(runs + 1):
        if run % 2:
            peer_s = seconds(peer)
            pairs.append((seconds(ours), peer_s))
        else:
            pairs.append((seconds(ours), seconds(peer)))
    pairs = pairs[1:]
    return (
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        statistics.median(pair[1] / pair[0] for pair in pairs),
    )


def seconds(call: Callable[[], object]) -> float:
    """Return how long *call* took."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
