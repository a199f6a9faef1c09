"""
The joined table: each pose with the ECG sample nearest to it, as blocks of text.

It says what `edge.join.rows` says of the same poses (a test compares them cell by cell)
but works on whole arrays, because a night has half a million poses.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.database.signals import PoseBlock, last_sample
from edge.export import cells
from edge.export.cells import Cells, Mask, Whole
from edge.export.recording import Recording
from edge.export.tables import (
    Block,
    Table,
    milliseconds,
    millivolts,
    reason_cells,
    subject_cells,
)
from edge.join import NONE, sample_times
from edge.join.columns import COLUMNS, LEADS
from edge.join.rows import near
from edge.ledger import Ledger
from edge.records import (
    KEYPOINTS,
    MISSING,
    VITALS,
    BoxNs,
    EcgChunk,
    Segment,
    Vital,
)

MS_NS = 1_000_000

BLOCK_NS = 120 * 10**9
"""Poses are joined together up to so long: megabytes of ECG. At 10 a second a page of
the recording is shorter."""

Columns = dict[str, Cells]

NO_SEGMENT = Segment(0, 0, "", "", (), (), (), 0.0, False, "arrival")
"""Of chunks whose own segment is damaged; nothing of it is written."""


def joined(recording: Recording, tolerance_ns: int) -> Table:
    """Return the poses of *recording* with the ECG no further away than that."""
    about = "Each pose with the ECG sample nearest to it and the vitals then known."

    def blocks() -> Iterator[Block]:
        return joined_blocks(recording, tolerance_ns)

    return Table("joined", about, COLUMNS, blocks)


def joined_blocks(recording: Recording, tolerance_ns: int) -> Iterator[Block]:
    """Yield the rows of the joined table."""
    ecg = Samples(recording, tolerance_ns)
    vitals = Stated(recording, tolerance_ns)
    for poses in short_blocks(recording.poses()):
        samples = ecg.nearest(poses.exposed)
        columns = pose_columns(recording, poses)
        columns |= sample_columns(recording, poses.exposed, samples)
        columns |= vitals.columns(samples)
        text = cells.lines([columns[column.name] for column in COLUMNS])
        yield Block(text, len(poses.exposed), BoxNs(int(poses.exposed[-1])))


def short_blocks(blocks: Iterator[PoseBlock]) -> Iterator[PoseBlock]:
    """Yield *blocks* cut so that none is longer than BLOCK_NS, nor its ECG."""
    for block in blocks:
        begin = 0
        while begin < len(block.exposed):
            until = block.exposed[begin] + BLOCK_NS
            stop = int(np.searchsorted(block.exposed, until, side="right"))
            yield PoseBlock._make(column[begin:stop] for column in block)
            begin = stop


class Matches(NamedTuple):
    """The samples found for poses: arrays of shape (poses,), 0 where there is none."""

    found: Mask
    times: Whole
    chunks: list[EcgChunk]
    owner: NDArray[np.intp]  # index in chunks
    counts: NDArray[np.int32]  # shape (poses, LEADS); MISSING beyond the segment's
    reason: list[str]  # why there is none; "" where found


class Samples:
    """The ECG around poses that come in order."""

    def __init__(self, recording: Recording, tolerance_ns: int) -> None:
        self._recording = recording
        self._tolerance_ns = tolerance_ns
        self._coming = recording.chunks_around(tolerance_ns + 1)
        self._next = next(self._coming, None)
        self._window: list[EcgChunk] = []

    def nearest(self, poses: Whole) -> Matches:
        """Return the sample nearest to each of the times *poses*, which ascend."""
        self._move(int(poses[0]), int(poses[-1]))
        chunks = self._window
        place = near(chunks, poses, self._tolerance_ns, self._recording.ledger)
        times = np.zeros(len(poses), np.int64)
        counts = np.full((len(poses), LEADS), MISSING, np.int32)
        reason = [""] * len(poses)
        for number, rows in groups(place.chunk):
            if number == NONE or chunks[number].segment not in self._recording.segments:
                self._explain(reason, number, rows)
                continue
            chunk, samples = chunks[number], place.sample[rows]
            times[rows] = instants_of(chunk, samples)
            taken = chunk.counts[samples, :LEADS]
            counts[rows, : taken.shape[1]] = taken
        found = np.array([not why for why in reason], np.bool_)
        owner = np.where(found, place.chunk, 0)
        return Matches(found, times, chunks, owner, counts, reason)

    def _explain(self, reason: list[str], number: int, rows: NDArray[np.intp]) -> None:
        why = "damaged"
        if number == NONE:
            why = "beyond_tolerance" if self._recording.has_ecg else "no_ecg"
        for row in rows.tolist():
            reason[row] = why

    def _move(self, first: int, last: int) -> None:
        begin, end = first - self._tolerance_ns, last + self._tolerance_ns
        self._window = [chunk for chunk in self._window if last_sample(chunk) >= begin]
        while self._next is not None and self._next.start <= end:
            if last_sample(self._next) >= begin:  # not of a time without poses
                self._window.append(self._next)
            self._next = next(self._coming, None)


def groups(owner: Whole) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each value of *owner* and the rows that have it."""
    order = np.argsort(owner, kind="stable")
    cuts = np.flatnonzero(np.diff(owner[order])) + 1
    for rows in np.split(order, cuts):
        yield int(owner[rows[0]]), rows


