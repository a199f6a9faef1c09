"""
What every row of the database has in common: plain values and a CRC-32 over them.

A row's sum covers every value of the record, not only what its own table holds (a
pose's origin is shared by many), so that a bit that rots anywhere is found.
"""

import math
from collections.abc import Sequence
from zlib import crc32

Value = int | float | str | bytes | None
Row = tuple[Value, ...]


class Damaged(ValueError):
    """The row's sum is wrong: a bit of it has changed since it was written."""


def crc_of(values: Sequence[Value], *blobs: bytes | None) -> int:
    """Return the CRC-32 of *values*, which hold no bytes, and of *blobs*."""
    crc = crc32(repr(tuple(values)).encode("utf-8", "surrogatepass"))
    for blob in blobs:
        if isinstance(blob, bytes):
            crc = crc32(blob, crc)
        elif blob is not None:  # of a row whose very types have rotted
            crc = crc32(b"\0", crc)
    return crc


def check(row: Row, *blobs: bytes | None) -> None:
    """
    Compare the last value of *row* with the sum of the others.

    :raises Damaged: if they differ
    """
    if crc_of(row[:-1], *blobs) != row[-1]:
        raise Damaged("wrong sum")


def summed(values: Row, *blobs: bytes | None) -> Row:
    """Return *values* with their sum as the last."""
    return (*values, crc_of(values, *blobs))


def whole(value: int) -> int:
    """
    Return *value* as a plain int that the database can hold.

    :raises ValueError: if it needs more than 64 bits
    """
    number = int(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{number} needs more than 64 bits")
    return number


def text(value: str) -> str:
    """Return *value* without what no file can hold: lone surrogates."""
    plain = str(value)
    return plain if plain.isascii() else plain.encode("utf-8", "replace").decode()


def real(value: float) -> float:
    """
    Return *value* as a plain float that the database gives back as it is.

    :raises ValueError: if it is not a number, which the database would lose
    """
    number = float(value) + 0.0  # SQLite keeps no sign of a zero: −0.0 is 0.0
    if math.isnan(number):
        raise ValueError("a value is not a number")
    return number
