"""ISO 8601 stamps, as people and scripts write them, and as we do."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.errors import InputError
from edge.records import UtcNs

SECOND_NS = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXAMPLE = "2025-06-29T14:22:01.500000"
INT64 = range(-(2**63), 2**63)

STAMP = re.compile(
    r"""
    (\d{4}) (?: -(\d\d)-(\d\d) | (\d\d)(\d\d) )             # date, with or without -
    (?: [Tt\ ] (\d\d) (?: :?(\d\d) (?: :?(\d\d) (?: [.,](\d+) )? )? )? )?
    \ ? ( [Zz] | [+-]\d\d (?: :?[0-5]\d )? )?               # zone
    """,
    re.VERBOSE | re.ASCII,
)


def parse_stamp(text: str, zone: str = "UTC") -> UtcNs:
    """
    Return the UTC of an ISO stamp: extended or basic form, ``T`` or a blank between
    date and time, a fraction of any length (below a nanosecond cut off) after a point
    or, as ``date -Ins`` and Python's log have it, a comma, ``Z`` or an offset. Without
    either the stamp is local time in *zone*; of an hour that comes twice when summer
    time ends, the first is meant.

    :raises InputError: if *text* is no such stamp or outside the years 1678 to 2262
    """
    found = STAMP.fullmatch(text.strip())
    if not found:
        raise InputError(f"{text[:60]!r} is not an ISO time such as {EXAMPLE}")
    year, month, day, month_, day_, hour, minute, second, fraction, offset = (
        found.groups()
    )
    try:
        whole = datetime(
            int(year), int(month or month_), int(day or day_),
            int(hour or 0), int(minute or 0), int(second or 0),
            tzinfo=fixed_zone(offset) if offset else named_zone(zone),
        )  # fmt: skip
        since = whole - EPOCH
    except (ValueError, OverflowError) as error:
        raise InputError(f"{text[:60]!r} is not a time: {error}") from error
    ns = (since.days * 86_400 + since.seconds) * SECOND_NS
    ns += int((fraction or "")[:9].ljust(9, "0"))
    if ns not in INT64:
        raise InputError(f"{text[:60]!r} is outside the years 1678 to 2262")
    return UtcNs(ns)


def stamp(utc: UtcNs) -> str:
    """Return *utc* as an ISO stamp with microseconds and ``+00:00``, cut off below."""
    seconds, ns = divmod(utc, SECOND_NS)
    whole = EPOCH + timedelta(seconds=seconds)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns // 1000:06d}+00:00"


@lru_cache
def named_zone(name: str) -> tzinfo:
    """
    Return the zone called *name*, "UTC" or a name of the time zone database.

    :raises InputError: if there is none
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(f"no time zone {name!r}, such as Europe/Berlin") from error


def fixed_zone(text: str) -> tzinfo:
    """Return the zone of an offset: "Z", "+02", "+0200" or "-02:00"."""
    if text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:]) if len(text) > 3 else 0
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
