"""
ECG counts as bytes and back: each lead in the narrowest of a few plain forms.

A chunk of three leads at 500 Hz is 6,000 bytes as int32 and about 1,500 to 3,000 like
this, at a cost of microseconds. A lead that is off costs nothing.
"""

import numpy as np
from numpy.typing import NDArray

from edge.records import MISSING

ABSENT = "-"
"""The code of a lead without any value: no bytes."""

DIFFERENCES: dict[str, str] = {"d": "<i1", "e": "<i2"}
"""Code → type of the steps that follow a first count of 4 bytes."""

COUNTS: dict[str, str] = {"a": "<i1", "b": "<i2", "c": "<i4"}
"""Code → type of each count; the type's lowest value stands for MISSING."""

REACH: dict[str, int] = {"<i1": 1 << 7, "<i2": 1 << 15, "<i4": 1 << 31}
"""Type → the size that its values stay below."""


def pack(counts: NDArray[np.int32]) -> tuple[str, bytes]:
    """
    Return one code a lead and the bytes, lead after lead, of *counts*.

    *counts* has shape (samples, leads) with at least one sample.
    """
    columns = np.ascontiguousarray(counts.T)
    lowest, highest = columns.min(axis=1).tolist(), columns.max(axis=1).tolist()
    codes, parts = "", b""
    for column, low, high in zip(columns, lowest, highest, strict=True):
        if low == MISSING:
            code, part = pack_with_missing(column)
        else:
            code, part = pack_whole(column, low, high)
        codes += code
        parts += part
    return codes, parts


def pack_whole(column: NDArray[np.int32], low: int, high: int) -> tuple[str, bytes]:
    """Return code and bytes of a lead whose counts lie from *low* to *high*."""
    code = narrowest(low, high)
    if code == "a" or high - low >= REACH["<i4"]:
        return code, column.astype(COUNTS[code]).tobytes()
    steps = column[1:] - column[:-1]
    if len(steps):
        least, most = int(steps.min()), int(steps.max())
        for shorter, dtype in DIFFERENCES.items():
            if COUNTS[code] != dtype and -REACH[dtype] <= least <= most < REACH[dtype]:
                first = column[:1].astype("<i4").tobytes()
                return shorter, first + steps.astype(dtype).tobytes()
    return code, column.astype(COUNTS[code]).tobytes()


def pack_with_missing(column: NDArray[np.int32]) -> tuple[str, bytes]:
    """Return code and bytes of a lead that has no value at some instants, or all."""
    missing = column == MISSING
    values = column[~missing]
    if not len(values):
        return ABSENT, b""
    code = narrowest(int(values.min()), int(values.max()))
    part = column.astype(COUNTS[code])
    part[missing] = np.iinfo(part.dtype).min
    return code, part.tobytes()


def narrowest(low: int, high: int) -> str:
    """Return the code of the narrowest type for counts from *low* to *high*."""
    for code, dtype in COUNTS.items():
        if -REACH[dtype] < low and high < REACH[dtype]:
            return code
    raise ValueError(f"counts from {low} to {high} are no int32")


def unpack(codes: str, data: bytes, samples: int) -> NDArray[np.int32]:
    """
    Return the counts, int32 of shape (*samples*, leads), that `pack` was given.

    :raises ValueError: if *data* is not as long as *codes* and *samples* say
    """
    counts = np.empty((samples, len(codes)), np.int32)
    at = 0
    for lead, code in enumerate(codes):
        if code == ABSENT:
            counts[:, lead] = MISSING
        elif code in DIFFERENCES:
            first = np.frombuffer(data, "<i4", 1, at)
            steps = np.frombuffer(data, DIFFERENCES[code], samples - 1, at + 4)
            counts[0, lead] = first[0]
            counts[1:, lead] = first[0] + np.cumsum(steps, dtype=np.int64)
            at += 4 + steps.nbytes
        elif code in COUNTS:
            column = np.frombuffer(data, COUNTS[code], samples, at)
            counts[:, lead] = column
            counts[column == np.iinfo(column.dtype).min, lead] = MISSING
            at += column.nbytes
        else:
            raise ValueError(f"no packing {code!r}")
    if at != len(data):
        raise ValueError(f"{len(data)} bytes where {at} belong")
    return counts
