"""Which stretch of the recording a person means."""

import re
import time

import numpy as np

from edge.clock import boot_id
from edge.errors import ExportError, InputError
from edge.export.recording import Recording
from edge.history import History
from edge.records import BoxNs
from edge.stamps import parse_stamp

UNITS_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
RELATIVE = re.compile(r"-(\d+(?:\.\d+)?)([smhd])$")
EXACT = re.compile(r"box:(\d{1,19})")
"""Box time in nanoseconds, as one program says it to another."""
LATEST_NS = 2**62
"""After all that can be recorded, and times around it still fit a row."""
EXAMPLE = "2026-11-22T10:15 or -1h"


SETTLED_NS = 10 * 10**9
"""While it is recorded, what is older than that is on the card: of one instant ECG is
stored up to a second after the pose, a computed heart rate some seconds after both."""

RECORDING_NS = 150 * 10**9
"""A recorder that is not heard of for so long has ended: a card may hang for 120 s."""


def find_span(
    history: History,
    first: str = "",
    until: str = "",
    zone: str = "UTC",
    settled: bool = False,
) -> tuple[BoxNs, BoxNs]:
    """
    Return the box times [begin, end) that *first* and *until* mean.

    Each is an ISO time (in *zone* where it has none of its own), or ``-90m`` counted
    back from what was recorded last (units s, m, h, d), or "" for everything there is:
    uploads dated ahead too, or if *settled* up to `settled_until`, so that the next
    export may begin there.

    :raises ExportError: if a text is neither, or nothing was recorded in between
    """
    span = history.span()
    if span is None:
        raise ExportError("nothing is recorded yet")
    recording = Recording(history, span[0], BoxNs(span[1] + 1))
    begin = place(recording, first, zone) if first else recording.begin
    end = place(recording, until, zone) if until else recording.end
    if settled and (not until or end <= recorded_until(recording)):
        end = min(end, settled_until(recording))
    if begin >= end:
        raise ExportError(
            f"nothing is recorded from {first or 'the beginning'} to "
            f"{until or 'the end'}; there is {described(recording)}"
            f"{', of which the last seconds have to wait' if settled else ''}"
        )
    return begin, end


def place(recording: Recording, text: str, zone: str) -> BoxNs:
    """
    Return the box time of *recording* that *text* says, within what there is.

    :raises ExportError: if it is neither an ISO nor a relative time
    """
    if found := EXACT.fullmatch(text):
        return BoxNs(min(int(found[1]), LATEST_NS))
    if found := RELATIVE.fullmatch(text):
        back = float(found[1]) * UNITS_NS[found[2]]
        return max(BoxNs(recorded_until(recording) - round(back)), recording.begin)
    try:
        box = recording.ledger.box(parse_stamp(text, zone))
    except InputError as error:
        raise ExportError(f"{error}; write {EXAMPLE}") from error
    return min(max(box, recording.begin), recording.end)


def recorded_until(recording: Recording) -> BoxNs:
    """Return where what was recorded here ends: no upload dated ahead moves it."""
    last = recording.history.recorded_until()
    return recording.end if last is None else min(BoxNs(last + 1), recording.end)


def settled_until(recording: Recording) -> BoxNs:
    """Return up to where nothing recorded here can come into *recording* any more."""
    end, last = recorded_until(recording), recording.history.recorded_until()
    for session in list(recording.sessions.values())[-1:]:
        silent_ns = time.monotonic_ns() + session.offset_ns - (last or 0)
        if last and session.boot_id == boot_id() and silent_ns < RECORDING_NS:
            return min(end, BoxNs(last + 1 - SETTLED_NS))
    return end


def described(recording: Recording) -> str:
    """Return the UTC stretch of *recording* in words."""
    ends = recording.ledger.date(
        np.array([recording.begin, recording.end - 1], np.int64)
    )
    first, last = (str(np.datetime64(int(ns), "ns"))[:19] + "Z" for ns in ends.utc)
    return f"{first} to {last}"
