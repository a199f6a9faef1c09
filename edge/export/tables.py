"""
The tables of an export as blocks of text: every ECG sample, vitals, events.

Each table is a header and a stream of blocks that are made and forgotten one by one.
Instants are given twice: `timestamp` is UTC for people; `…box_s` and `…box_ns`, the
whole seconds and the nanoseconds within them, are box time, which never steps and
which orders and joins everything. Two numbers, because one of 19 digits does not
survive a spreadsheet.
"""

import codecs
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.export import cells
from edge.export.cells import Cells, Whole
from edge.export.recording import Recording
from edge.join import sample_times
from edge.join.columns import SUBJECT, Column, texts
from edge.ledger import Dates
from edge.records import MISSING, VITALS, BoxNs, EcgChunk, Event, Segment, Vital

BLOCK_ROWS = 16_384
"""ECG samples formatted at once: about 1.5 MB of text, within a processor's cache."""

FEW_ROWS = 2_000
"""Vitals or events formatted at once."""

NS_PER_MS = 1_000_000
FEWEST_DECIMALS, MOST_DECIMALS = 3, 9
"""Of a value in millivolts."""

T = TypeVar("T")


class Block(NamedTuple):
    """Some rows of a table."""

    text: bytes | bytearray  # whole lines
    rows: int
    until: BoxNs  # box time it reaches


class Table(NamedTuple):
    """A table of an export, of one recording."""

    name: str  # of its file, without ".csv"
    about: str  # one sentence for the data dictionary
    columns: tuple[Column, ...]
    blocks: Callable[[], Iterator[Block]]
    prose: bool = False  # holds what people wrote, in any language

    @property
    def header(self) -> bytes:
        """
        The first line of each part.

        Where there is prose a byte order mark goes ahead, without which spreadsheets
        take UTF-8 for the code page of the PC; elsewhere it would trip scripts.
        """
        mark = codecs.BOM_UTF8 if self.prose else b""
        return mark + cells.header([column.name for column in self.columns])


INSTANT: tuple[Column, ...] = (
    Column("timestamp", "", "%s", "UTC, with its zone"),
    Column("box_s", "s", "%d", "box time, whole seconds: never steps or goes back"),
    Column("box_ns", "ns", "%d", "box time, nanoseconds within the second"),
    Column("clock_synchronised", "", "%s", "True: UTC comes from a time server"),
    Column("session", "", "%d", "number of the recorder's run"),
)


def ecg(recording: Recording) -> Table:
    """Return every ECG sample of *recording*, in the order of their chunks."""
    leads = recording.leads
    columns = (
        *INSTANT,
        Column("uncertainty_ms", "ms", "%.3f", "the instant is this sure, ±"),
        Column("segment", "", "%d", "number of the stretch without interruption"),
        *(Column(f"{lead}_mv", "mV", "%.3f", f"lead {lead}") for lead in leads),
        Column("reasons", "", "%s", "why leads have no value, as lead:reason"),
        SUBJECT,
    )
    about = "Every sample of the ECG, from all boards, uploads and files."
    return Table("ecg", about, columns, lambda: ecg_blocks(recording, leads))


def ecg_blocks(recording: Recording, leads: Sequence[str]) -> Iterator[Block]:
    """Yield the rows of the ECG table."""
    for segment, chunks in batches(recording):
        times = np.concatenate([sample_times(chunk) for chunk in chunks])
        counts = np.concatenate([chunk.counts for chunk in chunks])
        kept = (times >= recording.begin) & (times < recording.end)
        lengths = [len(chunk.counts) for chunk in chunks]
        owner = np.repeat(np.arange(len(chunks)), lengths)
        if not kept.all():
            times, counts, owner = times[kept], counts[kept], owner[kept]
        if len(times):
            yield ecg_block(recording, leads, segment, chunks, times, counts, owner)


def batches(recording: Recording) -> Iterator[tuple[Segment, list[EcgChunk]]]:
    """Yield chunks of one segment that follow each other, some block of rows long."""
    batch: list[EcgChunk] = []
    rows = 0
    for chunk in recording.chunks():
        other = batch and batch[0].segment != chunk.segment
        if batch and (other or rows + len(chunk.counts) > BLOCK_ROWS):
            yield recording.segments[batch[0].segment], batch
            batch, rows = [], 0
        batch.append(chunk)
        rows += len(chunk.counts)
    if batch:
        yield recording.segments[batch[0].segment], batch


