"""
What the page shows of this moment: the recorder's state and the newest records.

A browser asks with the cursor it was last given and gets what was stored since. The
cursor counts rows, not time, so a record that was stored late is not missed. Pages
that ask for the same rows share one answer.
"""

import json
import re
import threading
from collections import OrderedDict
from typing import NamedTuple, cast

from edge.database.tables import Kind
from edge.history import PAGE_ROWS, History
from edge.records import SURE_SCORE, BoxNs, EcgChunk, Event, Pose, Segment
from edge.web import shapes
from edge.web.files import PAGE
from edge.web.present import Moment, Present, Reading
from edge.web.shapes import Json

SECOND_NS = 1_000_000_000

WINDOW_NS = 16 * SECOND_NS
"""How much of the past a page gets that asks for the first time."""

EVENTS_SHOWN = 40

ANSWERS_KEPT = 32
"""Pages do not ask in step: so many stretches of rows may be wanted again."""


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


class Feed:
    """Answers with records, each stretch of rows made once. Any thread may ask."""

    def __init__(self, present: Present) -> None:
        self._present = present
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], str] = OrderedDict()

    def answer(
        self, past: History, reading: Reading, moment: Moment, since: Cursor | None
    ) -> bytes:
        """
        Return as JSON what the page draws: the state, and what was stored after
        *since*.

        Without *since*, or where it is too old or of another database: the newest
        `WINDOW_NS`, and ``reset``. A record may come twice after a reset.
        """
        rows = past.newest()
        here = Cursor(rows["chunks"], rows["poses"], rows["events"])
        if since is not None and not since.continues_to(here):
            since = None
        with self._lock:
            offset_s = moment.utc_offset_ns // SECOND_NS  # else set: events date anew
            shown = rows["vitals"], moment.stay_begin
            key = (past.path, since, here, *shown, offset_s)
            text = self._kept.pop(key, "") or self._make(past, moment, since, rows)
            self._kept[key] = text
            if len(self._kept) > ANSWERS_KEPT:
                self._kept.popitem(last=False)
        head = dumps({**state(reading, moment), "cursor": str(here)})
        return (head[:-1] + "," + text[1:]).encode()

    def _make(
        self, past: History, moment: Moment, since: Cursor | None, rows: dict[Kind, int]
    ) -> str:
        news = stored_since(past, since) if since else newest(past, moment.now, rows)
        vitals = [
            vital
            for vital in past.latest_vitals(moment.now).values()
            if vital.sampled >= moment.stay_begin
        ]
        segments = self._segments(past, {chunk.segment for chunk in news.chunks})
        return dumps(
            {
                "reset": since is None,
                "segments": {str(n): shapes.of_segment(s) for n, s in segments.items()},
                "ecg": [
                    shapes.of_chunk(chunk, segments[chunk.segment])
                    for chunk in news.chunks
                    if chunk.segment in segments
                ],
                "poses": [shapes.of_pose(pose) for pose in news.poses],
                "vitals": [shapes.of_vital(vital) for vital in vitals],
                "events": self._present.events(news.events),
            }
        )

    def _segments(self, past: History, used: set[int]) -> dict[int, Segment]:
        """Return those of the segments *used* whose rows can be read."""
        known = self._present.labels().segments
        found = {number: known[number] for number in used & known.keys()}
        if begun := used - known.keys():  # since they were read
            found |= past.segments(begun)
        return found


def dumps(data: Json) -> str:
    """Return *data* as compact JSON, without NaN and infinity."""
    return json.dumps(data, allow_nan=False, separators=(",", ":"))


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
        "page": PAGE,
        "sure_score": SURE_SCORE,
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
        "machine": box.machine if box else {},
    }
