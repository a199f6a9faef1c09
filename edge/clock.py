"""
Monotonic time, box time, wall time: the only module that reads a wall clock.

Box time is monotonic time moved by one constant a session, so it neither steps nor
goes back. On Linux the kernel slews the monotonic and the wall clock alike
(`clock_gettime(2)`: CLOCK_MONOTONIC follows adjtime and NTP, but not steps), so
UTC − box time only ever changes by a step. `LedgerKeeper` writes those down;
`edge.ledger` labels box time with UTC from them.
"""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edge.records import BoxNs, ClockReading, Event, MonotonicNs, UtcNs

LATEST_UTC = UtcNs(4_102_444_800_000_000_000)
"""2100-01-01: a clock beyond it is wrong, and its times would not add up in int64."""

BRACKET_NS = 50_000
"""Two readings of the monotonic clock around the wall clock's should be this close."""

STEP_NS = 400_000
"""A change of UTC − box time below this is the noise of reading two clocks."""

READING_EVERY_NS = 60 * 1_000_000_000
"""How often the ledger gets a line when nothing changes."""

STA_UNSYNC = 0x0040
TIME_ERROR = 5
"""`adjtimex(2)`: the kernel's clock is not disciplined by a time server."""


class Wall(NamedTuple):
    """The wall clock and the monotonic clock at one instant."""

    monotonic: MonotonicNs
    utc: UtcNs
    synchronised: bool  # a time server disciplines the kernel's clock


def boot_id() -> str:
    """Return the kernel's name for this boot, "" where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def read_wall() -> Wall:
    """Return the wall clock as it stands, with the monotonic instant it was read at."""
    best: tuple[int, int, int] | None = None
    for _ in range(5):
        before = time.monotonic_ns()
        utc = time.time_ns()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = after - before, (before + after) // 2, utc
        if best[0] < BRACKET_NS:
            break
    assert best is not None
    return Wall(MonotonicNs(best[1]), UtcNs(best[2]), synchronised())


def synchronised() -> bool:
    """Return whether the kernel says a time server disciplines its clock."""
    state = _Timex()
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state))
    except (AttributeError, OSError):  # another kernel or C library
        return False
    return answer not in (-1, TIME_ERROR) and not state.status & STA_UNSYNC


@dataclass(frozen=True)
class BoxClock:
    """Monotonic time to box time, by one constant a session."""

    offset_ns: int
    monotonic: Callable[[], int] = time.monotonic_ns

    @classmethod
    def start(
        cls,
        last_box: BoxNs | None,
        wall: Callable[[], Wall] = read_wall,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> "BoxClock":
        """
        Return the clock of a new session: it starts at UTC as well as it is known,
        but above *last_box*, the last instant the store holds.
        """
        now = wall()
        start = now.utc if 0 <= now.utc < LATEST_UTC else 0
        if last_box is not None:
            start = max(start, last_box + 1)
        return cls(start - now.monotonic, monotonic)

    def box(self, instant: MonotonicNs) -> BoxNs:
        """Return the box time of a monotonic *instant*."""
        return BoxNs(instant + self.offset_ns)

    def now(self) -> BoxNs:
        """Return the present box time."""
        return BoxNs(self.monotonic() + self.offset_ns)


class LedgerKeeper:
    """
    Writes the clock ledger of one session.

    Call `observe` about once a second; what it returns belongs in the store.
    """

    def __init__(
        self,
        session: int,
        clock: BoxClock,
        wall: Callable[[], Wall] = read_wall,
    ) -> None:
        self.session = session
        self._clock = clock
        self._wall = wall
        self._last: ClockReading | None = None

    def observe(self) -> tuple[ClockReading | Event, ...]:
        """
        Return a reading when one is due, the clock was set, or its synchronisation
        came or went; with an event if it was set; usually nothing.
        """
        now = self._wall()
        box = self._clock.box(now.monotonic)
        last = self._last
        step = 0 if last is None else (now.utc - box) - (last.utc - last.box)
        stepped = abs(step) > STEP_NS
        due = last is None or box - last.box >= READING_EVERY_NS
        if not (due or stepped or (last and last.synchronised != now.synchronised)):
            return ()
        reading = ClockReading(self.session, box, now.utc, now.synchronised, step)
        self._last = reading
        return (reading, step_event(reading)) if stepped else (reading,)


def step_event(reading: ClockReading) -> Event:
    """Return the event that tells of the step *reading* found."""
    seconds = reading.step_ns / 1e9
    way = "forward" if seconds > 0 else "back"
    return Event(
        began=reading.box,
        ended=None,
        kind="clock step",
        stream="clock",
        cause=f"the wall clock was set {way} by {abs(seconds):.3f} s",
        detail={"step_ns": reading.step_ns, "synchronised": reading.synchronised},
    )


class _Timex(ctypes.Structure):
    """`struct timex` of adjtimex(2), Linux."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("rest", ctypes.c_long * 40),  # more than the kernel fills in
    )