def ecg_block(
    recording: Recording,
    leads: Sequence[str],
    segment: Segment,
    chunks: list[EcgChunk],
    times: Whole,
    counts: NDArray[np.int32],
    owner: NDArray[np.intp],
) -> Block:
    """Return rows of *segment*; *owner* says which of *chunks* each sample is from."""
    rows = len(times)
    sure = np.array([chunk.uncertainty_ns for chunk in chunks], np.int64)
    dated = recording.ledger.date(times)
    columns = instant_cells(recording, times, dated)
    columns.append(milliseconds(sure)[owner])
    columns.append(cells.same(str(segment.id), rows))
    for lead in leads:
        if lead in segment.leads:
            place = segment.leads.index(lead)
            columns.append(millivolts(counts[:, place], segment, place))
        else:
            columns.append(cells.nothing(rows))
    columns.append(reason_cells({segment.id: segment}, chunks, counts, owner))
    columns.append(subject_cells(recording, dated.session))
    return Block(cells.lines(columns), rows, BoxNs(int(times[-1])))


def millivolts(counts: NDArray[np.int32], segment: Segment, place: int) -> Cells:
    """
    Return *counts* of the lead at *place* in millivolts.

    With so many decimals that rounding value × gain + baseline gives the count back.
    """
    gain, baseline = segment.gain[place], segment.baseline[place]
    decimals = decimals_of(gain)
    missing = counts == MISSING
    values = (counts.astype(np.float64) - baseline) * (10.0**decimals / gain)
    return cells.fixed(
        np.rint(values).astype(np.int64), decimals, missing if missing.any() else None
    )


def decimals_of(gain: float) -> int:
    """Return the decimals that tell neighbouring counts apart at *gain* per mV."""
    needed = math.ceil(math.log10(2 * abs(gain))) if gain else 0
    return min(max(needed, FEWEST_DECIMALS), MOST_DECIMALS)


def reason_cells(
    segments: Mapping[int, Segment],
    chunks: Sequence[EcgChunk],
    counts: NDArray[np.int32],
    owner: NDArray[np.intp],
) -> Cells:
    """
    Return why values are missing in each row of *counts*, which is of the chunk that
    *owner* names. A chunk's reasons are of those of its samples that have no value.
    """
    given = np.array([any(chunk.reasons) for chunk in chunks], np.bool_)
    told = np.flatnonzero(given[owner] & (counts == MISSING).any(axis=1))
    if not len(told):
        return cells.nothing(len(owner))
    missing = counts[told] == MISSING
    kind = owner[told]
    for lead in missing.T:
        _, first, kind = np.unique(
            2 * kind + lead, return_index=True, return_inverse=True
        )
    texts = [
        reasons(segments[chunk.segment], chunk.reasons, missing[row].tolist())
        for row in first.tolist()
        for chunk in (chunks[owner[told[row]]],)
    ]
    place = np.zeros(len(owner), np.intp)
    place[told] = kind + 1
    return cells.texts(["", *texts])[place]


def reasons(segment: Segment, given: Sequence[str], missing: Sequence[bool]) -> str:
    """Return *given* of the *missing* leads as ``lead:reason``, blanks between."""
    known = zip(segment.leads, given, missing, strict=False)
    return " ".join(
        f"{lead}:{reason}" for lead, reason, gone in known if gone and reason
    )


def vitals(recording: Recording) -> Table:
    """Return the vitals of *recording*."""
    columns = (
        *INSTANT,
        *texts(
            name="which vital",
            value="empty where there is none",
            unit="of the value",
            reason="why there is no value",
            source="serial, upload, file or camera",
            derived="True: computed by the box, not sent to it",
        ),
    )
    about = "Heart rate, blood pressure, oxygen saturation and their like, as stated."
    return Table("vitals", about, columns, lambda: vital_blocks(recording))


def vital_blocks(recording: Recording) -> Iterator[Block]:
    """Yield the rows of the vitals table."""
    for batch in batched(recording.vitals(), FEW_ROWS):
        times = [vital.sampled for vital in batch]
        yield dated_block(recording, times, vital_cells(batch))


def vital_cells(batch: Sequence[Vital]) -> list[Cells]:
    """Return the columns of the vitals *batch* behind the instant."""
    return [
        cells.texts([vital.name for vital in batch]),
        cells.numbers([vital.value for vital in batch]),
        cells.texts([VITALS.get(vital.name, "") for vital in batch]),
        cells.texts([vital.reason for vital in batch]),
        cells.texts([vital.source for vital in batch]),
        cells.truths(np.array([vital.derived for vital in batch], np.bool_)),
    ]


