"""
What opens a session: the pause since the last one, what the store found, and the ECG
file that the configuration names.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from edge import config
from edge.errors import InputError, SourceError
from edge.given import Line, Refused, file_name, read_file, records_of, segment_of
from edge.history import History
from edge.join import sample_times
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
    """
    Return what is missing between the session before and the one *started* now.

    One gap of everything from the newest instant stored, *last*; before it one of the
    ECG alone, if its last sample is older than that.
    """
    if last is None:
        return ()
    due = ecg_due(history, last)
    since = min(due or last, BoxNs(last - LATELY_NS))
    lately = list(history.events(since, started))
    causes = [event.cause for event in lately if event.kind == "session"]
    cut_off = not causes or causes[-1] != ENDED
    cause = CUT_OFF if cut_off else "no recorder was running"
    pause = Event(last, started, "gap", "", cause)
    if due is None or due >= last:
        return (pause,)
    return (Event(due, last, "gap", "ecg", why_no_ecg(lately, cause)), pause)


def pause_unread(last: BoxNs | None, started: BoxNs, why: str) -> tuple[Event, ...]:
    """Return the pause since *last* where *why* the recording before is not known."""
    if last is None:
        return ()
    cause = f"no recorder was running; what it recorded before is not known: {why}"
    return (Event(last, started, "gap", "", cause),)


def ecg_due(history: History, last: BoxNs) -> BoxNs | None:
    """
    Return when the first sample was due that the newest session does not have.

    ``None`` where it was to have none, or nothing is known of it. *last* is the newest
    instant stored.
    """
    sessions = history.sessions()
    if not sessions or not has_board(sessions[-1]):
        return None
    session, segments = sessions[-1], history.segments()
    for chunk in history.chunks_before(BoxNs(last + 1)):
        if chunk.start < session.started:
            break
        segment = segments.get(chunk.segment)
        if segment and segment.session == session.id and segment.source == "serial":
            times = sample_times(chunk).tolist()
            return BoxNs(times[-1] + (times[-1] - times[0]) // max(len(times) - 1, 1))
    return session.started


def has_board(session: Session) -> bool:
    """Return whether *session* was configured to record an ECG board."""
    try:
        source = json.loads(session.configuration)["ecg"]["source"]
    except (ValueError, KeyError, TypeError):
        return False
    return bool(source != "none")


def why_no_ecg(lately: Iterable[Event], cause: str) -> str:
    """Return what the ECG's last state said, *cause* if it was well."""
    states = [
        event for event in lately if event.kind == "state" and "to" in event.detail
    ]
    of_ecg = [event for event in states if event.stream == "ecg"]
    if of_ecg and of_ecg[-1].detail["to"] != "ok":
        return of_ecg[-1].cause
    return cause


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
        if name in {segment.board for segment in history.segments().values()}:
            return []
        segment = segment_of(new_segment(), session.id, "file", name)
        lines = read_file(path, settings.box.time_zone)
        ledger = Ledger(history.clock_readings(), history.sessions())
        return loaded(segment, lines, ledger, session.started)
    except SourceError as error:
        return [Event(session.started, None, "state", "ecg", str(error))]


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
    file, _, _ = segment.board.rpartition(" ")
    cause = f"{kept} ECG records loaded from {file}"
    if refused:
        first = refused[0]
        lines_refused = "1 line" if len(refused) == 1 else f"{len(refused)} lines"
        cause += f"; {lines_refused} refused, first line {first.number}: {first.cause}"
    detail: dict[str, object] = {"loaded": kept, "refused": len(refused)}
    return [*records, Event(now, None, "state", "ecg", cause, detail)]
