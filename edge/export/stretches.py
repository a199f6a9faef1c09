"""
The ECG as evenly sampled stretches, for formats that know a start and a rate only.

A stretch ends where the recording was interrupted for long, where leads or gain change,
where a file of it would be too large, and after an hour: its rate is the one that was
measured over it, so that a crystal that is off by 50 ppm is off by nothing, and one
that drifts is off by milliseconds. Short gaps are filled with MISSING and told as
notes. What came one by one, at no rate, has no place in such a format.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.export.losses import Losses
from edge.export.output import LARGEST_PART
from edge.export.recording import Recording
from edge.export.tables import veiled
from edge.join import sample_times
from edge.records import MISSING, BoxNs, EcgChunk, Event, Segment

SECOND_NS = 1_000_000_000
LONGEST_NS = 3600 * SECOND_NS
LONGEST_FILLED_NS = 10 * SECOND_NS
SLACK = 2.5
"""Samples by which a chunk may be early or late and still follow the one before, or
what was lost before it."""

WIDEST = 4
"""Bytes that a count takes in any format."""

Counts = NDArray[np.int32]
"""Shape (samples, leads); MISSING where there is no value."""


class Note(NamedTuple):
    """Something a reader of the signals has to know."""

    sample: int  # of the stretch, where it begins
    samples: int  # how long it lasts; 0 for an instant
    text: str


@dataclass
class Stretch:
    """Evenly sampled ECG of one segment: what is known before its samples are read."""

    segment: Segment
    start: BoxNs
    samples: int = 0  # with what is filled in
    present: int = 0  # of them, those that were recorded
    left: int = 0  # of these, those that had left the recording when they were `read`
    last: int = 0  # box time of the last sample
    lowest: int = 0  # count, MISSING left out
    highest: int = 0
    notes: list[Note] = field(default_factory=list)
    newest: dict[str, int] = field(default_factory=dict)  # note of a text, by its place

    @property
    def period_ns(self) -> float:
        """The measured time between samples; the nominal one of a single sample."""
        if self.samples < 2:
            return SECOND_NS / self.segment.sampling_rate_hz
        return (self.last - self.start) / (self.samples - 1)

    @property
    def rate_hz(self) -> float:
        """The measured sampling rate."""
        return SECOND_NS / self.period_ns


class Plan(NamedTuple):
    """All stretches of a recording, in order of their start."""

    stretches: list[Stretch]
    uneven: int  # samples without a rate, which no stretch holds

    def remarks(self, files: str) -> list[str]:
        """Return what *files* lack, once all stretches were `read`."""
        left = sum(stretch.left for stretch in self.stretches)
        said = []
        if left:
            said.append(
                f"{left} ECG samples left the recording while this was exported: they "
                f"have no value in the {files}, though the manifest may count them"
            )
        if self.uneven:
            said.append(
                f"{self.uneven} ECG samples that came at no even rate are not in the "
                f"{files}; the CSV tables have them"
            )
        return said


class Piece(NamedTuple):
    """The samples of one chunk that lie in the recording's stretch."""

    times: NDArray[np.int64]  # box time of each
    period_ns: float
    counts: Counts

    @property
    def first(self) -> int:
        """Box time of the first sample."""
        return int(self.times[0])

    @property
    def last(self) -> int:
        """Box time of the last sample."""
        return int(self.times[-1])

    def part(self, begin: int, end: int | None = None) -> "Piece":
        """Return the samples from number *begin* up to *end*."""
        cut = slice(begin, end)
        return Piece(self.times[cut], self.period_ns, self.counts[cut])


class Grid:
    """Where on an even grid the pieces of a stretch belong, one after the other."""

    def __init__(self, first: int, losses: Losses) -> None:
        self.place = 0  # the next sample's
        self._due = self._last = float(first)
        self._losses = losses

    def missing(self, piece: Piece) -> int:
        """Return how many samples are missing before *piece*; below 0: it overlaps."""
        late = (piece.first - self._due) / piece.period_ns
        lost = self._losses.between(self._last, piece.first + piece.period_ns / 2)
        return lost if abs(late - lost) <= SLACK else round(late)

    def take(self, piece: Piece, missing: int) -> int:
        """Return the place of *piece* behind *missing* samples, and go on after it."""
        at = self.place + missing
        self.place = at + len(piece.counts)
        self._due = piece.last + piece.period_ns
        self._last = piece.last + piece.period_ns / 2
        return at


def plan(recording: Recording, limit: int = LARGEST_PART) -> Plan:
    """
    Return the stretches of *recording*, having read it once.

    A file of each is smaller than *limit*: half of that is for header and notes.
    """
    stretches: list[Stretch] = []
    newest: dict[int, tuple[Stretch, Grid]] = {}
    uneven = 0
    for chunk in recording.chunks():
        segment = recording.segments[chunk.segment]
        piece = piece_of(chunk, segment, recording.begin, recording.end)
        if piece is None:
            continue
        if chunk.offsets_us is not None or segment.sampling_rate_hz <= 0:
            uneven += len(piece.counts)
            continue
        known = newest.get(segment.id)
        room = room_for(piece, *known, limit) if known else 0
        if known and room:
            add(*known, piece.part(0, room), chunk.reasons)
        if room < len(piece.counts):
            piece = piece.part(room)
            stretches.append(Stretch(segment, BoxNs(piece.first)))
            newest[segment.id] = stretches[-1], Grid(piece.first, recording.losses)
            add(*newest[segment.id], piece, chunk.reasons)
    return Plan(stretches, uneven)