def events(recording: Recording) -> Table:
    """Return the gaps, state changes, clock steps, markers … of *recording*."""
    columns = (
        *INSTANT,
        Column("ended_timestamp", "", "%s", "UTC of its end; empty for an instant"),
        Column("ended_box_s", "s", "%d", "box time of its end, whole seconds"),
        Column("ended_box_ns", "ns", "%d", "box time of its end, rest"),
        Column("duration_s", "s", "%.3f", "what passed, also while the box was off"),
        *texts(
            kind="gap, state, clock step, drop, marker, export, …",
            stream="what it concerns: ecg, camera, pose, clock, …",
            cause="one sentence",
            detail="numbers for programs, as JSON",
        ),
    )
    about = "Gaps with their causes, state changes, clock steps, markers, exports."
    return Table("events", about, columns, lambda: event_blocks(recording), prose=True)


def event_blocks(recording: Recording) -> Iterator[Block]:
    """Yield the rows of the events table."""
    for batch in batched(recording.events(), FEW_ROWS):
        began = [event.began for event in batch]
        yield dated_block(recording, began, event_cells(recording, batch))


def event_cells(recording: Recording, batch: Sequence[Event]) -> list[Cells]:
    """Return the columns of the events *batch* behind the instant."""
    instant = np.array([event.ended is None for event in batch], np.bool_)
    ended = np.array([event.ended or 0 for event in batch], np.int64)
    began = np.array([event.began for event in batch], np.int64)
    utc, seconds, rest, *_ = instant_cells(
        recording, ended, recording.ledger.date(ended)
    )
    even = recording.ledger.even
    lasting = np.where(
        instant, 0, np.maximum(even(ended) - even(began), 0) // NS_PER_MS
    )
    shown = [veiled(event) if recording.veil else event for event in batch]
    return [
        cells.blanked(utc, instant),
        cells.blanked(seconds, instant),
        cells.blanked(rest, instant),
        cells.fixed(lasting, 3, instant),
        cells.texts([event.kind for event in shown]),
        cells.texts([event.stream for event in shown]),
        cells.texts([event.cause for event in shown]),
        cells.texts([detail_text(event) for event in shown]),
    ]


def veiled(event: Event) -> Event:
    """Return *event* without what a person wrote and what could tell when or who."""
    # Alone among the states of the ECG, what is said of [ecg] file leads to none: it
    # tells the file's name and quotes its lines.
    of_file = (event.kind, event.stream) == (
        "state",
        "ecg",
    ) and "to" not in event.detail
    if event.kind in ("gap", "state", "drop", "session") and not of_file:
        return event._replace(detail={})
    return event._replace(cause="", detail={})


def detail_text(event: Event) -> str:
    """Return the detail of *event* as JSON, nothing for none."""
    if not event.detail:
        return ""
    return json.dumps(event.detail, sort_keys=True, ensure_ascii=False, default=str)


def dated_block(
    recording: Recording, times: Sequence[BoxNs], columns: list[Cells]
) -> Block:
    """Return rows of *columns* with the instants *times* in front."""
    box = np.array(times, np.int64)
    instants = instant_cells(recording, box, recording.ledger.date(box))
    return Block(cells.lines(instants + columns), len(times), times[-1])


def instant_cells(recording: Recording, box: Whole, dated: Dates) -> list[Cells]:
    """Return the columns of INSTANT for *box* times, *dated* by the ledger."""
    moved = box + recording.shift_ns
    seconds = moved // cells.SECOND_NS
    return [
        cells.instants(dated.utc + recording.shift_ns),
        cells.whole(seconds),
        cells.whole(moved - seconds * cells.SECOND_NS),
        cells.truths(dated.synchronised),
        cells.whole(dated.session),
    ]


def subject_cells(recording: Recording, session: Whole) -> Cells:
    """Return the column of whose each row is, by its *session*; of one row at least."""
    if (session == session[0]).all():
        (code,) = recording.ledger.subjects(session[:1])
        return cells.same(code, len(session))
    distinct, place = np.unique(session, return_inverse=True)
    return cells.texts(recording.ledger.subjects(distinct))[place]


def milliseconds(ns: Whole) -> Cells:
    """Return *ns* as milliseconds with three decimals."""
    return cells.fixed((ns + 500) // 1000, 3)


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield *values* in lists of up to *size*."""
    source = iter(values)
    while batch := list(islice(source, size)):
        yield batch
