"""Sessions, segments, vitals, events and clock readings as rows, and back."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from edge.database.sums import Row, Value, check, real, summed, text, whole
from edge.records import BoxNs, ClockReading, Event, Segment, Session, UtcNs, Vital


def put(record: Iterable[object], forms: tuple[Callable[[Any], Value], ...]) -> Row:
    """Return the row of *record*: each field as its one of *forms* makes it."""
    fields = zip(forms, record, strict=True)
    return summed(tuple(form(field) for form, field in fields))


def names(values: Iterable[str]) -> str:
    """Return *values* as JSON."""
    return json.dumps(list(values))


def reals(values: Iterable[float]) -> str:
    """Return *values* as JSON numbers with a fraction."""
    return json.dumps([float(value) for value in values])


def wholes(values: Iterable[int]) -> str:
    """Return *values* as JSON whole numbers."""
    return json.dumps([int(value) for value in values])


def mapping(values: Mapping[str, object]) -> str:
    """Return *values* as JSON; what JSON does not know becomes text."""
    return json.dumps(values, default=str)


def whole_or_none(value: int | None) -> int | None:
    """Return *value* as `whole` does, nothing for nothing."""
    return None if value is None else whole(value)


def real_or_none(value: float | None) -> float | None:
    """Return *value* as `real` does, nothing for nothing."""
    return None if value is None else real(value)


# Sessions: id, boot_id, started, offset_ns, version, subject, configuration, crc


def session_row(session: Session) -> Row:
    """Return the row of *session*."""
    return put(session, (whole, text, whole, whole, text, text, text))


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
    forms = (whole, whole, text, text, names, reals, wholes, real, int, text)
    return put(segment, forms)


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
    if vital.value is not None and math.isnan(vital.value):
        vital = vital._replace(value=None, reason=vital.reason or "out_of_range")
    return put(vital, (whole, text, real_or_none, text, text, int))


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
    return put(event, (whole, whole_or_none, text, text, text, mapping))


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
    return put(reading, (whole, whole, whole, int, whole))


def reading_of(row: Row) -> ClockReading:
    """
    Return the clock reading that *row* holds.

    :raises Damaged: if it is not as it was written
    """
    check(row)
    session, box, utc, synchronised, step_ns, _ = cast(tuple[int, ...], row)
    return ClockReading(session, BoxNs(box), UtcNs(utc), bool(synchronised), step_ns)