def room_for(piece: Piece, stretch: Stretch, grid: Grid, limit: int) -> int:
    """
    Return how many samples of *piece* still belong to *stretch*: when it is full, those
    that it lacks to a whole record, since records must not overlap.
    """
    most = limit // 2 // (WIDEST * len(stretch.segment.leads))
    missing = grid.missing(piece)
    if not 0 <= missing * piece.period_ns <= LONGEST_FILLED_NS:
        return 0
    place, samples = grid.place + missing, len(piece.counts)
    if place + samples <= most and piece.last - stretch.start < LONGEST_NS:
        return samples
    return min(-place % record_samples(stretch.segment), samples)


def record_samples(segment: Segment) -> int:
    """Return the samples of a record, about a second, for formats that have records."""
    return max(round(segment.sampling_rate_hz), 1)


def add(stretch: Stretch, grid: Grid, piece: Piece, reasons: tuple[str, ...]) -> None:
    """Count *piece* and what is missing before and in it."""
    missing = grid.missing(piece)
    at = grid.take(piece, missing)
    if missing:
        stretch.notes.append(Note(at - missing, missing, "gap"))
    for lead, reason in zip(stretch.segment.leads, reasons, strict=False):
        if reason:
            note_missing(stretch, at, len(piece.counts), f"{lead} {reason}")
    present = piece.counts[piece.counts != MISSING]
    if present.size:
        stretch.lowest = min(stretch.lowest, int(present.min()))
        stretch.highest = max(stretch.highest, int(present.max()))
    stretch.samples = grid.place
    stretch.present += len(piece.counts)
    stretch.last = piece.last


def note_missing(stretch: Stretch, at: int, samples: int, text: str) -> None:
    """Note why a lead has no values from *at* on, in one note as long as it lasts."""
    place = stretch.newest.get(text)
    if place is not None:
        note = stretch.notes[place]
        if note.sample + note.samples == at:
            stretch.notes[place] = note._replace(samples=note.samples + samples)
            return
    stretch.newest[text] = len(stretch.notes)
    stretch.notes.append(Note(at, samples, text))


def piece_of(chunk: EcgChunk, segment: Segment, begin: int, end: int) -> Piece | None:
    """Return what of *chunk* lies in [*begin*, *end*), ``None`` if nothing does."""
    times = sample_times(chunk)
    inside = (times >= begin) & (times < end)
    if not inside.any():
        return None
    times = times[inside]
    # A single sample may come without a period.
    period_ns = chunk.period_ns or SECOND_NS / (segment.sampling_rate_hz or 1.0)
    return Piece(times, period_ns, chunk.counts[inside])


def read(recording: Recording, stretch: Stretch) -> Iterator[Counts]:
    """
    Yield the counts of *stretch* in order, as many as were planned.

    What has left the recording since then is MISSING too, and counted in the stretch.
    """
    leads = len(stretch.segment.leads)
    came = 0
    grid = Grid(stretch.start, recording.losses)
    end = BoxNs(stretch.last + 1)
    for chunk in recording.history.chunks(stretch.start, end):
        if chunk.segment != stretch.segment.id:
            continue
        piece = piece_of(chunk, stretch.segment, stretch.start, end)
        if piece is None:
            continue
        missing = max(grid.missing(piece), 0)
        if missing:
            yield np.full((missing, leads), MISSING, np.int32)
        at = grid.take(piece, missing)
        counts = piece.counts[: stretch.samples - at]
        came += len(counts)
        yield counts
    stretch.left = max(stretch.present - came, 0)
    if grid.place < stretch.samples:
        yield np.full((stretch.samples - grid.place, leads), MISSING, np.int32)


def even_blocks(pieces: Iterator[Counts], size: int) -> Iterator[Counts]:
    """Yield *pieces* cut into blocks of *size* samples; the last may be shorter."""
    held: list[Counts] = []
    waiting = 0
    for piece in pieces:
        held.append(piece)
        waiting += len(piece)
        if waiting < size:
            continue
        whole = np.concatenate(held)
        full = waiting - waiting % size
        for at in range(0, full, size):
            yield whole[at : at + size]
        held, waiting = [whole[full:]], waiting - full
    if waiting:
        yield np.concatenate(held)


def with_events(recording: Recording, stretch: Stretch) -> list[Note]:
    """Return the notes of *stretch* and what else happened in it, in order."""
    notes = list(stretch.notes)
    for event in recording.history.events(stretch.start, BoxNs(stretch.last + 1)):
        shown = veiled(event) if recording.veil else event
        notes.append(event_note(stretch, shown))
    return sorted(notes)


def event_note(stretch: Stretch, event: Event) -> Note:
    """Return *event* as a note; of one that lasts, what lies in the stretch."""
    began = max(event.began, stretch.start)
    ended = min(max(event.ended or began, began), stretch.last)
    first = round((began - stretch.start) / stretch.period_ns)
    samples = round((ended - began) / stretch.period_ns)
    return Note(first, samples, f"{event.kind}: {event.cause}".rstrip(": "))
