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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

GUESSES_PER_HOUR = 40
"""Likewise for one account, from all addresses that it was never used from."""

MOST_BUCKETS = 4096
MOST_PLACES = 256
"""Addresses that an account is remembered to have been used from, the latest."""


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
            self._file.keep(table)
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
                self._file.keep(table)
        return Session(person, str(entry["csrf"]))

    def close(self, token: str) -> None:
        """End the session of *token*."""
        with self._file.lock:
            table = dict(self._file.read())
            if table.pop(digest(token), None) is not None:
                self._file.keep(table)

    def _alive(self, entry: dict[str, object], now: float) -> bool:
        began, seen = entry.get("began"), entry.get("seen")
        if not isinstance(began, float) or not isinstance(seen, float):
            return False
        fresh = 0 <= now - seen < IDLE_S + WRITTEN_EVERY_S and now - began < LONGEST_S
        return entry.get("boot") == self._boot and fresh


@dataclass
class Bucket:
    """Tries that are left: *most* at once, and *per_hour* that come back."""

    most: float
    per_hour: float
    left: float
    at: float  # time.monotonic() at which *left* was right

    def wait(self, now: float) -> float:
        """Return the seconds until there is a try, 0.0 if there is one."""
        self.left = min(self.most, self.left + (now - self.at) * self.per_hour / 3600)
        self.at = now
        return 0.0 if self.left >= 1 else (1 - self.left) * 3600 / self.per_hour

    def give_back(self) -> None:
        """Undo one try."""
        self.left = min(self.most, self.left + 1)


class Throttle:
    """
    How many pass phrases may still be tried, counted by place and by account.

    A place that somebody has logged in from has a budget of its own, so that guessing
    from elsewhere locks nobody out; and those who guess at an account from everywhere
    do not count where its owner has logged in.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._strangers = self._new(STRANGERS_PER_HOUR, STRANGERS_PER_HOUR)
        self._known: dict[str, dict[str, None]] = {}  # places of an account, in order

    def allow(self, place: str, account: str = "") -> float:
        """Return 0.0 and count a try from *place*, or the seconds to wait."""
        with self._lock:
            self._make_room()
            buckets: list[Bucket] = []
            for bucket in self._asked(place, account):
                wait_s = bucket.wait(self._monotonic())
                if wait_s:
                    return wait_s
                buckets.append(bucket)
            for bucket in buckets:
                bucket.left -= 1
            return 0.0

    def welcome(self, place: str, account: str = "") -> None:
        """
        Remember that the owner of *account* logged in from *place*.

        Gives the try back that this login was counted as, and no other: whoever has
        an account could guess at another without end.
        """
        with self._lock:
            for bucket in self._asked(place, account):
                bucket.give_back()
            places = self._known.setdefault(account, {})
            places.pop(place, None)
            places[place] = None
            if len(places) > MOST_PLACES:
                del places[next(iter(places))]

    def _asked(self, place: str, account: str) -> Iterator[Bucket]:
        """Yield the buckets that a try is taken from, made as they are asked for."""
        yield self._bucket("place", place, BURST, TRIES_PER_HOUR)
        if not any(place in places for places in self._known.values()):
            yield self._strangers
        if account and place not in self._known.get(account, {}):
            most = GUESSES_PER_HOUR
            yield self._bucket("account", account, most, most)

    def _bucket(self, kind: str, of: str, most: float, per_hour: float) -> Bucket:
        if (kind, of) not in self._buckets:
            self._buckets[kind, of] = self._new(most, per_hour)
        return self._buckets[kind, of]

    def _new(self, most: float, per_hour: float) -> Bucket:
        return Bucket(most, per_hour, most, self._monotonic())

    def _make_room(self) -> None:
        """Forget those who tried least when there are too many."""
        if len(self._buckets) > MOST_BUCKETS:
            by_tries = sorted(
                self._buckets.items(), key=lambda item: item[1].left - item[1].most
            )
            self._buckets = dict(by_tries[: MOST_BUCKETS // 2])


def place_of(address: str) -> str:
    """Return what counts as one place: an IPv4 address, an IPv6 network of 64 bits."""
    number = number_of(address)
    if number is None:
        return address
    if number.version == 4:
        return str(number)
    return str(ipaddress.ip_network((number, 64), strict=False))


def is_loopback(address: str) -> bool:
    """Return whether *address* is one of this machine alone."""
    number = number_of(address)
    return number is not None and number.is_loopback


def number_of(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """
    Return the number of an *address*, ``None`` where it is none.

    A socket for both families writes IPv4 as ::ffff:192.168.1.4: else all of it would
    be one place.
    """
    try:
        number = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = number.ipv4_mapped if number.version == 6 else None
    return mapped or number
