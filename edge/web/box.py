"""What the addresses work with: the recording, the recorder, the settings."""

import threading
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from bottle import BaseRequest
from numpy.typing import NDArray

from edge.config import Settings
from edge.errors import InputError
from edge.history import History
from edge.joined import Labels, read_labels
from edge.records import BoxNs, BoxState, Pose, UtcNs
from edge.stamps import parse_stamp
from edge.web import live
from edge.web.answers import refuse

EARLIEST_UTC = 0
LATEST_UTC = 7_258_118_400_000_000_000
"""1970 and 2200: what is stamped outside was not stamped by a clock."""

LABELS_KEPT_S = 5.0

PERSON = "edge.person"
"""Name in the WSGI environment: the `Person` who asks, `None` for a stranger."""

ARRIVED = "edge.arrived"
"""Name in the WSGI environment: seconds on the monotonic clock at the first byte."""


class Recorder(Protocol):
    """What the page asks of the recorder: `edge.control.Client`."""

    def state(self) -> BoxState: ...

    def marker(self, note: str, by: str) -> None: ...

    def exported(self, what: str, by: str) -> None: ...

    def ecg_record(self, sampled: BoxNs | None, values: dict[str, float]) -> BoxNs: ...

    def ask(self, do: str, **request: Any) -> dict[str, Any]: ...

    def picture(self, pixels: NDArray[np.uint8], exposed: BoxNs, name: str) -> Pose: ...


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
        self._reading_labels = threading.Lock()
        self._labels: Labels | None = None
        self._labels_read = 0.0

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

    def labels(self, past: History) -> Labels:
        """Return the segments and the clock ledger, at most some seconds old."""
        now = time.monotonic()
        with self._reading_labels:
            if self._labels is None or now - self._labels_read > LABELS_KEPT_S:
                self._labels, self._labels_read = read_labels(past), now
            return self._labels

    def instant(self, past: History, text: str) -> BoxNs:
        """Return the box time that the stamp *text* names, refusing what names none."""
        try:
            utc = parse_stamp(text, self.settings.box.time_zone)
        except InputError as error:
            refuse(400, f"timestamp: {error}")
        if not EARLIEST_UTC <= utc < LATEST_UTC:
            refuse(400, "timestamp: the year must be 1970 to 2199")
        return self.labels(past).ledger.box(utc)

    def utc(self, past: History, instant: BoxNs) -> UtcNs:
        """Return the UTC of *instant*, the reverse of `instant`."""
        dates = self.labels(past).ledger.date(np.array([instant], np.int64))
        return UtcNs(int(dates.utc[0]))
