"""
What opens a session: the pause since the last one, what the store found, and the ECG
file that the configuration names.
"""

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from edge import config
from edge.errors import InputError, SourceError
from edge.given import Line, Refused, file_name, read_file, records_of, segment_of
from edge.history import History
from edge.join import sample_times
from edge.ledger import Ledger
from edge.records import BoxNs, Event, Record, Segment, Session

BEGAN = "recording began"
ENDED = "recording ended"
"""The first event of a session, and the last of one that was stopped, not cut off."""

CUT_OFF = "the recorder was cut off: power, a crash or a kill"
UNFINISHED = " (unfinished)"
"""Behind the name of an ECG file of which not every line is stored yet."""
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
    session, segments = sessions[-1], history.segments().values()
    # Known at once where no board ever sent, however much was uploaded.
    if not any((one.session, one.source) == (session.id, "serial") for one in segments):
        return session.started
    until = BoxNs(last + 1)
    chunk = history.latest_chunk(session.id, "serial", session.started, until)
    if chunk is None:
        return session.started
    times = sample_times(chunk).tolist()
    return BoxNs(times[-1] + (times[-1] - times[0]) // max(len(times) - 1, 1))


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
    ledger: Ledger,
    session: int,
    new_segment: Callable[[], int],
    now: BoxNs,
) -> Iterator[list[Record]]:
    """
    Yield the records of the configured ECG file, line by line, unless an earlier start
    had all of it; one that an earlier start was cut off in is gone on with. What
    became of it is an event of *now*.
    """
    path = Path(settings.ecg.file)
    try:
        name = file_name(path)
        there = {segment.board: segment for segment in history.segments().values()}
        if name in there:
            return
        begun = there.get(name + UNFINISHED)
        segment = begun or segment_of(new_segment(), session, "file")
        lines = read_file(path, settings.box.time_zone)
        stored = functools.partial(holds, history, segment.id) if begun else None
        yield from loaded(segment._replace(board=name), lines, ledger, now, stored)
    except SourceError as error:
        yield [Event(now, None, "state", "ecg", str(error))]


def holds(history: History, segment: int, instant: BoxNs) -> bool:
    """Return whether *history* has a chunk of *segment* that starts at *instant*."""
    return any(
        (chunk.segment, chunk.start) == (segment, instant)
        for chunk in history.chunks(instant, BoxNs(instant + 1))
    )


def loaded(
    segment: Segment,
    lines: Iterable[Line | Refused],
    ledger: Ledger,
    now: BoxNs,
    stored: Callable[[BoxNs], bool] | None = None,
) -> Iterator[list[Record]]:
    """
    Yield *segment*, the records of each of a file's *lines*, and what became of them.

    Lines are stored in their order: those before the first whose instant is not
    *stored* are left out.
    """
    yield [segment._replace(board=segment.board + UNFINISHED)]
    kept = refused = 0
    first = ""
    for line in lines:
        try:
            if isinstance(line, Refused):
                raise InputError(line.cause)
            instant = ledger.box(line.utc)
            instant = BoxNs(instant - instant % 1000)
            records = records_of(segment, instant, line.values)
        except InputError as error:
            refused += 1
            first = first or f"first line {line.number}: {error}"
            continue
        kept += 1
        stored = stored if stored and stored(instant) else None
        # The chunk last: where it is stored, all of its line is.
        yield [] if stored else records[::-1]
    yield [segment, became(segment, kept, refused, first, now)]


def became(segment: Segment, kept: int, refused: int, first: str, now: BoxNs) -> Event:
    """Return the event that says what became of the lines of the file of *segment*."""
    file, _, _ = segment.board.rpartition(" ")
    cause = f"{kept} ECG records loaded from {file}"
    if refused:
        lines_refused = "1 line" if refused == 1 else f"{refused} lines"
        cause += f"; {lines_refused} refused, {first}"
    detail: dict[str, object] = {"loaded": kept, "refused": refused}
    return Event(now, None, "state", "ecg", cause, detail)
