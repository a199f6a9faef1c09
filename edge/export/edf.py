"""
EDF+, and BDF+ where the counts need more than 16 bits, written here byte by byte.

Two ways. ``edf``: one continuous file (EDF+C) for each stretch of `edge.export.
stretches`, which every reader opens and dates rightly. ``edf-d``: one discontinuous
file (EDF+D) with the true time of every record; pyEDFlib refuses those, and MNE reads
them without the gaps (its issue 13429): they are for EDFbrowser, Luna and their like.
Where a drive takes no file so large there are several, each with its own beginning.

Format: Kemp & Olivan, "European data format plus (EDF+)", 2003, and www.edfplus.info;
BDF+ at www.teuniz.net/edfbrowser. No library writes EDF+D, and pyEDFlib's writer knows
its rate only in whole records.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from edge.export import Options
from edge.export.depth import Depth, Scale, fit
from edge.export.output import Output
from edge.export.recording import Recording
from edge.export.stretches import (
    Counts,
    Note,
    Stretch,
    even_blocks,
    plan,
    read,
    record_samples,
    with_events,
)
from edge.records import MISSING, BoxNs, Segment

TICK_NS = 100
"""EDFlib, which most readers stand on, counts in units of 100 ns."""
TICKS = 10_000_000
"""In a second."""

SAME_NS = TICKS * TICK_NS // 2
"""A clock that was set by less does not begin another file."""

LONGEST_LABEL = 16
"""Characters."""
LONGEST_TEXT = 100
"""Bytes of one annotation."""
TIMEKEEPING = 24
"""Bytes at most of the note that dates a record."""

MONTHS = [
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
]


@dataclass(frozen=True)
class Plan:
    """One file: stretches of the same leads, one after the other."""

    stretches: Sequence[Stretch]
    notes: list[list[Note]]  # of each stretch
    scales: list[Scale]  # one for each lead
    divisor: int  # 1: counts as the board sent them
    record_samples: int  # of each lead
    record_ticks: int
    depth: Depth
    annotation_bytes: int  # of each record
    start_s: int  # UTC of the file's beginning, whole seconds
    origin: BoxNs  # box time of that instant

    @property
    def segment(self) -> Segment:
        """Leads, gain and baseline of all its stretches."""
        return self.stretches[0].segment

    @property
    def records(self) -> int:
        """How many data records there are."""
        return sum(self.records_of(stretch) for stretch in self.stretches)

    @property
    def size(self) -> int:
        """The bytes of the file."""
        leads = len(self.segment.leads)
        record = self.record_samples * leads * self.depth.width + self.annotation_bytes
        return 256 * (leads + 2) + self.records * record

    def records_of(self, stretch: Stretch) -> int:
        """Return the data records of *stretch*; the last is filled up."""
        return -(-stretch.samples // self.record_samples)


def write(recording: Recording, output: Output, options: Options) -> None:
    """
    Write one continuous file for each stretch.

    :raises ExportError: if the drive fails
    """
    write_files(recording, output, discontinuous=False)


def write_files(recording: Recording, output: Output, discontinuous: bool) -> None:
    """Write the files, with all stretches of the same leads in one if asked to."""
    output.stage("edf-d" if discontinuous else "edf")
    name = "ecg-d" if discontinuous else "ecg"  # both may be asked for
    found = plan(recording, output.limit)
    groups = [[stretch] for stretch in found.stretches]
    if discontinuous:
        groups = grouped(recording, found.stretches)
    files = chain.from_iterable(cut(recording, group, output.limit) for group in groups)
    for number, file in enumerate(files, start=1):
        write_file(recording, output, f"{name}-{number:03}", file)
    for remark in found.remarks("EDF files"):
        output.remark(remark)


def grouped(recording: Recording, stretches: Sequence[Stretch]) -> list[list[Stretch]]:
    """
    Return *stretches* by what has to be the same in one file, which has one subject
    and one date: a box that was off, or whose clock was set, begins another.
    """
    groups: dict[object, list[Stretch]] = {}
    ahead_ns: dict[object, list[int]] = {}
    for stretch in stretches:
        segment = stretch.segment
        alike = (
            segment.leads, segment.gain, segment.baseline, segment.sampling_rate_hz,
            recording.subject(segment),
        )  # fmt: skip
        ahead = utc_of(recording, stretch) - stretch.start
        known = ahead_ns.setdefault(alike, [])
        near = [one for one in known if abs(one - ahead) <= SAME_NS]
        if not near:
            known.append(ahead)
        groups.setdefault((alike, (near or [ahead])[0]), []).append(stretch)
    return list(groups.values())


def utc_of(recording: Recording, stretch: Stretch) -> int:
    """Return when *stretch* begins in UTC, nanoseconds, moved as the export is."""
    start = np.array([stretch.start], np.int64)
    return int(recording.ledger.date(start).utc[0]) + recording.shift_ns


def cut(
    recording: Recording, stretches: Sequence[Stretch], limit: int
) -> Iterator[Plan]:
    """Yield the files of *stretches*: one, or as many as keep each below *limit*."""
    file = planned(recording, stretches)
    half = len(stretches) // 2
    if file.size <= limit or not half:
        yield file
        return
    for part in (stretches[:half], stretches[half:]):
        yield from cut(recording, part, limit)


def write_file(recording: Recording, output: Output, name: str, file: Plan) -> None:
    """Write one file of this *name*."""
    segment = file.segment
    if file.divisor > 1:
        output.remark(
            f"segment {segment.id} needs more than the 24 bits of BDF: "
            f"there its counts are rounded to steps of {file.divisor}; CSV and WFDB "
            "have them as they were sent"
        )
    part = output.begin(f"{name}.{file.depth.name.lower()}")
    part.write(header(recording, file))
    for record, until in records(recording, file):
        part.write(record)
        output.reached(until)
    about = (
        f"{file.depth.name}+ of {', '.join(segment.leads)}, segment {segment.id}. "
        "The lowest value means: no value."
    )
    output.finish(part, about)


def planned(recording: Recording, stretches: Sequence[Stretch]) -> Plan:
    """Return how a file of *stretches* is laid out."""
    fitting = fit(stretches)
    samples = record_samples(stretches[0].segment)
    notes = [
        sorted([*with_events(recording, stretch), *padding(stretch, samples)])
        for stretch in stretches
    ]
    period_ns = min(stretch.period_ns for stretch in stretches)
    # Eight characters of the header hold microseconds. Records must not overlap.
    rounded = round if len(stretches) == 1 else math.floor
    ticks = rounded(samples * period_ns / 1000) * 10
    start = stretches[0].start
    utc = utc_of(recording, stretches[0])
    start_s = utc // 10**9
    records = sum(-(-stretch.samples // samples) for stretch in stretches)
    sizes = [len(text) for group in notes for text in map(annotation, group)]
    room = TIMEKEEPING
    if sizes:
        room += max(sizes) + -(-sum(sizes) // max(records, 1))
    room += -room % fitting.depth.width
    origin = BoxNs(start - utc % 10**9)
    return Plan(
        stretches=stretches,
        notes=notes,
        scales=fitting.scales,
        divisor=fitting.divisor,
        record_samples=samples,
        record_ticks=ticks,
        depth=fitting.depth,
        annotation_bytes=room,
        start_s=start_s,
        origin=origin,
    )


def padding(stretch: Stretch, record: int) -> list[Note]:
    """Return the note on what fills the last *record* of *stretch* up, if anything."""
    rest = -stretch.samples % record
    return [Note(stretch.samples, rest, "no more samples")] if rest else []


def annotation(note: Note) -> bytes:
    """Return the text of *note* as long as it will be, with a place for its onset."""
    return b"+0000000.0000000\x150000000.0000000\x14" + cleaned(note.text) + b"\x14\0"


def cleaned(text: str) -> bytes:
    """Return *text* in UTF-8, not too long, without what the format uses itself."""
    plain = re.sub(r"[\x00-\x1f]", " ", text)
    return plain.encode()[:LONGEST_TEXT].decode(errors="ignore").encode()


def header(recording: Recording, file: Plan) -> bytes:
    """Return the header: 256 bytes and 256 for each signal."""
    segment = file.segment
    signals = len(segment.leads) + 1
    moment = np.datetime64(file.start_s, "s")
    year, month, day = str(moment)[:10].split("-")
    clock = str(moment)[11:].replace(":", ".")
    subject = re.sub(r"[^!-~]", "_", recording.subject(segment)) or "X"
    kind = "C" if len(file.stretches) == 1 else "D"
    main = [
        (f"{subject} X X X", 80),
        (f"Startdate {day}-{MONTHS[int(month) - 1]}-{year} X X ecg-pose-edge", 80),
        (f"{day}.{month}.{year[2:]}", 8),
        (clock, 8),
        (str(256 * (signals + 1)), 8),
        (f"{file.depth.name}+{kind}", 44),
        (str(file.records), 8),
        (f"{file.record_ticks / TICKS:.6f}"[:8], 8),
        (str(signals), 4),
    ]
    return file.depth.version + fields(main) + signal_header(file)


def signal_header(file: Plan) -> bytes:
    """Return the part of the header about the signals, field by field."""
    segment, depth = file.segment, file.depth
    leads = [lead.encode("ascii", "replace").decode() for lead in segment.leads]
    label = f"{depth.name} Annotations"
    room = file.annotation_bytes // depth.width
    many = len(leads)
    rows: list[tuple[list[str], int]] = [
        (labels(leads) + [label], 16),
        ([f"{segment.board} {lead}".strip() for lead in leads] + [""], 80),
        (["mV"] * many + [""], 8),
        ([scale.low_mv for scale in file.scales] + ["-1"], 8),
        ([scale.high_mv for scale in file.scales] + ["1"], 8),
        ([str(scale.lowest) for scale in file.scales] + [str(depth.lowest)], 8),
        ([str(scale.highest) for scale in file.scales] + [str(depth.highest)], 8),
        ([""] * (many + 1), 80),
        ([str(file.record_samples)] * many + [str(room)], 8),
        ([""] * (many + 1), 32),
    ]
    return b"".join(fields([(text, width) for text in texts]) for texts, width in rows)


def labels(leads: Sequence[str]) -> list[str]:
    """Return a label for each of *leads* that fits and no other has."""
    found: list[str] = []
    for lead in leads:
        whole = f"ECG {lead}" if len(lead) <= LONGEST_LABEL - 4 else lead
        short, number = whole[:LONGEST_LABEL], 1
        while short in found:
            number += 1
            short = f"{whole[: LONGEST_LABEL - 3]}~{number}"
        found.append(short)
    return found


def fields(texts: Sequence[tuple[str, int]]) -> bytes:
    """Return each text in its width of ASCII, cut or filled with blanks."""
    return b"".join(
        text.encode("ascii", "replace")[:width].ljust(width) for text, width in texts
    )


def records(recording: Recording, file: Plan) -> Iterator[tuple[bytes, BoxNs]]:
    """Yield each data record and the box time it reaches."""
    waiting = [
        (stretch, note)
        for stretch, group in zip(file.stretches, file.notes, strict=True)
        for note in group
    ]
    for stretch in file.stretches:
        blocks = even_blocks(read(recording, stretch), file.record_samples)
        for number, block in enumerate(blocks):
            text = f"{signed(onset_of(file, stretch, number))}\x14\x14\0".encode()
            while waiting:
                more = note_text(file, *waiting[0])
                if len(text) + len(more) > file.annotation_bytes:
                    break
                text += more
                del waiting[0]
            into = number * file.record_samples * stretch.period_ns
            record = signal_bytes(file, block) + text.ljust(
                file.annotation_bytes, b"\0"
            )
            yield record, BoxNs(stretch.start + round(into))


def onset_of(file: Plan, stretch: Stretch, number: int) -> int:
    """Return the ticks from the file's beginning to record *number* of *stretch*."""
    first = (stretch.start - file.origin) // TICK_NS
    if len(file.stretches) == 1:  # a continuous file: exactly one after the other
        return first + number * file.record_ticks
    return first + round(number * file.record_samples * stretch.period_ns / TICK_NS)


