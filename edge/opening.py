"""
What opens a session: the pause since the last one, what the store found, and the ECG
file that the configuration names.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from edge import config
from edge.errors import InputError, SourceError
from edge.given import Line, Refused, file_name, read_file, records_of, segment_of
from edge.history import History
from edge.ledger import Ledger
from edge.records import BoxNs, EcgChunk, Event, Record, Segment, Session

BEGAN = "recording began"
ENDED = "recording ended"
"""The first event of a session, and the last of one that was stopped, not cut off."""

CUT_OFF = "the recorder was cut off: power, a crash or a kill"
LATELY_NS = 60_000_000_000
"""The last event of a session is at most so far from the newest instant stored."""


def edge_of_session(cause: str, now: BoxNs) -> Event:
    """Return the event that a session began or ended *now*."""
    return Event(now, None, "session", "", cause)


def pause_before(
    history: History, last: BoxNs | None, started: BoxNs
) -> tuple[Event, ...]:
    """Return the gap between the session before and the one *started* now, if any."""
    if last is None:
        return ()
    lately = history.events(BoxNs(last - LATELY_NS), started)
    causes = [event.cause for event in lately if event.kind == "session"]
    cut_off = not causes or causes[-1] != ENDED
    cause = CUT_OFF if cut_off else "no recorder was running"
    return (Event(last, started, "gap", "", cause),)


def notices_of(opening: Iterable[str], now: BoxNs) -> list[Event]:
    """Return what the store said when it opened, as events."""
    return [Event(now, None, "state", "store", notice) for notice in opening]


def file_records(
    settings: config.Settings,
    history: History,
    session: Session,
    new_segment: Callable[[], int],
) -> list[Record]:
    """Return the records of the configured ECG file, unless an earlier start had it."""
    if not settings.ecg.file:
        return []
    path = Path(settings.ecg.file)
    try:
        name = file_name(path)
    except SourceError as error:
        return [Event(session.started, None, "state", "ecg", str(error))]
    if name in {segment.board for segment in history.segments().values()}:
        return []
    segment = segment_of(new_segment(), session.id, "file", name)
    lines = read_file(path, settings.box.time_zone)
    ledger = Ledger(history.clock_readings(), history.sessions())
    return loaded(segment, lines, ledger, session.started)


def loaded(
    segment: Segment, lines: Iterable[Line | Refused], ledger: Ledger, now: BoxNs
) -> list[Record]:
    """Return *segment*, the records of a file's *lines*, and what became of them."""
    records: list[Record] = [segment]
    refused: list[Refused] = []
    for line in lines:
        if isinstance(line, Refused):
            refused.append(line)
            continue
        instant = ledger.box(line.utc)
        try:
            records += records_of(segment, BoxNs(instant - instant % 1000), line.values)
        except InputError as error:
            refused.append(Refused(line.number, str(error)))
    kept = sum(isinstance(record, EcgChunk) for record in records)
    cause = f"{kept} ECG records loaded from {segment.board.split()[0]}"
    if refused:
        first = refused[0]
        cause += (
            f"; {len(refused)} lines refused, first line {first.number}: {first.cause}"
        )
    detail: dict[str, object] = {"loaded": kept, "refused": len(refused)}
    return [*records, Event(now, None, "state", "ecg", cause, detail)]
