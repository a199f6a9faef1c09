"""Sessions, segments, vitals, events and clock readings as rows, and back."""

import json
import math
from typing import cast

from edge.database.sums import Row, check, real, summed, text, whole
from edge.records import BoxNs, ClockReading, Event, Segment, Session, UtcNs, Vital

# Sessions: id, boot_id, started, offset_ns, version, subject, configuration, crc


def session_row(session: Session) -> Row:
    """Return the row of *session*."""
    return summed(
        (
            whole(session.id),
            text(session.boot_id),
            whole(session.started),
            whole(session.offset_ns),
            text(session.version),
            text(session.subject),
            text(session.configuration),
        )
    )


def session_of(row: Row) -> Session:
    """
    Return the session that *row* holds.

    :raises Damaged: if it is not as it was written
    """
    check(row)
    return Session._make(row[:-1])


# Segments: id, session, source, board, leads, gain, baseline, sampling_rate_hz,
# checked, stamp, crc


def segment_row(segment: Segment) -> Row:
    """Return the row of *segment*."""
    return summed(
        (
            whole(segment.id),
            whole(segment.session),
            text(segment.source),
            text(segment.board),
            json.dumps(list(segment.leads)),
            json.dumps([float(value) for value in segment.gain]),
            json.dumps([int(value) for value in segment.baseline]),
            real(segment.sampling_rate_hz),
            int(segment.checked),
            text(segment.stamp),
        )
    )


def segment_of(row: Row) -> Segment:
    """
    Return the segment that *row* holds.

    :raises Damaged: if it is not as it was written
    """
    check(row)
    fields = Segment._make(row[:-1])
    return fields._replace(
        leads=tuple(json.loads(cast(str, row[4]))),
        gain=tuple(json.loads(cast(str, row[5]))),
        baseline=tuple(json.loads(cast(str, row[6]))),
        checked=bool(fields.checked),
    )


# Vitals: sampled, name, value, reason, source, derived, crc


def vital_row(vital: Vital) -> Row:
    """Return the row of *vital*, without its id; not-a-number becomes no value."""
    value = None if vital.value is None else float(vital.value)
    reason = vital.reason
    if value is not None and math.isnan(value):
        value, reason = None, reason or "out_of_range"
    return summed(
        (
            whole(vital.sampled),
            text(vital.name),
            value,
            text(reason),
            text(vital.source),
            int(vital.derived),
        )
    )


def vital_of(row: Row) -> Vital:
    """
    Return the vital that *row* holds.

    :raises Damaged: if it is not as it was written
    """
    check(row)
    fields = Vital._make(row[:-1])
    return fields._replace(derived=bool(fields.derived))


# Events: began, ended, kind, stream, cause, detail, crc


def event_row(event: Event) -> Row:
    """Return the row of *event*, without its id."""
    return summed(
        (
            whole(event.began),
            None if event.ended is None else whole(event.ended),
            text(event.kind),
            text(event.stream),
            text(event.cause),
            json.dumps(event.detail, default=str),
        )
    )


def event_of(row: Row) -> Event:
    """
    Return the event that *row* holds.

    :raises Damaged: if it is not as it was written
    """
    check(row)
    fields = Event._make(row[:-1])
    return fields._replace(detail=json.loads(cast(str, row[5])))


# Clock readings: session, box, utc, synchronised, step_ns, crc


def reading_row(reading: ClockReading) -> Row:
    """Return the row of *reading*, without its id."""
    return summed(
        (
            whole(reading.session),
            whole(reading.box),
            whole(reading.utc),
            int(reading.synchronised),
            whole(reading.step_ns),
        )
    )


def reading_of(row: Row) -> ClockReading:
    """
    Return the clock reading that *row* holds.

    :raises Damaged: if it is not as it was written
    """
    check(row)
    session, box, utc, synchronised, step_ns, _ = cast(tuple[int, ...], row)
    return ClockReading(session, BoxNs(box), UtcNs(utc), bool(synchronised), step_ns)