def instants_of(chunk: EcgChunk, samples: Whole) -> Whole:
    """Return the instants of some *samples* of *chunk*, as `sample_times` has them."""
    if chunk.offsets_us is not None:
        times: Whole = sample_times(chunk)[samples]
    else:
        times = np.rint(samples * chunk.period_ns).astype(np.int64)
        times += chunk.start
    return times


def pose_columns(recording: Recording, poses: PoseBlock) -> Columns:
    """Return the columns that tell of the poses alone."""
    dated = recording.ledger.date(poses.exposed)
    points = poses.keypoints[:, :, (1, 0, 2)]
    columns = keypoint_columns(points.reshape(len(points), -1))
    columns |= instant_columns(recording, "pose", poses.exposed)
    pictures = [""] * len(points) if recording.veil else poses.picture
    detected = np.array([state == "pose" for state in poses.state], np.bool_)
    return columns | {
        "timestamp": cells.instants(dated.utc + recording.shift_ns),
        "image_path": cells.texts(pictures),
        "pose_detected": cells.truths(detected),
        "session": cells.whole(dated.session),
        "subject": subject_cells(recording, dated.session),
        "clock_synchronised": cells.truths(dated.synchronised),
        "pose_uncertainty_ms": milliseconds(poses.uncertainty_ns),
        "pose_stamp": cells.texts(poses.stamp),
        "pose_source": cells.texts(poses.source),
        "pose_state": cells.texts(poses.state),
        "picture_width": cells.whole(poses.width),
        "picture_height": cells.whole(poses.height),
        "rotation": cells.whole(poses.rotation),
        "model": cells.texts(poses.model),
        "device": cells.texts(poses.device),
        "inference_ms": cells.numbers(poses.inference_ms),
    }


def keypoint_columns(points: NDArray[np.float32]) -> Columns:
    """Return the columns of *points*, shape (poses, 51): y, x, score in turn."""
    names = [
        f"{name}_{part}" for name in KEYPOINTS for part in ("y", "x", "confidence")
    ]
    # One array holds all, commas included; the other columns stand for nothing.
    first, *others = names
    return {first: cells.exact(points)} | dict.fromkeys(others, NO_COLUMN)


NO_COLUMN: Cells = np.zeros((0, 0), np.uint8)
"""Stands where the column before it holds this one's text too."""


def instant_columns(recording: Recording, name: str, box: Whole) -> Columns:
    """Return the two columns of box times."""
    moved = box + recording.shift_ns
    seconds = moved // cells.SECOND_NS
    return {
        f"{name}_box_s": cells.whole(seconds),
        f"{name}_box_ns": cells.whole(moved - seconds * cells.SECOND_NS),
    }


def sample_columns(recording: Recording, poses: Whole, matches: Matches) -> Columns:
    """Return the columns that tell of the samples."""
    absent = ~matches.found
    utc = recording.ledger.date(matches.times).utc
    even = recording.ledger.even
    texts: dict[str, list[str]] = {
        name: [] for name in ("stamp", "segment", "source", "board", "leads")
    }
    sure = []
    for chunk in matches.chunks:
        segment = recording.segments.get(chunk.segment, NO_SEGMENT)
        texts["stamp"].append(segment.stamp)
        texts["segment"].append(str(segment.id))
        texts["source"].append(segment.source)
        texts["board"].append(segment.board)
        texts["leads"].append(" ".join(segment.leads))
        sure.append(chunk.uncertainty_ns)
    columns = lead_columns(recording, matches)
    for name, values in texts.items():
        columns[f"ecg_{name}"] = gathered(values, matches)
    uncertainty = np.array([*sure, 0], np.int64)[matches.owner]
    columns |= instant_columns(recording, "ecg", matches.times)
    for name in ("ecg_box_s", "ecg_box_ns"):
        columns[name] = cells.blanked(columns[name], absent)
    return columns | {
        "ecg_timestamp": cells.instants(utc + recording.shift_ns, absent=absent),
        "ecg_matched": cells.truths(matches.found),
        "difference_ms": cells.fixed(even(matches.times) - even(poses), 6, absent),
        "ecg_uncertainty_ms": cells.blanked(milliseconds(uncertainty), absent),
        "ecg_reasons": lacking(recording, matches),
        "unmatched_reason": cells.texts(matches.reason),
    }


