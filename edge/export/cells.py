"""
Columns of a table as bytes: many rows at once, by arithmetic on whole arrays.

A column is a `Cells`: one row of characters for each value, 0 where there is *no
character*. Columns are laid side by side with commas between them and the zeros drop
out (`lines`). Digits come from tables of four characters, so that one look-up writes
three or four of them; `scripts/bench export` says what that is worth.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.uint8]
"""A column: shape (rows, width), UTF-8, 0 where there is no character."""

Mask = NDArray[np.bool_]
"""Which rows: shape (rows,)."""

Whole = NDArray[np.int64]
"""Whole numbers: shape (rows,)."""

SECOND_NS = 1_000_000_000
GROUP = 10_000
"""One look-up table knows the numbers below this."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""A text that begins so is run by some spreadsheet (OWASP, *CSV Injection*)."""

APOSTROPHE = "'"
"""Put before such a text, and before a text that begins with one: whoever takes the
first apostrophe of a text away has what it was."""


def digit_table(
    digits: int, before: str = "", zeros: bool = True, last: bool = False
) -> NDArray[np.uint8]:
    """
    Return the numbers of *digits* digits as text, shape (10^digits, 4), flush right.

    *before* is one character put before them. Without *zeros* the leading ones are
    left out; with *last* the trailing ones.
    """
    numbers = np.arange(10**digits)
    text = np.zeros((len(numbers), 4), np.uint8)
    for place in range(digits):
        power = 10 ** (digits - 1 - place)
        column = text[:, 4 - digits + place]
        column[:] = ord("0") + numbers // power % 10
        if not zeros and power > 1:
            column[numbers < power] = 0
        if last:
            column[numbers % (10 * power) == 0] = 0
    if before:
        text[:, 3 - digits] = ord(before)
    return text


