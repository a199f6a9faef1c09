"""Records as the rows of one transaction."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.database.rows import (
    event_row,
    reading_row,
    segment_row,
    session_row,
    vital_row,
)
from edge.database.signals import chunk_row, last_sample, pose_origin, pose_row
from edge.database.sums import Row, text, whole
from edge.records import (
    BoxNs,
    ClockReading,
    EcgChunk,
    Event,
    Kept,
    Pose,
    Record,
    Released,
    Segment,
    Session,
    Vital,
)

BROUGHT = ("upload", "file")
"""Sources whose instants were stated, not measured by this box's clock."""

ROW_BYTES = 64
"""What a row takes beside its blobs, index entries included, about."""

MOST_ROW_BYTES = 400
"""The same of the largest: a pose."""


UNFIT = (
    ValueError, OverflowError, TypeError, KeyError, AttributeError, RecursionError
)  # fmt: skip
"""What making a row of a record that no row can hold may raise."""


@dataclass
class Batch:
    """The rows of one transaction, by table, and what they amount to."""

    brought: dict[int, str]  # segments whose source is one of BROUGHT to it, shared
    sessions: list[Row] = field(default_factory=list)
    segments: list[Row] = field(default_factory=list)
    chunks: list[Row] = field(default_factory=list)
    poses: list[Row] = field(default_factory=list)
    origins: list[Row] = field(default_factory=list)  # one a pose
    vitals: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    clock_readings: list[Row] = field(default_factory=list)
    keeping: list[Row | int] = field(default_factory=list)  # to keep, to release
    samples: int = 0
    instants: int = 0
    posted: int = 0
    longest_chunk_ns: int = 0
    longest_event_ns: int = 0
    newest: BoxNs | None = None  # of what was recorded here
    started: BoxNs | None = None  # of the session that begins in it
    size_bytes: int = 0  # about what it takes in the file

    def add_session(self, session: Session) -> None:
        self.sessions.append(session_row(session))
        self.started = session.started
        self.reach(session.started)

    def add_segment(self, segment: Segment) -> None:
        self.segments.append(segment_row(segment))
        if segment.source in BROUGHT:
            self.brought[segment.id] = segment.source

    def add_chunk(self, chunk: EcgChunk) -> None:
        if not len(chunk.counts):
            return
        row = chunk_row(chunk)
        last = last_sample(chunk)
        self.chunks.append(row)
        self.samples += chunk.counts.size
        self.instants += len(chunk.counts)
        if self.brought.get(chunk.segment) == "upload":
            self.posted += len(chunk.counts)
        self.longest_chunk_ns = max(self.longest_chunk_ns, last - chunk.start)
        if chunk.segment not in self.brought:
            self.reach(last)
        self.size_bytes += sum(len(v) for v in row if isinstance(v, bytes))

    def add_pose(self, pose: Pose) -> None:
        origin = pose_origin(pose)
        row = pose_row(pose, origin)
        self.poses.append(row)
        self.origins.append(origin)
        if pose.source not in BROUGHT:
            self.reach(pose.exposed)
        self.size_bytes += 204

    def add_vital(self, vital: Vital) -> None:
        self.vitals.append(vital_row(vital))
        if vital.source not in BROUGHT:
            self.reach(vital.sampled)
        self.size_bytes += ROW_BYTES

    def add_event(self, event: Event) -> None:
        row = event_row(event)
        self.events.append(row)
        ended = event.began if event.ended is None else event.ended
        self.longest_event_ns = max(self.longest_event_ns, ended - event.began)
        self.size_bytes += sum(len(v) for v in row if isinstance(v, str))

    def add_reading(self, reading: ClockReading) -> None:
        self.clock_readings.append(reading_row(reading))
        self.reach(reading.box)

    def add_kept(self, kept: Kept) -> None:
        self.keeping.append((whole(kept.begin), whole(kept.end), text(kept.why)))

    def add_released(self, released: Released) -> None:
        self.keeping.append(whole(released.number))

    @property
    def rows(self) -> int:
        """How many timed rows it has."""
        timed = self.chunks, self.poses, self.vitals, self.events
        return sum(len(rows) for rows in timed)

    def reach(self, instant: BoxNs) -> None:
        """Take *instant* for the newest if it is."""
        if self.newest is None or instant > self.newest:
            self.newest = instant


ADD: dict[type, Callable[[Batch, Any], None]] = {
    Session: Batch.add_session,
    Segment: Batch.add_segment,
    EcgChunk: Batch.add_chunk,
    Pose: Batch.add_pose,
    Vital: Batch.add_vital,
    Event: Batch.add_event,
    ClockReading: Batch.add_reading,
    Kept: Batch.add_kept,
    Released: Batch.add_released,
}


def make_batch(records: Iterable[Record], brought: dict[int, str]) -> Batch:
    """
    Return the rows of *records*; *brought* are the uploaded segments by id, to which
    new ones are added.

    A record that no row can hold becomes an event that says so: refusing the whole
    batch would stop the recording for good, since it comes again.
    """
    batch = Batch(brought)
    for record in records:
        try:
            ADD[type(record)](batch, record)
        except UNFIT as why:
            batch.add_event(refusal(record, why, batch.newest))
        batch.size_bytes += ROW_BYTES
    return batch


def refusal(record: object, why: Exception, at: BoxNs | None) -> Event:
    """Return the event that says *record* could not be stored, and why."""
    kind = type(record).__name__
    cause = f"A record could not be stored ({kind}: {why}): please report this."
    return Event(at or BoxNs(0), None, "drop", "store", cause, {"record": kind})


def parts(records: list[Record], part_bytes: int) -> Iterator[list[Record]]:
    """Yield *records* in order in lists of about *part_bytes*."""
    part: list[Record] = []
    held_bytes = 0
    for record in records:
        part.append(record)
        held_bytes += weight_bytes(record)
        if held_bytes >= part_bytes:
            yield part
            part, held_bytes = [], 0
    if part:
        yield part


def weight_bytes(record: Record) -> int:
    """Return about what *record* takes in the file, at most."""
    if isinstance(record, EcgChunk) and isinstance(record.counts, np.ndarray):
        return MOST_ROW_BYTES + record.counts.nbytes
    if isinstance(record, Event):
        return MOST_ROW_BYTES + len(record.cause)
    return MOST_ROW_BYTES
