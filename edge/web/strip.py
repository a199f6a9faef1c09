"""How complete the last hour is, minute by minute, for the strip on the page."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from edge.database.extent import Span
from edge.history import History
from edge.ledger import Ledger
from edge.records import BoxNs
from edge.web import shapes
from edge.web.shapes import Json

MINUTE_NS = 60_000_000_000
SECOND_NS = 1_000_000_000
"""A pose, or a sample of a board without a fixed rate, speaks for this long at most."""

WELL = 0.98
"""From this share on a minute is not called a gap."""


class Minute(NamedTuple):
    """How much of one minute each stream covers, nanoseconds."""

    length: int  # of what of it lies after the first start and before now, with the
    # pauses in it: a box that lost the time while it was off goes on in the same minute
    ecg: int
    pose: int


STREAMS = ("ecg", "pose")


class Strip:
    """
    The last hour. Minutes that are stored are counted once; several threads may ask.

    A late upload into a minute that is over is not seen.
    """

    def __init__(self) -> None:
        self._minutes: dict[int, Minute] = {}
        self._paused = (
            0  # what the pauses lasted for beyond box time, when they were read
        )

    def read(self, past: History, ledger: Ledger, now: BoxNs, minutes: int) -> Json:
        """Return the share of each of the last *minutes*, and of all of them."""
        last = now // MINUTE_NS
        numbers = range(last - minutes + 1, last + 1)
        first = beginning(past)
        known = [n for n in numbers if n >= first // MINUTE_NS]
        newest = past.recorded_until() or 0
        self._learn(ledger.elapsed(first, now) - now + first)
        found = {n: self._minute(past, ledger, n, first, now, newest) for n in known}
        self._forget(last)
        return {
            "begin": shapes.ms(numbers[0] * MINUTE_NS),
            "end": shapes.ms(numbers[-1] * MINUTE_NS + MINUTE_NS),
            "step": 60_000,
            "utc": dates(ledger, range(numbers[0], numbers[-1] + 2), min(first, now)),
            "streams": [
                stream(name, [found.get(number) for number in numbers])
                for name in STREAMS
            ],
        }

    def _learn(self, paused: int) -> None:
        if paused != self._paused:  # a time server told how long the box was off
            self._minutes.clear()
            self._paused = paused

    def _minute(
        self,
        past: History,
        ledger: Ledger,
        number: int,
        first: int,
        now: int,
        newest: int,
    ) -> Minute:
        kept = self._minutes.get(number)
        if kept is not None:
            return kept
        begin = max(number * MINUTE_NS, first)
        end = (number + 1) * MINUTE_NS
        last = min(end, now - UNSETTLED_NS)
        if begin > newest:  # of a day without a recorder, too many to look for
            return Minute(max(0, last - begin), 0, 0)
        minute = count(past, BoxNs(begin), BoxNs(last))
        minute = minute._replace(length=max(minute.length, ledger.elapsed(begin, last)))
        if newest > end + SETTLED_NS:
            self._minutes[number] = minute
        return minute

    def _forget(self, last: int) -> None:
        for number in [n for n in list(self._minutes) if n < last - KEPT_MINUTES]:
            self._minutes.pop(number, None)


UNSETTLED_NS = 3 * SECOND_NS
"""What is newer may be on its way to the card."""

SETTLED_NS = 5 * SECOND_NS
"""When something so much later is on the card, everything of a minute is: while a card
hangs or is full, what came in waits for it."""

KEPT_MINUTES = 24 * 60


def dates(ledger: Ledger, numbers: Sequence[int], first: int) -> list[float]:
    """Return the UTC of the minutes *numbers*; before *first* its clock is run back."""
    at = np.array(numbers, np.int64) * MINUTE_NS
    known = np.maximum(at, first)
    return [shapes.ms(utc) for utc in (ledger.date(known).utc + at - known).tolist()]


def beginning(past: History) -> int:
    """Return when recording first began; the far future if it never did."""
    sessions = past.sessions()
    return sessions[0].started if sessions else 2**62


def count(past: History, begin: BoxNs, end: BoxNs) -> Minute:
    """Return how much of [*begin*, *end*) is covered by a board and by poses."""
    ecg = past.spans("chunks", begin, end, "serial")
    poses = past.spans("poses", begin, end, "camera")
    return Minute(
        length=max(0, end - begin),
        ecg=covered([reach(span) for span in ecg], begin, end),
        pose=covered([reach(span) for span in poses], begin, end),
    )


def reach(span: Span) -> tuple[int, int]:
    """Return from when on and how long *span* speaks."""
    return span.first, span.last + (round(span.period_ns) or SECOND_NS)


def covered(spans: Sequence[tuple[int, int]], begin: int, end: int) -> int:
    """Return how much of [*begin*, *end*) lies in at least one of *spans*."""
    total, reached = 0, begin
    for first, last in sorted(spans):
        first, last = max(first, reached), min(last, end)
        if last > first:
            total += last - first
            reached = last
    return total


def stream(name: str, minutes: list[Minute | None]) -> Json:
    """Return one row of the strip; ``None`` for minutes before the recording."""
    whole = [None if m is None or not m.length else m for m in minutes]
    shares = [m and round(getattr(m, name) / m.length, 4) for m in whole]
    known = [share for share in shares if share is not None]
    total = sum(m.length for m in whole if m)
    covers = sum(getattr(m, name) for m in whole if m)
    return {
        "name": name,
        "share": shares,
        "overall": round(covers / total, 4) if total else None,
        "gaps": gaps(known),
    }


def gaps(shares: list[float]) -> int:
    """Return how many stretches of minutes are not complete."""
    poor = [share < WELL for share in shares]
    before = [False, *poor][: len(poor)]
    return sum(now and not was for was, now in zip(before, poor, strict=True))
