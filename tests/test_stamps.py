"""ISO stamps in all usual forms."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InputError
from edge.records import UtcNs
from edge.stamps import parse_stamp, stamp

NOON = int(datetime(2025, 6, 29, 12, tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2025-06-29T12:00:00.000000", 0),
        ("2025-06-29T12:00:00", 0),
        ("2025-06-29 12:00:00", 0),
        ("2025-06-29t12:00:00z", 0),
        (" 2025-06-29T12:00:00Z\n", 0),
        ("2025-06-29T12:00:00 Z", 0),
        ("20250629T120000Z", 0),
        ("20250629T120000.25", 250_000_000),
        ("20250629120000"[:8] + " 1200", 0),
        ("2025-06-29T12:00", 0),
        ("2025-06-29T12", 0),
        ("2025-06-29", -12 * 3600 * 1_000_000_000),
        ("2025-06-29T14:00:00+02:00", 0),
        ("2025-06-29T14:00:00+0200", 0),
        ("2025-06-29T14:00:00+02", 0),
        ("2025-06-29T08:30:00-03:30", 0),
        ("2025-06-29T12:00:00.5", 500_000_000),
        ("2025-06-29 12:00:00,500", 500_000_000),  # as Python's log
        ("2025-06-29T14:00:00,123456789+02:00", 123_456_789),  # as `date -Ins`
        ("2025-06-29T12:00:00.123456789", 123_456_789),
        ("2025-06-29T12:00:00.1234567899999999", 123_456_789),
    ],
)
def test_usual_forms(text: str, ns: int) -> None:
    assert parse_stamp(text) == NOON + ns


@pytest.mark.parametrize(
    "text",
    [
        "", "abc", "1751206921", "29/06/2025 14:22", "2025-06-29T12:00:00,",
        "2025-02-30T12:00:00", "2025-06-29T25:00:00", "2025-06-29T12:00:00.",
        "2025-06-29T12:00:00+25:00", "2025-06-29T12:00:00 CET", "2025-6-29T12:00:00",
        "٢٠٢٥-06-29T12:00:00", "9999-01-01T00:00:00", "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+10:00", "2025-06-29T12:00:60", "NaN", "2025-06-29T",
        "1_25-06-29T12:00:00",
    ],
)  # fmt: skip
def test_what_is_no_stamp_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_stamp(text)

    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_stamp_without_zone_is_local_where_the_box_is() -> None:
    assert parse_stamp("2025-06-29T14:00:00", "Europe/Berlin") == NOON
    assert parse_stamp("2025-06-29T14:00:00Z", "Europe/Berlin") != NOON


def test_unknown_zone_is_refused() -> None:
    with pytest.raises(InputError, match="Mars/Base"):
        parse_stamp("2025-06-29T14:00:00", "Mars/Base")


def test_two_instants_an_hour_apart_stay_apart_when_summer_time_ends() -> None:
    assert (
        parse_stamp("2025-10-26T02:30:00+01:00")
        - parse_stamp("2025-10-26T02:30:00+02:00")
        == 3600 * 1_000_000_000
    )


@given(st.integers(-(2**63) // 1000 + 1, 2**63 // 1000 - 1))
def test_written_stamps_read_back(microseconds: int) -> None:
    utc = UtcNs(microseconds * 1000)

    assert parse_stamp(stamp(utc)) == utc
