"""
What the recorder does for the page and for commands: one function a request.

Each returns after its records are on the card, so that "saved" means saved.
"""

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from edge.control import Handler, Post
from edge.errors import ControlError
from edge.given import records_of, segment_of
from edge.history import History
from edge.recorder import Recorder
from edge.records import (
    BoxNs,
    BoxState,
    Event,
    Kept,
    MonotonicNs,
    Pose,
    Record,
    Released,
    Segment,
)
from edge.syncing import SyncTest

SAVED_WITHIN_S = 5.0

MOST_KEPT = 0.5
"""Of the capacity; the rest is for what is being recorded."""

WRITTEN_WITHIN_NS = 600_000_000_000
"""A note that is said to be begun before is dated by its coming."""

STATED_EVERY_NS = 60_000_000_000
"""The segment of uploads is stated again each time: it leaves the ring when it is old
and nothing was uploaded for long, while its recorder still runs."""


def handlers(recorder: Recorder) -> dict[str, Handler]:
    """Return the requests that the control socket answers."""
    requests = Requests(recorder)
    return {
        "state": requests.state,
        "marker": requests.marker,
        "exported": requests.exported,
        "ecg_records": requests.ecg_records,
        "picture": requests.picture,
        "keep": requests.keep,
        "release": requests.release,
        "sync_begin": requests.sync_begin,
        "sync_result": requests.sync_result,
        "sync_cancel": requests.sync_cancel,
    }


class Requests:
    """The handlers; several threads call them at once."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._upload_segment: Segment | None = None
        self._stated: BoxNs | None = None  # when that was put last
        self._uploading = threading.Lock()
        self._sync = SyncTest(recorder)

    def state(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Answer how the recorder does, as `BoxState`."""
        recorder = self._recorder
        streams = (recorder.ecg, recorder.camera, recorder.pose, recorder.card)
        state = BoxState(
            now=recorder.clock.now(),
            session=recorder.session,
            started=recorder.started,
            subject=recorder.settings.box.subject,
            recording=recorder.card.state.state == "ok",
            streams=tuple(stream.state for stream in streams),
            saved=recorder.saved,
            storage=recorder.storage,
            machine=recorder.health.state,
        )
        return {
            **state._asdict(),
            "streams": [stream._asdict() for stream in state.streams],
        }

    def marker(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Keep a note of a person, dated when they began it if that is believable."""
        now = self._recorder.clock.now()
        began = request.get("at")
        if began is not None and 0 <= now - int(began) <= WRITTEN_WITHIN_NS:
            now = BoxNs(int(began))
        by = {"by": str(request["by"])[:64]}
        self._save(
            [Event(now, None, "marker", "", str(request["note"])[:500], dict(by))]
        )
        return {"at": now}

    def exported(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Keep that somebody took data away through the page."""
        now = self._recorder.clock.now()
        by = str(request["by"])[:64]
        cause = f"{str(request['what'])[:200]} downloaded by {by}"
        self._save([Event(now, None, "export", "export", cause, {"by": by})])
        return {"at": now}

    def keep(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """
        Keep a stretch of the recording, however old it gets.

        :raises ControlError: if so much would be kept that recording lacks room
        """
        begin, end = BoxNs(int(request["begin"])), BoxNs(int(request["end"]))
        wish = Kept(begin, end, str(request["why"])[:200])
        if begin >= end:
            raise ControlError("a stretch to keep ends after it begins")
        with History(self._recorder.settings.database) as history:
            kept = [*history.kept().values(), wish]
            held = sum(history.weight_bytes(one.begin, one.end) for one in kept)
        share = held / (self._recorder.settings.store.capacity_gb * 1e9)
        if share > MOST_KEPT:
            raise ControlError(
                f"with this {share:.0%} of the room would be kept, and {MOST_KEPT:.0%} "
                "is the most: keep less, release some, or raise [store] capacity_gb"
            )
        self._say_kept("kept", wish, str(request["by"]), wish)
        return {"kept": len(kept)}

    def release(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """
        Let a stretch that was kept leave again in its turn.

        :raises ControlError: if none has that number
        """
        number = int(request["number"])
        with History(self._recorder.settings.database) as history:
            kept = history.kept()
        if number not in kept:
            raise ControlError(f"nothing is kept under number {number}")
        self._say_kept(
            "kept no longer", kept.pop(number), str(request["by"]), Released(number)
        )
        return {"kept": len(kept)}

    def ecg_records(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Keep records of the original system's fields."""
        posts = [Post(*post) for post in request["posts"]]
        instants = [self._instant(post) for post in posts]
        intake = self._recorder.intake
        with self._uploading:  # the segment goes ahead of every chunk of it
            ticket = intake.put(self._ecg_records(instants, posts))
        intake.wait(ticket, SAVED_WITHIN_S)
        return {"sampled": instants}

    def picture(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Look at a picture and keep its pose."""
        height, width = int(request["height"]), int(request["width"])
        pixels = np.frombuffer(payload, np.uint8).reshape(height, width, 3)
        seen = self._recorder.vision.look(pixels)
        found = seen.estimate
        scale = int(request.get("scale", 1))
        pose = Pose(
            exposed=BoxNs(int(request["exposed"])),
            uncertainty_ns=0,
            stamp="given",
            source="upload",
            state=found.state,
            keypoints=found.keypoints * np.array([scale, scale, 1], np.float32),
            width=found.width * scale,
            height=found.height * scale,
            rotation=found.rotation,
            model=seen.model,
            device=seen.device,
            inference_ms=found.inference_ms,
            picture=str(request["name"]),
        )
        self._save([pose])
        return {**pose._asdict(), "keypoints": pose.keypoints.tolist()}

    def sync_begin(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Begin to compare a light in the picture with pulses in the ECG."""
        return {"number": self._sync.begin(float(request["seconds"]))}

    def sync_result(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Answer what the comparison found, once it is over and kept."""
        found = self._sync.result()
        if found is None:
            return {"pending": True}
        self._save([found])
        return {**found.detail}

    def sync_cancel(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Give up the comparison that it names, where that still runs."""
        self._sync.cancel(int(request["number"]))
        return {}

    def _instant(self, post: Post) -> BoxNs:
        """Return the instant of *post*, in whole microseconds."""
        arrived = self._recorder.clock.box(MonotonicNs(int(post.arrived)))
        instant = arrived if post.sampled is None else int(post.sampled)
        return BoxNs(instant - instant % 1000)

    def _ecg_records(self, instants: list[BoxNs], posts: list[Post]) -> list[Record]:
        recorder, segment = self._recorder, self._upload_segment
        if segment is None:
            segment = segment_of(next(recorder.segment_ids), recorder.session, "upload")
        new: list[Record] = []
        for instant, post in zip(instants, posts, strict=True):
            values = {str(name): float(value) for name, value in post.values.items()}
            new += records_of(segment, instant, values)
        now = recorder.clock.now()
        if self._stated is None or now - self._stated >= STATED_EVERY_NS:
            new.insert(0, segment)
            self._stated = now  # only now: what is refused above states nothing
        self._upload_segment = segment
        return new

    def _say_kept(self, done: str, what: Kept, by: str, record: Record) -> None:
        minutes = (what.end - what.begin) / 60e9
        cause = f"{minutes:.1f} min {done} by {by[:64]}: {what.why}"
        now = self._recorder.clock.now()
        self._save([record, Event(now, None, "kept", "store", cause)])

    def _save(self, records: Iterable[Record]) -> None:
        intake = self._recorder.intake
        intake.wait(intake.put(records), SAVED_WITHIN_S)
