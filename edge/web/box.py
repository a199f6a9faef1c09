"""What the addresses work with: the recording, the recorder, the settings."""

import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from bottle import BaseRequest
from numpy.typing import NDArray

from edge.config import Settings
from edge.control import Post
from edge.errors import InputError
from edge.given import stated_utc
from edge.history import History
from edge.records import BoxNs, BoxState, MonotonicNs, Pose
from edge.web.answers import pathless, refuse
from edge.web.present import Moment, Present, StateCache

PERSON = "edge.person"
"""Name in the WSGI environment: the `Person` who asks, `None` for a stranger."""

ARRIVED = "edge.arrived"
"""Name in the WSGI environment: seconds on the monotonic clock at the first byte."""


class Recorder(Protocol):
    """What the page asks of the recorder: `edge.control.Client`."""

    def state(self) -> BoxState: ...

    def marker(self, note: str, by: str, at: BoxNs | None = None) -> None: ...

    def exported(self, what: str, by: str) -> None: ...

    def ecg_records(self, posts: list[Post]) -> list[BoxNs]: ...

    def ask(self, do: str, **request: Any) -> dict[str, Any]: ...

    def picture(
        self, pixels: NDArray[np.uint8], exposed: BoxNs, name: str, scale: int = 1
    ) -> Pose: ...


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
        self.states = StateCache(recorder, said=self.said)
        self.present = Present(self.past)

    def said(self, error: object) -> str:
        """Return what *error* says, without a path of the box."""
        folders = (self.settings.box.data_dir, self.state, self.path.parent)
        return pathless(error, *folders)

    def past(self) -> History:
        """
        Open the recording for one request.

        :raises StoreError: if there is none
        """
        return History(self.path)

    def moment(self) -> Moment:
        """
        Return the present box time.

        :raises StoreError: if there is no recording
        """
        return self.present.moment(self.states.read())

    def arrived(self, request: BaseRequest) -> BoxNs:
        """Return when the first byte of *request* came."""
        passed = time.monotonic_ns() - arrival(request)
        return BoxNs(self.moment().now - passed)

    def instant(self, text: str) -> BoxNs:
        """Return the box time that the stamp *text* names, refusing what names none."""
        try:
            utc = stated_utc(text, self.settings.box.time_zone)
        except InputError as error:
            refuse(400, f"timestamp: {error}")
        return self.present.labels().ledger.box(utc)


def arrival(request: BaseRequest) -> MonotonicNs:
    """Return when the first byte of *request* came."""
    seconds = request.environ.get(ARRIVED)
    return MonotonicNs(time.monotonic_ns() if seconds is None else round(seconds * 1e9))
