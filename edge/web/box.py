"""What the addresses work with: the recording, the recorder, the settings."""

import time
from pathlib import Path
from typing import Protocol

from bottle import BaseRequest
from numpy import uint8
from numpy.typing import NDArray

from edge.config import Settings
from edge.errors import InputError
from edge.history import History
from edge.records import BoxNs, BoxState, ClockReading, Pose, UtcNs
from edge.stamps import parse_stamp
from edge.web import live
from edge.web.answers import refuse

EARLIEST_UTC = 0
LATEST_UTC = 7_258_118_400_000_000_000
"""1970 and 2200: what is stamped outside was not stamped by a clock."""

PERSON = "edge.person"
"""Name in the WSGI environment: the `Person` who asks, `None` for a stranger."""

ARRIVED = "edge.arrived"
"""Name in the WSGI environment: seconds on the monotonic clock at the first byte."""


class Recorder(Protocol):
    """What the page asks of the recorder: `edge.control.Client`."""

    def state(self) -> BoxState: ...

    def marker(self, note: str, by: str) -> None: ...

    def ecg_record(self, sampled: BoxNs | None, values: dict[str, float]) -> BoxNs: ...

    def picture(self, pixels: NDArray[uint8], exposed: BoxNs, name: str) -> Pose: ...


class Box:
    """One for the application; methods may be called by several threads at once."""

    def __init__(
        self, history_path: Path, recorder: Recorder, settings: Settings, state: Path
    ) -> None:
        self.path = history_path
        self.recorder = recorder
        self.settings = settings
        self.state = state
        """The folder that is the page's own: accounts, sessions, pictures."""
        self.states = live.StateCache(recorder)

    def past(self) -> History:
        """
        Open the recording for one request.

        :raises StoreError: if there is none
        """
        return History(self.path)

    def present(self, past: History) -> live.Moment:
        """Return the present box time."""
        return live.moment(past, self.states.read(), time.monotonic)

    def arrived(self, past: History, request: BaseRequest) -> BoxNs:
        """Return when the first byte of *request* came."""
        now = time.monotonic()
        passed = now - request.environ.get(ARRIVED, now)
        return BoxNs(self.present(past).now - round(passed * 1e9))

    def instant(self, past: History, text: str) -> BoxNs:
        """Return the box time that the stamp *text* names, refusing what names none."""
        try:
            utc = parse_stamp(text, self.settings.box.time_zone)
        except InputError as error:
            refuse(400, f"timestamp: {error}")
        if not EARLIEST_UTC <= utc < LATEST_UTC:
            refuse(400, "timestamp: the year must be 1970 to 2199")
        return BoxNs(utc - self._offset(past, utc))

    def utc(self, past: History, instant: BoxNs) -> UtcNs:
        """Return the UTC of *instant*, the reverse of `instant`."""
        first, last = ledger_ends(past)
        early = first is not None and instant < first.box
        return UtcNs(instant + offset_of(first if early else last))

    def _offset(self, past: History, utc: UtcNs) -> int:
        """
        Return UTC − box time at *utc*.

        Before the ledger begins it is that of its first line, which stays the same
        when the clock is set later: records of the past keep their distances.
        """
        first, last = ledger_ends(past)
        early = first is not None and utc < first.utc
        return offset_of(first if early else last)


def ledger_ends(past: History) -> tuple[ClockReading | None, ClockReading | None]:
    """Return the first and the last line of the clock ledger."""
    newest = past.newest()["clock_readings"]
    firsts = past.since("clock_readings", 0, 1)
    lasts = past.since("clock_readings", newest - 1, 1)
    first = firsts[0][1] if firsts else None
    last = lasts[0][1] if lasts else first
    assert first is None or isinstance(first, ClockReading)
    assert last is None or isinstance(last, ClockReading)
    return first, last


def offset_of(reading: ClockReading | None) -> int:
    """Return UTC − box time at *reading*."""
    return 0 if reading is None else reading.utc - reading.box
