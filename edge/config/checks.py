"""What a value of the configuration must be: each says what is wrong with one."""

import ipaddress
import json
import re
import zoneinfo
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Check = Callable[[Any], str]
"""Returns what is wrong with a value, "" if nothing is."""


def one_of(*allowed: Any) -> Check:
    """Accept the values *allowed*."""
    words = ", ".join(json.dumps(value) for value in allowed)
    return lambda value: "" if value in allowed else f"must be one of {words}"


def between(low: float, high: float, unit: str = "") -> Check:
    """Accept numbers from *low* to *high*, both included."""
    text = f"must be {low:g} to {high:g} {unit}".rstrip()
    return lambda value: "" if low <= value <= high else text


def even(value: int) -> str:
    """Accept what the camera accepts: even numbers of pixels."""
    return "" if 16 <= value <= 4608 and value % 2 == 0 else "must be even, 16 to 4608"


def code(value: str) -> str:
    """Accept a code that cannot carry a name with blanks or a path."""
    fine = re.fullmatch(r"[A-Za-z0-9_-]{0,32}", value)
    return "" if fine else "must be up to 32 letters, digits, '-' or '_'"


def age_key(value: str) -> str:
    """Accept a public key of age, or none."""
    fine = re.fullmatch(r"age1[02-9ac-hj-np-z]{58}", value)
    return "" if fine or not value else "must be a public key of age: age1…"


def time_zone(value: str) -> str:
    """Accept a zone of the time zone database."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return 'must be a zone such as "UTC" or "Europe/Berlin"'
    return ""


def ip_address(value: str) -> str:
    """Accept what a socket unit of systemd does, an address, and localhost."""
    if value == "localhost":
        return ""
    with suppress(ValueError):
        if not getattr(ipaddress.ip_address(value), "scope_id", None):
            return ""
    return 'must be an address such as "127.0.0.1", "0.0.0.0" for all, or "::"'


def part_of_frame(value: tuple[float, ...]) -> str:
    """Accept left, top, width and height of a part of a frame, as fractions."""
    if not value:
        return ""
    wrong = "must be [] or left, top, width, height as in [0.25, 0.0, 0.5, 1.0]"
    if len(value) != 4:
        return wrong
    left, top, width, height = value
    inside = left >= 0 and top >= 0 and left + width <= 1 and top + height <= 1
    return "" if inside and min(width, height) >= 0.05 else f"{wrong}, inside 0 to 1"
