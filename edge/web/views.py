"""Our own addresses: what the page and programs ask of this box."""

import time
from typing import cast

import numpy as np
from bottle import HTTPResponse, request

from edge.errors import StoreError
from edge.records import BoxNs, Event, UtcNs
from edge.stamps import stamp
from edge.web import live, shapes
from edge.web.answers import as_json, json_body, refuse, text_field, whole_number
from edge.web.box import PERSON, Box
from edge.web.metrics import exposition
from edge.web.strip import Strip


class Views:
    """One method an address."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._strip = Strip()
        self._feed = live.Feed(box.present)

    def live(self) -> HTTPResponse:
        """Answer the state and what was stored since the cursor."""
        try:
            since = live.Cursor.parse(request.query.get("since", ""))
        except ValueError:
            refuse(400, "since must be a cursor that /live has given")
        reading = self._box.states.read()
        try:
            moment = self._box.present.moment(reading)
            with self._box.past() as past:
                body = self._feed.answer(past, reading, moment, since)
            return HTTPResponse(body, **{"Content-Type": "application/json"})
        except StoreError as error:  # the page still has to say how the box does
            return as_json(live.without_past(reading, self._box.said(error)))

    def status(self) -> HTTPResponse:
        """Answer the original system's five keys, and ours."""
        reading = self._box.states.read()
        with self._box.past() as past:
            counts = past.counts()
        present = self._box.present.moment(reading)
        pose = reading.box and [s for s in reading.box.streams if s.name == "pose"]
        utc = UtcNs(present.now + present.utc_offset_ns)
        return as_json(
            {
                **live.state(reading, present),
                "ecg_records_loaded": counts.instants,
                "integrated_records": counts.poses + counts.posted,
                "pose_detector_ready": bool(pose and pose[0].state == "ok"),
                "server_time": stamp(utc),
                "status": "running",
            }
        )

    def healthz(self) -> HTTPResponse:
        """Answer 200 if the box records and 503 if not, and nothing else."""
        box = self._box.states.read().box
        well = box is not None and box.recording
        return as_json({"status": "ok" if well else "failing"}, 200 if well else 503)

    def metrics(self) -> HTTPResponse:
        """Answer the state for Prometheus."""
        reading = self._box.states.read()
        passed = time.monotonic() - reading.asked
        now = BoxNs(reading.box.now + round(passed * 1e9) if reading.box else 0)
        kind = "text/plain; version=0.0.4; charset=utf-8"
        body = exposition(reading.box, now)
        return HTTPResponse(body, **{"Content-Type": kind})

    def sessions(self) -> HTTPResponse:
        """Answer every run of the recorder, the newest first."""
        with self._box.past() as past:
            found = past.sessions()
        starts = np.array([session.started for session in found], np.int64)
        dates = self._box.present.labels().ledger.date(starts)
        return as_json(
            {
                "sessions": [
                    {
                        "id": session.id,
                        "started": shapes.ms(session.started),
                        "utc": stamp(UtcNs(int(dates.utc[place]))),
                        "synchronised": bool(dates.synchronised[place]),
                        "subject": session.subject,
                        "version": session.version,
                    }
                    for place, session in reversed(list(enumerate(found)))
                ]
            }
        )

    def events(self) -> HTTPResponse:
        """Answer the events stored after a row, in the order they were stored."""
        after = whole_number(request, "after", 0, 0, 2**62)
        limit = whole_number(request, "limit", 100, 1, 256)
        with self._box.past() as past:
            found = cast(list[tuple[int, Event]], past.since("events", after, limit))
        return as_json(
            {
                "events": self._box.present.events(found),
                "after": found[-1][0] if found else after,
            }
        )

    def completeness(self) -> HTTPResponse:
        """Answer how complete each of the last minutes is."""
        minutes = whole_number(request, "minutes", 60, 1, 24 * 60)
        with self._box.past() as past:
            now = self._box.moment().now
            ledger = self._box.present.labels().ledger
            return as_json(self._strip.read(past, ledger, now, minutes))

    def markers(self) -> HTTPResponse:
        """Keep a note of a person, of the box time ``at`` in ms or of this moment."""
        body = json_body(request)
        note = text_field(body, "note", 200)
        at = body.get("at")
        if at is not None and (type(at) not in (int, float) or not abs(at) < 2**53):
            refuse(400, "at must be a box time in milliseconds")
        began = None if at is None else BoxNs(round(at * 1e6))
        self._box.recorder.marker(note, request.environ[PERSON].name, began)
        return as_json({"message": "Marker kept", "status": "success"})
