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


def pack(counts: NDArray[np.int32]) -> tuple[str, bytes]:
    """
    Return one code a lead and the bytes, lead after lead, of *counts*.

    *counts* has shape (samples, leads) with at least one sample.
    """
    missing = counts == MISSING
    some, every = missing.any(axis=0), missing.all(axis=0)
    steps = np.diff(
        counts.astype(np.int64), axis=0, prepend=counts[:1].astype(np.int64)
    )
    reach = np.abs(steps).max(axis=0)
    codes, parts = [], []
    for lead in range(counts.shape[1]):
        column = counts[:, lead]
        if every[lead]:
            codes.append(ABSENT)
        elif not some[lead] and reach[lead] < 1 << 7:
            codes.append("d")
            parts += [column[:1].astype("<i4"), steps[1:, lead].astype("<i1")]
        elif not some[lead] and reach[lead] < 1 << 15 and not fits(column, "<i2"):
            codes.append("e")
            parts += [column[:1].astype("<i4"), steps[1:, lead].astype("<i2")]
        else:
            code, part = as_counts(column, missing[:, lead])
            codes.append(code)
            parts.append(part)
    return "".join(codes), b"".join(part.tobytes() for part in parts)


def fits(column: NDArray[np.int32], dtype: str) -> bool:
    """Return whether all of *column* is above the lowest value of *dtype*."""
    limits = np.iinfo(dtype)
    return bool(column.min() > limits.min and column.max() <= limits.max)


def as_counts(
    column: NDArray[np.int32], missing: NDArray[np.bool_]
) -> tuple[str, NDArray[np.signedinteger]]:
    """Return the code and the narrowest array that holds *column* itself."""
    values = column[~missing]
    for code, dtype in COUNTS.items():
        if code == "c" or fits(values, dtype):
            part = column.astype(dtype)
            part[missing] = np.iinfo(dtype).min
            return code, part
    raise AssertionError("int32 holds every count")


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