def note_text(file: Plan, stretch: Stretch, note: Note) -> bytes:
    """Return *note* as a time-stamped annotation list."""
    step = stretch.period_ns
    if len(file.stretches) == 1:
        step = file.record_ticks * TICK_NS / file.record_samples
    onset = (stretch.start - file.origin + note.sample * step) / TICK_NS
    lasting = f"\x15{note.samples * step / 1e9:.7f}" if note.samples else ""
    return (
        f"{signed(round(onset))}{lasting}\x14".encode() + cleaned(note.text) + b"\x14\0"
    )


def signed(ticks: int) -> str:
    """Return *ticks* in seconds with a sign, as the format wants onsets."""
    seconds, rest = divmod(ticks, TICKS)
    return f"+{seconds}.{rest:07}"


def signal_bytes(file: Plan, block: Counts) -> bytes:
    """Return the samples of a record, lead after lead, little-endian."""
    none = np.array([[scale.lowest] for scale in file.scales], "<i4")
    digital: NDArray[np.int64] = block.T.astype(np.int64)
    if file.divisor > 1:
        above = block - np.array(file.segment.baseline, np.int64)
        digital = np.rint(above / file.divisor).astype(np.int64).T
    values = np.repeat(none, file.record_samples, axis=1)
    values[:, : len(block)] = np.where(block.T == MISSING, none, digital)
    if file.depth.width == 2:
        return values.astype("<i2").tobytes()
    return values.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
