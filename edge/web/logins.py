"""
Sessions of people who logged in, and how often somebody may try.

The browser has a random token; the file `sessions.json` has its SHA-256. Sessions end
after 15 minutes without a request, after 12 hours, at logout, when the account goes or
has a new pass phrase, and when the box restarts. Time is the kernel's monotonic clock.
"""

import ipaddress
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

from edge.clock import boot_id
from edge.web.accounts import Accounts, Person, digest
from edge.web.statefile import StateFile

IDLE_S = 15 * 60.0
LONGEST_S = 12 * 3600.0
"""OWASP ASVS 5, 7.3.1 and 7.3.2."""

WRITTEN_EVERY_S = 60.0
MOST_SESSIONS = 200

BURST = 5
TRIES_PER_HOUR = 15
"""Pass phrases that are tried for one address: at once, and then in an hour."""

STRANGERS_PER_HOUR = 200
"""Likewise for all addresses together that nobody has logged in from."""

MOST_ADDRESSES = 4096


class Session(NamedTuple):
    """One browser of one person."""

    person: Person
    csrf: str


class Sessions:
    """The sessions kept in the folder *path*. Any thread may ask."""

    def __init__(
        self,
        path: Path,
        accounts: Accounts,
        monotonic: Callable[[], float] = time.monotonic,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        self._file = StateFile(path / "sessions.json")
        self._accounts = accounts
        self._monotonic = monotonic
        self._boot = boot() or secrets.token_hex(8)

    def open(self, person: Person) -> str:
        """Return the token of a new session of *person*."""
        token = secrets.token_urlsafe(32)
        now = self._monotonic()
        with self._file.lock:
            table = {
                key: entry
                for key, entry in self._file.read().items()
                if self._alive(entry, now)
            }
            oldest = sorted(table, key=lambda key: cast(float, table[key]["seen"]))
            for key in oldest[: max(0, len(table) - MOST_SESSIONS + 1)]:
                del table[key]
            table[digest(token)] = {
                "name": person.name,
                "salt": person.salt,
                "csrf": secrets.token_urlsafe(32),
                "began": now,
                "seen": now,
                "boot": self._boot,
            }
            self._file.write(table)
        return token

    def find(self, token: str) -> Session | None:
        """Return the session that *token* belongs to, and count this as a request."""
        now = self._monotonic()
        key = digest(token)
        with self._file.lock:
            entry = self._file.read().get(key)
            if entry is None or not self._alive(entry, now):
                return None
            person = self._accounts.person(str(entry["name"]))
            if person is None or person.salt != entry.get("salt"):
                return None
            if now - cast(float, entry["seen"]) > WRITTEN_EVERY_S:
                table = {**self._file.read(), key: {**entry, "seen": now}}
                self._file.write(table)
        return Session(person, str(entry["csrf"]))

    def close(self, token: str) -> None:
        """End the session of *token*."""
        with self._file.lock:
            table = dict(self._file.read())
            if table.pop(digest(token), None) is not None:
                self._file.write(table)

    def _alive(self, entry: dict[str, object], now: float) -> bool:
        began, seen = entry.get("began"), entry.get("seen")
        if not isinstance(began, float) or not isinstance(seen, float):
            return False
        fresh = 0 <= now - seen < IDLE_S + WRITTEN_EVERY_S and now - began < LONGEST_S
        return entry.get("boot") == self._boot and fresh


class Throttle:
    """
    How many pass phrases may still be tried, counted by address.

    A place that somebody has logged in from has a budget of its own, so that guessing
    from elsewhere locks nobody out.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}  # tries left, and when
        self._known: set[str] = set()

    def allow(self, place: str) -> float:
        """Return 0.0 and count a try from *place*, or the seconds to wait."""
        with self._lock:
            self._make_room()
            places = [(place, TRIES_PER_HOUR, BURST)]
            if place not in self._known:
                places.append(("strangers", STRANGERS_PER_HOUR, STRANGERS_PER_HOUR))
            waits = [self._wait(*entry) for entry in places]
            if max(waits) > 0:
                return max(waits)
            for name, _, _ in places:
                left, at = self._buckets[name]
                self._buckets[name] = (left - 1, at)
            return 0.0

    def welcome(self, place: str) -> None:
        """Remember that somebody logged in from *place*; its budget is whole again."""
        with self._lock:
            if len(self._known) >= MOST_ADDRESSES:
                self._known.clear()
            self._known.add(place)
            self._buckets.pop(place, None)

    def _wait(self, name: str, per_hour: float, most: float) -> float:
        now = self._monotonic()
        left, at = self._buckets.get(name, (float(most), now))
        left = min(most, left + (now - at) * per_hour / 3600)
        self._buckets[name] = (left, now)
        return 0.0 if left >= 1 else (1 - left) * 3600 / per_hour

    def _make_room(self) -> None:
        """Forget those who tried least when there are too many addresses."""
        if len(self._buckets) > MOST_ADDRESSES:
            strangers = self._buckets.pop("strangers")
            by_tries = sorted(self._buckets.items(), key=lambda item: item[1][0])
            self._buckets = dict(by_tries[: MOST_ADDRESSES // 2])
            self._buckets["strangers"] = strangers


def place_of(address: str) -> str:
    """Return what counts as one place: an IPv4 address, an IPv6 network of 64 bits."""
    try:
        number = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if number.version == 4:
        return address
    return str(ipaddress.ip_network((number, 64), strict=False))
