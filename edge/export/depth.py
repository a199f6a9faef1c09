"""
How ECG counts fit into the 16 bits of EDF or the 24 of BDF, and how the header of such
a file tells their scale.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from edge.export.stretches import Stretch

ENDS_TRIED = 500
"""For each number of decimals, when a scale is looked for."""


class Depth(NamedTuple):
    """How counts are stored."""

    width: int  # bytes
    lowest: int
    highest: int
    version: bytes  # first 8 bytes of the file
    name: str  # "EDF" or "BDF"


EDF = Depth(2, -(2**15), 2**15 - 1, b"0       ", "EDF")
BDF = Depth(3, -(2**23), 2**23 - 1, b"\xffBIOSEMI", "BDF")


class Scale(NamedTuple):
    """The digital and physical ends of one lead; the digital minimum is *no value*."""

    lowest: int
    highest: int
    low_mv: str  # at most 8 characters
    high_mv: str


class Fitting(NamedTuple):
    """How the counts of a file are made to fit."""

    depth: Depth
    scales: list[Scale]
    divisor: int


def fit(stretches: Sequence[Stretch]) -> Fitting:
    """Return the smallest depth and divisor that hold all counts."""
    segment = stretches[0].segment
    lowest = min(stretch.lowest for stretch in stretches)
    highest = max(stretch.highest for stretch in stretches)
    tries = [(1, EDF)] + [(10**power, BDF) for power in range(10)]
    for divisor, depth in tries:
        scales = [
            scale_of(gain / divisor, baseline, lowest, highest, depth)
            if divisor == 1
            else scale_of(
                gain / divisor,
                0,
                math.floor((lowest - baseline) / divisor),
                math.ceil((highest - baseline) / divisor),
                depth,
            )
            for gain, baseline in zip(segment.gain, segment.baseline, strict=True)
        ]
        found = [scale for scale in scales if scale]
        if len(found) == len(scales):
            return Fitting(depth, found, divisor)
    raise AssertionError("24 bits hold any 32 over 10^9")


def scale_of(
    gain: float, baseline: int, lowest: int, highest: int, depth: Depth
) -> Scale | None:
    """
    Return a scale around *baseline* for counts from *lowest* to *highest*, ``None`` if
    *depth* has no room for one.

    The header has eight characters for an end in millivolts. Of all ends that can be
    written so, one is taken that is a whole number of counts, or nearly.
    """
    needed = max(highest - baseline, baseline - lowest + 1, 1)
    most = min(depth.highest - baseline, baseline - depth.lowest)
    best: tuple[float, int, str] | None = None
    for decimals in range(6):
        first = math.ceil(needed / abs(gain) * 10**decimals)
        for number in range(first, first + ENDS_TRIED):
            text = f"{number / 10**decimals:.{decimals}f}"
            exact = number / 10**decimals * abs(gain)
            counts = round(exact)
            if len(text) > 7 or not needed <= counts <= most:
                continue
            error = abs(exact - counts) / counts
            if best is None or error < best[0] - 1e-13:
                best = error, counts, text
    if best is None:
        return None
    _, counts, text = best
    ends = (f"-{text}", text) if gain > 0 else (text, f"-{text}")
    return Scale(baseline - counts, baseline + counts, *ends)
