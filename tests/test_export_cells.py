"""Numbers and texts as bytes, against Python's own formatting and `csv`."""

import csv
import io
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.export import cells

INT64 = st.integers(-(2**63) + 1, 2**63 - 1)


def read(text: bytes | bytearray) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline="")))


def column(text: bytes | bytearray) -> list[str]:
    """The one column of *text*; csv gives no cell at all for an empty line."""
    return [row[0] if row else "" for row in read(text)]


def as_decimal(value: int, decimals: int) -> str:
    digits = str(abs(value)).rjust(decimals + 1, "0")
    sign = "-" if value < 0 else ""
    whole, after = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return f"{sign}{whole}.{after}" if decimals else f"{sign}{whole}"


@given(st.lists(INT64, min_size=1), st.integers(0, 9))
def test_fixed_is_the_decimal_number(values: list[int], decimals: int) -> None:
    text = cells.lines([cells.fixed(np.array(values, np.int64), decimals)])

    assert [as_decimal(value, decimals) for value in values] == column(text)


@pytest.mark.parametrize("digits", range(1, 19))
def test_fixed_around_each_power_of_ten(digits: int) -> None:
    values = [sign * (10**digits + step) for sign in (1, -1) for step in (-1, 0, 1)]

    text = cells.lines([cells.fixed(np.array(values, np.int64), 3)])

    assert [as_decimal(value, 3) for value in values] == column(text)


@given(st.lists(st.floats(width=32), min_size=1))
def test_exact_gives_every_float_back(values: list[float]) -> None:
    array = np.array(values, np.float32).reshape(-1, 1)

    found = column(cells.lines([cells.exact(array)]))

    for value, text in zip(array.ravel(), found, strict=True):
        assert text == "" if not np.isfinite(value) else np.float32(text) == value


def test_exact_on_any_bits_and_on_pixels() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = np.random.default_rng(seed)
    bits = draw.integers(0, 2**32, 3000, np.uint32).view(np.float32)
    pixels = draw.uniform(-20, 4000, 3000).astype(np.float32)
    scores = draw.uniform(0, 1, 3000).astype(np.float32)
    values = np.stack([bits, pixels, scores], axis=1)

    rows = read(cells.lines([cells.exact(values)]))

    assert {len(row) for row in rows} == {3}
    for row, expected in zip(rows, values, strict=True):
        assert [text != "" for text in row] == np.isfinite(expected).tolist()
        finite = [np.float32(float(text)) for text in row if text]
        assert finite == expected[np.isfinite(expected)].tolist()


def test_exact_writes_few_decimals_where_few_do() -> None:
    values = np.array([[0.5, 123.25, 7, -0.1, 99.99, 0.00390625]], np.float32)

    text = cells.lines([cells.exact(values)])

    assert text == b"0.5,123.25,7.0,-0.1,99.99,0.00390625\n"


@given(st.lists(st.integers(0, 250_000_000_000_000_000_0), min_size=1))
def test_instants_are_iso_with_zone(values: list[int]) -> None:
    text = cells.lines([cells.instants(np.array(values, np.int64))])

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    expected = [
        (epoch + timedelta(microseconds=value // 1000)).isoformat(
            timespec="microseconds"
        )
        for value in values
    ]
    assert expected == column(text)


def test_absent_rows_have_no_text() -> None:
    values = np.array([1, 2, 3], np.int64)
    absent = np.array([False, True, False])

    columns = [
        cells.whole(values, absent),
        cells.fixed(values, 1, absent),
        cells.instants(values, absent=absent),
    ]

    assert cells.lines(columns).splitlines()[1] == b",,"


@given(st.lists(st.text(), min_size=1))
def test_texts_come_back_and_are_no_formula(values: list[str]) -> None:
    text = cells.lines([cells.texts(values), cells.same("end", len(values))])

    rows = read(text)

    assert [row[1] for row in rows] == ["end"] * len(values)
    for value, row in zip(values, rows, strict=True):
        assert row[0].removeprefix(cells.APOSTROPHE) == value.replace("\0", "")
        assert not row[0].startswith(cells.FORMULA_STARTS)


@settings(max_examples=20)
@given(st.sampled_from(cells.FORMULA_STARTS), st.text())
def test_formula_starts_are_guarded(start: str, rest: str) -> None:
    ((found,),) = read(cells.lines([cells.texts([start + rest])]))

    assert found == "'" + start + rest.replace("\0", "")


def test_columns_stand_side_by_side() -> None:
    rows = np.array([True, False])

    text = cells.lines(
        [cells.truths(rows), cells.nothing(2), cells.same("a,b", 2), cells.same("", 2)]
    )

    assert text == b'True,,"a,b",\nFalse,,"a,b",\n'
    assert cells.header(["a", "b,c"]) == b'a,"b,c"\n'