def quads(text: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return rows of four characters as one number each, which is faster to look up."""
    return np.ascontiguousarray(text).view(np.uint32).ravel()


PADDED = tuple(quads(digit_table(digits)) for digits in range(5))
AFTER_POINT = tuple(quads(digit_table(digits, ".")) for digits in range(4))
PLAIN = quads(digit_table(4, zeros=False))
LEFTMOST = np.where(np.arange(GROUP) > 0, PLAIN, np.uint32(0))
"""As `PLAIN`, and nothing for 0: the digits before the last four."""
TO_LAST = quads(np.concatenate([digit_table(3, last=True), digit_table(3)]))
"""Three decimals: without trailing zeros, and from 1000 on with them."""
POINT_TO_LAST = quads(
    np.concatenate([digit_table(3, ".", last=True), digit_table(3, ".")])
)
POINT_TO_LAST[0] = quads(np.frombuffer(b"\0\0.0", np.uint8).reshape(1, 4))[0]
COMMA_PLAIN = quads(digit_table(3, ",", zeros=False))
COMMA_SIGN = quads(np.frombuffer(b"\0\0,\0\0\0,-", np.uint8).reshape(2, 4))
MINUS = quads(np.frombuffer(b"\0\0\0-", np.uint8).reshape(1, 4))[0]


def lines(columns: Sequence[Cells]) -> bytearray:
    """
    Return the rows of *columns* as lines with commas between the columns.

    Columns without rows are passed over: the one before holds their text (`exact`).
    """
    rows = len(columns[0])
    comma, newline = repeated(b",", rows), repeated(b"\n", rows)
    parts = [part for column in columns if len(column) for part in (column, comma)]
    parts[-1] = newline
    width = sum(part.shape[1] for part in parts)
    text = bytearray(rows * width)
    whole = np.frombuffer(text, np.uint8).reshape(rows, width)
    np.concatenate(parts, axis=1, out=whole)
    return text.translate(None, b"\0")


def whole(values: Whole, absent: Mask | None = None) -> Cells:
    """Return whole numbers as text."""
    return fixed(values, 0, absent)


def fixed(values: Whole, decimals: int, absent: Mask | None = None) -> Cells:
    """Return *values* / 10^*decimals* as text with that many decimals, 0 to 9."""
    magnitude = np.abs(values)
    before = magnitude // 10**decimals
    groups = integer_part(before)
    groups += fraction(magnitude - before * 10**decimals, decimals)
    if (values < 0).any():
        groups.insert(0, np.where(values < 0, MINUS, np.uint32(0)))
    return blanked(stacked(groups), absent)


def exact(values: NDArray[np.float32]) -> Cells:
    """
    Return float32 *values*, shape (rows, columns), with commas between the columns.

    Each has 3, 6 or 9 decimals, as many as it takes for `float32(float(text))` to
    give it back, less trailing zeros; a value that is not finite has no text.
    """
    rows, columns = values.shape
    flat = values.ravel()
    scaled, known = scaled_up(flat)
    text, first = trimmed(scaled)
    for place in np.flatnonzero(~known):
        text[place] = odd(flat[place], first, text.shape[1])
    return text.reshape(rows, -1)[:, first:]


def scaled_up(values: NDArray[np.float32]) -> tuple[Whole, Mask]:
    """
    Return *values* × 10^9, rounded where fewer decimals do; and where this form
    gives the value back: not if it is 10,000 or more, or tiny.
    """
    precise = np.where(np.abs(values) < GROUP, values, np.nan).astype(np.float64)
    scaled = np.zeros_like(precise)
    known = np.zeros(len(values), np.bool_)
    for power in (1e3, 1e6, 1e9):
        tried = np.rint(precise * power)
        good = (tried / power).astype(np.float32) == values
        scaled = np.where(known | ~good, scaled, tried * (1e9 / power))
        known |= good
        if known.all():
            break
    return scaled.astype(np.int64), known


def trimmed(scaled: Whole) -> tuple[Cells, int]:
    """
    Return *scaled* / 10^9, below 10,000, each with a comma before it and no more
    decimals than it has, one at least; and how many bytes there are up to the digits.
    """
    magnitude = np.abs(scaled)
    before = magnitude // SECOND_NS
    after = magnitude - before * SECOND_NS
    first = after // 1_000_000
    later = after - first * 1_000_000
    second = later // 1000
    third = later - second * 1000
    groups = [
        POINT_TO_LAST[first + 1000 * (later > 0)],
        TO_LAST[second + 1000 * (third > 0)],
        TO_LAST[third],
    ]
    if scaled.min() >= 0 and before.max() < 1000:  # nearly always
        return stacked([COMMA_PLAIN[before], *groups]), 1
    return stacked([COMMA_SIGN[(scaled < 0).view(np.int8)], PLAIN[before], *groups]), 3


def odd(value: np.float32, first: int, width: int) -> Cells:
    """Return one huge, tiny or not finite *value* with a comma *first* before it."""
    text = ""
    if np.isfinite(value):
        text = np.format_float_positional(value, trim="0")
        if len(text) > width - first:
            text = np.format_float_scientific(value)
    lead = b"\0" * (first - 1) + b","
    return np.frombuffer((lead + text.encode()).ljust(width, b"\0"), np.uint8)


def integer_part(values: Whole) -> list[NDArray[np.uint32]]:
    """Return the digits of *values*, 0 or more, in groups of four, first ones first."""
    groups: list[NDArray[np.uint32]] = []
    alone = PLAIN
    while True:
        above = values // GROUP
        group = values - above * GROUP
        last = not above.any()
        text = alone[group]
        groups.insert(0, text if last else np.where(above > 0, PADDED[4][group], text))
        if last:
            return groups
        values, alone = above, LEFTMOST


def fraction(values: Whole, decimals: int) -> list[NDArray[np.uint32]]:
    """Return the point and the *decimals* digits of *values* in groups of three."""
    groups: list[NDArray[np.uint32]] = []
    table = AFTER_POINT
    while decimals > 0:
        digits = min(3, decimals)
        decimals -= digits
        group = values // 10**decimals
        groups.append(table[digits][group])
        values = values - group * 10**decimals
        table = PADDED
    return groups


def stacked(groups: list[NDArray[np.uint32]]) -> Cells:
    """Return groups of four characters side by side."""
    return np.ascontiguousarray(np.stack(groups, axis=1)).view(np.uint8)


def instants(utc_ns: Whole, absent: Mask | None = None) -> Cells:
    """
    Return UTC nanoseconds as ISO 8601: ``2026-11-22T10:15:00.123456+00:00``.

    Nanoseconds are cut, not rounded.
    """
    seconds = utc_ns // SECOND_NS
    distinct, place = np.unique(seconds, return_inverse=True)
    dates = np.datetime_as_string(distinct.astype("datetime64[s]")).astype("S19")
    text = dates[place].view(np.uint8).reshape(-1, 19)
    cut = (utc_ns - seconds * SECOND_NS) // 1000
    zone = np.tile(np.frombuffer(b"+00:00", np.uint8), (len(utc_ns), 1))
    parts = [text, stacked(fraction(cut, 6)), zone]
    return blanked(np.concatenate(parts, axis=1), absent)


def texts(values: Sequence[str]) -> Cells:
    """Return *values* as CSV texts: guarded against formulas and quoted at need."""
    forms = {value: quoted(guarded(value)).encode() for value in set(values)}
    if len(forms) == 1:
        return repeated(forms[values[0]], len(values))
    column = np.array([forms[value] for value in values], np.bytes_)
    return column.view(np.uint8).reshape(len(values), -1)


def numbers(values: Sequence[float | None]) -> Cells:
    """Return *values* as Python writes them, which is exact; nothing for none."""
    return plain(
        [
            "" if value is None or not math.isfinite(value) else repr(value)
            for value in values
        ]
    )


def plain(values: Sequence[str]) -> Cells:
    """Return *values*, ASCII without anything that CSV would have to quote."""
    column = np.array(values, np.bytes_)
    return column.view(np.uint8).reshape(len(values), -1)


def same(value: str, rows: int) -> Cells:
    """Return one text for all *rows*."""
    return repeated(quoted(guarded(value)).encode(), rows)


def repeated(text: bytes, rows: int) -> Cells:
    """Return *text* in each of *rows*, not to be written to."""
    one = np.frombuffer(text or b"\0", np.uint8)
    return np.broadcast_to(one, (rows, len(one)))


def truths(values: Mask) -> Cells:
    """Return ``True`` and ``False``, as the original system wrote them."""
    if values.all():
        return repeated(b"True", len(values))
    return (
        np.where(values, np.bytes_(b"True"), np.bytes_(b"False"))
        .view(np.uint8)
        .reshape(len(values), -1)
    )


def nothing(rows: int) -> Cells:
    """Return a column without values."""
    return np.zeros((rows, 1), np.uint8)


def blanked(text: Cells, absent: Mask | None) -> Cells:
    """Return *text*, or a copy of it, with nothing in the rows *absent*."""
    if absent is None or not absent.any():
        return text
    if not text.flags.writeable:
        text = text.copy()
    text[absent] = 0
    return text


def guarded(text: str) -> str:
    """Return *text* such that no spreadsheet takes it for a formula."""
    text = text.replace("\0", "")
    formula = text.startswith((*FORMULA_STARTS, APOSTROPHE))
    return APOSTROPHE + text if formula else text


def quoted(text: str) -> str:
    """Return *text* in quotes where CSV needs them (RFC 4180)."""
    if not any(character in text for character in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


def header(names: Sequence[str]) -> bytes:
    """Return the first line of a table."""
    return (",".join(quoted(guarded(name)) for name in names) + "\n").encode()