def lacking(recording: Recording, matches: Matches) -> Cells:
    """Return why leads of the samples have no value."""
    found, column = matches.found, cells.nothing(len(matches.found))
    if found.any():
        counts, owner = matches.counts[found], matches.owner[found]
        said = reason_cells(recording.segments, matches.chunks, counts, owner)
        column = scattered(len(found), [(found, said)])
    return column


def gathered(values: list[str], matches: Matches) -> Cells:
    """Return the text of each pose's chunk."""
    if not values:
        return cells.nothing(len(matches.found))
    return cells.blanked(cells.texts(values)[matches.owner], ~matches.found)


def lead_columns(recording: Recording, matches: Matches) -> Columns:
    """Return the columns of values."""
    rows = len(matches.found)
    parts: list[list[tuple[Mask, Cells]]] = [[] for _ in range(LEADS)]
    ids = np.array([*(chunk.segment for chunk in matches.chunks), 0], np.int64)
    owners = np.where(matches.found, ids[matches.owner], -1)
    for number in np.unique(owners[matches.found]).tolist():
        segment = recording.segments[number]
        mine = owners == number
        for place in range(min(len(segment.leads), LEADS)):
            values = millivolts(matches.counts[mine, place], segment, place)
            parts[place].append((mine, values))
    return {
        f"ecg_lead{place + 1}": scattered(rows, parts[place]) for place in range(LEADS)
    }


def scattered(rows: int, parts: list[tuple[Mask, Cells]]) -> Cells:
    """Return a column of *rows* from the cells of some rows each."""
    if not parts:
        return cells.nothing(rows)
    if len(parts) == 1 and parts[0][0].all():
        return parts[0][1]
    column = np.zeros((rows, max(text.shape[1] for _, text in parts)), np.uint8)
    for mine, text in parts:
        column[mine, : text.shape[1]] = text
    return column


class Stated:
    """The vitals known at samples that come in order."""

    def __init__(self, recording: Recording, tolerance_ns: int) -> None:
        margin_ns = tolerance_ns + 1
        begin, end = recording.begin - margin_ns, recording.end + margin_ns
        before = recording.history.latest_vitals(BoxNs(begin - 1))
        self._known: dict[str, list[Vital]] = {
            name: [before[name]] if name in before else [] for name in VITALS
        }
        self._coming = recording.history.vitals(BoxNs(begin), BoxNs(end))
        self._ledger = recording.ledger
        self._next = next(self._coming, None)

    def columns(self, matches: Matches) -> Columns:
        """Return the columns of all vitals for the samples of *matches*."""
        if matches.found.any():
            times = matches.times[matches.found]
            self._move(int(times.min()), int(times.max()))
        columns: Columns = {}
        for name in VITALS:
            columns |= stated_columns(name, self._known[name], matches, self._ledger)
        return columns

    def _move(self, first: int, last: int) -> None:
        while self._next is not None and self._next.sampled <= last:
            known = self._known.setdefault(self._next.name, [])
            if self._next.sampled <= first:
                known.clear()
            known.append(self._next)
            self._next = next(self._coming, None)
        for known in self._known.values():
            while len(known) > 1 and known[1].sampled <= first:
                del known[0]


def stated_columns(
    name: str, known: list[Vital], matches: Matches, ledger: Ledger
) -> Columns:
    """
    Return the columns of one vital: the newest of *known* at each sample, as old as
    *ledger* says; none that is of another subject.
    """
    rows = len(matches.found)
    names = (name, f"{name}_age_ms", f"{name}_reason", f"{name}_derived")
    if not known:
        return dict.fromkeys(names, cells.nothing(rows))
    sampled = np.array([vital.sampled for vital in known], np.int64)
    place = np.searchsorted(sampled, matches.times, side="right") - 1
    absent = ~matches.found | (place < 0)
    place = np.maximum(place, 0)
    absent |= ledger.stay(sampled)[place] != ledger.stay(matches.times)
    valued = np.array([vital.value is not None for vital in known], np.bool_)
    derived = cells.truths(np.array([vital.derived for vital in known], np.bool_))
    age_ns = ledger.even(matches.times) - ledger.even(sampled)[place]
    age = np.rint(np.maximum(age_ns, 0) / MS_NS).astype(np.int64)
    columns = (
        cells.numbers([vital.value for vital in known])[place],
        cells.whole(age),
        cells.texts([vital.reason for vital in known])[place],
        cells.blanked(derived[place], ~valued[place]),
    )
    return {
        name: cells.blanked(column, absent)
        for name, column in zip(names, columns, strict=True)
    }
