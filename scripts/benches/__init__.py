"""
Figures: one module a subject, each with ``rows() -> list[Row]``.

Every speed is a ratio of two things measured side by side in one run, the median of
several, since the machine's own speed drifts. Modules may read ``options`` set by
the harness's flags through the environment; each says so in its docstring.
"""

import statistics
import time
from collections.abc import Callable
from operator import truediv
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
    took: dict[Callable[[], object], list[float]] = {ours: [], peer: []}
    for run in range(runs + 1):
        for call in (peer, ours) if run % 2 else (ours, peer):
            took[call].append(seconds(call))
    our_s, peer_s = took[ours][1:], took[peer][1:]
    ratio = statistics.median(map(truediv, peer_s, our_s))
    return statistics.median(our_s), statistics.median(peer_s), ratio


def seconds(call: Callable[[], object]) -> float:
    """Return how long *call* took."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
