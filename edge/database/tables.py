"""The tables of timed rows: what a reader has to know of each."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from edge.database.rows import event_of, reading_of, vital_of
from edge.database.signals import chunk_of, pose_of
from edge.database.sums import Row
from edge.records import Pose, Record

Kind = Literal["chunks", "poses", "vitals", "events", "clock_readings"]


class Table(NamedTuple):
    """How one table of timed rows is read."""

    time: str  # the column that orders it
    last: str  # the expression of the last instant a row covers
    columns: str  # those of a row, then those of its origin
    source: str  # FROM …
    build: Callable[[Row], Record]


def built_pose(row: Row) -> Pose:
    """Return the pose of a row and its origin's five values behind it."""
    return pose_of(row[:-5], row[-5:])


TABLES: dict[Kind, Table] = {
    "chunks": Table(
        "start",
        "last",
        "segment, start, last, period_ns, uncertainty_ns, samples, codes, counts, "
        "offsets_us, reasons, crc",
        "chunks AS t",
        chunk_of,
    ),
    "poses": Table(
        "exposed",
        "exposed",
        "exposed, uncertainty_ns, state, keypoints, width, height, inference_ms, "
        "picture, crc, stamp, source, rotation, model, device",
        "poses AS t LEFT JOIN pose_origins AS o ON o.id = t.origin",
        built_pose,
    ),
    "vitals": Table(
        "sampled",
        "sampled",
        "sampled, name, value, reason, source, derived, crc",
        "vitals AS t",
        vital_of,
    ),
    "events": Table(
        "began",
        "coalesce(ended, began)",
        "began, ended, kind, stream, cause, detail, crc",
        "events AS t",
        event_of,
    ),
    "clock_readings": Table(
        "box",
        "box",
        "session, box, utc, synchronised, step_ns, crc",
        "clock_readings AS t",
        reading_of,
    ),
}
