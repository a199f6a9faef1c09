"""
What the page shows of this moment: the recorder's state and the newest records.

A browser asks with the cursor it was last given and gets what was stored since. The
cursor counts rows, not time, so a record that was stored late is not missed.
"""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from edge.database.tables import Kind
from edge.errors import ControlError
from edge.history import PAGE_ROWS, History
from edge.records import BoxNs, BoxState, ClockReading, EcgChunk, Event, Pose
from edge.web import shapes
from edge.web.shapes import Json

WINDOW_NS = 16_000_000_000
"""How much of the past a page gets that asks for the first time."""

EVENTS_SHOWN = 40

STATE_KEPT_S = 0.2
"""Pages that ask within this time share one question to the recorder."""

SILENCE_KEPT_S = 1.0
"""A recorder that did not answer is not asked again before."""


class Recorder(Protocol):
    """What tells how the box does: `edge.control.Client`."""

    def state(self) -> BoxState: ...


class Reading(NamedTuple):
    """What the recorder said, or why it said nothing."""

    box: BoxState | None
    silence: str  # one sentence, "" where it answered
    asked: float  # time.monotonic() after the answer


class StateCache:
    """The recorder's state for many pages; asks the recorder a few times a second."""

    def __init__(
        self, recorder: Recorder, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._recorder = recorder
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last: Reading | None = None

    def read(self) -> Reading:
        """Return the state, at most a fraction of a second old."""
        with self._lock:
            last = self._last
            if last is None or self._monotonic() - last.asked > kept(last):
                self._last = last = self._ask()
            return last

    def _ask(self) -> Reading:
        try:
            box, silence = self._recorder.state(), ""
        except ControlError as error:
            box, silence = None, str(error)
        return Reading(box, silence, self._monotonic())


def kept(reading: Reading) -> float:
    """Return for how many seconds *reading* may be shown again."""
    return STATE_KEPT_S if reading.box else SILENCE_KEPT_S


class Cursor(NamedTuple):
    """The last row of each kind that a page has."""

    chunks: int
    poses: int
    events: int

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """
        Return the cursor that *text* spells, ``None`` for "".

        :raises ValueError: if it is none
        """
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18}){2}", text):
            raise ValueError("not a cursor")
        return cls(*(int(row) for row in text.split(".")))

    def __str__(self) -> str:
        return ".".join(str(row) for row in self)

    def continues_to(self, here: "Cursor") -> bool:
        """Return whether few enough rows lie between this and *here*, and forwards."""
        return all(
            0 <= new - old < PAGE_ROWS for old, new in zip(self, here, strict=True)
        )


class Moment(NamedTuple):
    """The present, as well as it is known."""

    now: BoxNs
    known: bool  # False: the recorder is silent and the box was restarted since
    utc_offset_ns: int  # UTC − box time
    synchronised: bool  # a time server had set the clock


def moment(past: History, reading: Reading, monotonic: Callable[[], float]) -> Moment:
    """Return the present box time: the recorder's, else of the session it left."""
    ledger = past.since("clock_readings", past.newest()["clock_readings"] - 1)
    last = cast(ClockReading, ledger[-1][1]) if ledger else None
    offset = last.utc - last.box if last else 0
    synchronised = last is not None and last.synchronised
    if reading.box is not None:
        passed = round((monotonic() - reading.asked) * 1e9)
        now = BoxNs(reading.box.now + passed)
        return Moment(now, True, offset, synchronised)
    sessions = past.sessions()
    if sessions and sessions[-1].boot_id == boot_id():
        now = BoxNs(round(monotonic() * 1e9) + sessions[-1].offset_ns)
        return Moment(now, True, offset, synchronised)
    span = past.span()
    return Moment(span[1] if span else BoxNs(0), False, offset, synchronised)


def boot_id() -> str:
    """Return the kernel's name for this boot, "" where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class News(NamedTuple):
    """Records for a page."""

    chunks: list[EcgChunk]
    poses: list[Pose]
    events: list[tuple[int, Event]]


def newest(past: History, now: BoxNs, rows: dict[Kind, int]) -> News:
    """Return the last `WINDOW_NS`, and the last events."""
    begin, end = BoxNs(now - WINDOW_NS), BoxNs(now + WINDOW_NS)
    events = past.since("events", rows["events"] - EVENTS_SHOWN)
    return News(
        list(past.chunks(begin, end)),
        list(past.poses(begin, end)),
        cast(list[tuple[int, Event]], events),
    )


def stored_since(past: History, since: Cursor) -> News:
    """Return what was stored after *since*."""
    return News(
        [cast(EcgChunk, record) for _, record in past.since("chunks", since.chunks)],
        [cast(Pose, record) for _, record in past.since("poses", since.poses)],
        cast(list[tuple[int, Event]], past.since("events", since.events)),
    )


def answer(
    past: History,
    reading: Reading,
    since: Cursor | None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Json:
    """
    Return what the page draws: the state, and the records stored after *since*.

    Without *since*, or where it is too old or of another database: the newest
    `WINDOW_NS`, and ``reset``. A record may come twice after a reset.
    """
    present = moment(past, reading, monotonic)
    rows = past.newest()
    here = Cursor(rows["chunks"], rows["poses"], rows["events"])
    if since is not None and not since.continues_to(here):
        since = None
    news = stored_since(past, since) if since else newest(past, present.now, rows)
    vitals = past.latest_vitals(present.now).values()
    used = {chunk.segment for chunk in news.chunks}
    segments = {key: s for key, s in past.segments().items() if key in used}
    return {
        **state(reading, present),
        "cursor": str(here),
        "reset": since is None,
        "segments": {str(key): shapes.of_segment(s) for key, s in segments.items()},
        "ecg": [shapes.of_chunk(c, segments[c.segment]) for c in news.chunks],
        "poses": [shapes.of_pose(pose) for pose in news.poses],
        "vitals": [shapes.of_vital(vital) for vital in vitals],
        "events": [shapes.of_event(row, event) for row, event in news.events],
    }


def without_past(reading: Reading, cause: str) -> Json:
    """Return what can be said when there is no recording to read, for *cause*."""
    silence = reading.silence or cause
    present = Moment(BoxNs(0), False, 0, False)
    if reading.box is not None:
        present = present._replace(now=reading.box.now, known=True)
    return {
        **state(reading._replace(silence=silence), present),
        "cursor": "",
        "reset": True,
        "segments": {},
        "ecg": [],
        "poses": [],
        "vitals": [],
        "events": [],
    }


def state(reading: Reading, present: Moment) -> Json:
    """Return the recorder's state and the verdict on it."""
    box = reading.box
    return {
        "now": shapes.ms(present.now),
        "now_known": present.known,
        "utc_minus_box": shapes.ms(present.utc_offset_ns),
        "synchronised": present.synchronised,
        "recorder": {
            "answers": box is not None,
            "recording": box is not None and box.recording,
            "silence": reading.silence,
        },
        "verdict": shapes.verdict(box, reading.silence),
        "session": box and shapes.of_session(box.session, box.started, box.subject),
        "streams": [shapes.of_stream(part) for part in box.streams] if box else [],
        "saved": box.saved if box else {},
        "storage": box.storage if box else {},
    }
