"""Which stretch of the recording a person means."""

import re

import numpy as np

from edge.errors import ExportError, InputError
from edge.export.recording import Recording
from edge.history import History
from edge.records import BoxNs
from edge.stamps import parse_stamp

UNITS_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
RELATIVE = re.compile(r"-(\d+(?:\.\d+)?)([smhd])$")
EXACT = re.compile(r"box:(\d{1,19})")
"""Box time in nanoseconds, as one program says it to another."""
EXAMPLE = "2026-11-22T10:15 or -1h"


def find_span(
    history: History, first: str = "", until: str = "", zone: str = "UTC"
) -> tuple[BoxNs, BoxNs]:
    """
    Return the box times [begin, end) that *first* and *until* mean.

    Each is an ISO time (in *zone* where it has none of its own), or ``-90m`` counted
    back from the newest record (units s, m, h, d), or "" for everything there is.

    :raises ExportError: if a text is neither, or nothing was recorded in between
    """
    span = history.span()
    if span is None:
        raise ExportError("nothing is recorded yet")
    recording = Recording(history, span[0], BoxNs(span[1] + 1))
    begin = place(recording, first, zone) if first else recording.begin
    end = place(recording, until, zone) if until else recording.end
    if begin >= end:
        raise ExportError(
            f"nothing is recorded from {first or 'the beginning'} to "
            f"{until or 'the end'}; there is {described(recording)}"
        )
    return begin, end


def place(recording: Recording, text: str, zone: str) -> BoxNs:
    """
    Return the box time of *recording* that *text* says, within what there is.

    :raises ExportError: if it is neither an ISO nor a relative time
    """
    if found := EXACT.fullmatch(text):
        return BoxNs(int(found[1]))
    if found := RELATIVE.fullmatch(text):
        back = float(found[1]) * UNITS_NS[found[2]]
        return max(BoxNs(recording.end - round(back)), recording.begin)
    try:
        box = recording.ledger.box(parse_stamp(text, zone))
    except InputError as error:
        raise ExportError(f"{error}; write {EXAMPLE}") from error
    return min(max(box, recording.begin), recording.end)


def described(recording: Recording) -> str:
    """Return the UTC stretch of *recording* in words."""
    ends = recording.ledger.date(
        np.array([recording.begin, recording.end - 1], np.int64)
    )
    first, last = (str(np.datetime64(int(ns), "ns"))[:19] + "Z" for ns in ends.utc)
    return f"{first} to {last}"
