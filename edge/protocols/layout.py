"""
A packet of fixed size, written as a table: one field a line.

Each line is a type, a label and, where the bytes are fixed, what they must be::

    u8       start     a0
    u16be*6  channels  0..3ff
    u8       switches  0..f

A type is ``u`` or ``i`` (signed), its bits, ``be`` or ``le`` where there are several
bytes, and ``*n`` for n of them in a row. What they must be is hexadecimal: the very
bytes in their order on the wire, or the lowest and the highest value.
"""

import re
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

TYPE = re.compile(r"([ui])(8|16|24|32)(be|le|)(?:\*(\d+))?")


class Field(NamedTuple):
    """Where one label of the table is in the packet."""

    at: int  # bytes from the start of the packet
    width: int  # bytes of one value
    number: int  # of values in a row
    signed: bool
    order: str  # ">" big-endian, "<" little-endian


class Check(NamedTuple):
    """What one byte of the packet must be."""

    at: int  # bytes from the start of the packet
    low: int
    high: int  # inclusive


class Layout(NamedTuple):
    """A parsed table."""

    size: int  # bytes of a packet
    fields: dict[str, Field]
    checks: tuple[Check, ...]
    fixed: tuple[NDArray[np.intp], NDArray[np.uint8], NDArray[np.uint8]]
    # the same as arrays of shape (checks,): position, lowest value, span above it

    @classmethod
    def parse(cls, table: str) -> Self:
        """Return the layout that *table* describes."""
        fields: dict[str, Field] = {}
        checks: list[Check] = []
        size = 0
        for line in table.strip().splitlines():
            kind, label, *must = line.split()
            field = parse_type(kind, size)
            fields[label] = field
            checks += [check for text in must for check in parse_check(text, field)]
            size += field.width * field.number
        at, low, high = np.array(checks, np.intp).reshape(-1, 3).T
        fixed = (at, low.astype(np.uint8), (high - low).astype(np.uint8))
        return cls(size, fields, tuple(checks), fixed)

    def matches(self, data: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """
        Return for every offset into *data*, uint8 of shape (n,), whether the fixed
        bytes of a packet are there: shape (n - size + 1,).
        """
        offsets = len(data) - self.size + 1
        found = np.ones(offsets, np.bool_)
        for at, low, high in self.checks:
            byte = data[at : at + offsets]
            if low == high:
                found &= byte == low
            elif low == 0:
                found &= byte <= high
            else:
                found &= (byte - np.uint8(low)) <= high - low  # wraps below low
        return found

    @property
    def ends(self) -> tuple[bytes, bytes]:
        """Return the bytes that every packet begins with, and those it ends with."""
        fixed = {
            check.at: check.low for check in self.checks if check.low == check.high
        }
        first = next(at for at in range(self.size + 1) if at not in fixed)
        last = next(at for at in range(self.size - 1, -2, -1) if at not in fixed)
        return (
            bytes(fixed[at] for at in range(first)),
            bytes(fixed[at] for at in range(last + 1, self.size)),
        )

    def all_match(self, packets: NDArray[np.uint8]) -> bool:
        """Return whether all of *packets*, of shape (n, size), have the fixed bytes."""
        at, low, span = self.fixed
        return bool((packets[:, at] - low <= span).all())  # wraps below low

    def values(self, packets: NDArray[np.uint8], label: str) -> NDArray[np.int32]:
        """
        Return the values of *label* in *packets*, uint8 of shape (n, size): int32 of
        shape (n, number). Unsigned 32-bit values above 2³¹ - 1 come out negative.
        """
        at, width, number, signed, order = self.fields[label]
        part = packets[:, at : at + width * number]
        if width == 1:
            return part.astype(np.int8 if signed else np.uint8).astype(np.int32)
        wide = np.zeros((len(part), number, 4 if width == 3 else width), np.uint8)
        big = order == ">"
        wide[:, :, : width if big else None][:, :, -width:] = part.reshape(
            len(part), number, width
        )
        kind = "i" if signed or width == 4 else "u"
        found = wide.view(f"{order}{kind}{wide.shape[2]}")[:, :, 0].astype(np.int32)
        if width == 3:  # the value is in the upper three of four bytes
            found = found >> 8 if signed else (found >> 8) & 0xFFFFFF
        return found


def parse_type(text: str, at: int) -> Field:
    """Return the field that begins *at* bytes into the packet."""
    matched = TYPE.fullmatch(text)
    if not matched:
        raise ValueError(f"not a type: {text}")
    sign, bits, order, number = matched.groups()
    return Field(
        at, int(bits) // 8, int(number or 1), sign == "i", "<" if order == "le" else ">"
    )


def parse_check(text: str, field: Field) -> list[Check]:
    """Return what the bytes of *field* must be."""
    low, dots, high = text.partition("..")
    if not dots:
        fixed = bytes.fromhex(low)
        return [Check(field.at + i, byte, byte) for i, byte in enumerate(fixed)]
    shift = 8 * (field.width - 1)
    first = 0 if field.order == ">" else field.width - 1  # the byte that decides
    return [
        Check(field.at + i * field.width + first, int(low, 16) >> shift,
              int(high, 16) >> shift)
        for i in range(field.number)
    ]  # fmt: skip
