"""
WFDB records, as PhysioNet has them: a header, the signals and notes for each stretch.

Written here byte by byte, because the package holds a whole record in memory. Format:
header(5), signal(5) and annot(5) of the WFDB Applications Guide, G. B. Moody.
"""

import re
import struct
from collections.abc import Sequence

import numpy as np

from edge.export import Options
from edge.export.output import Output
from edge.export.recording import Recording
from edge.export.stretches import Note, Stretch, plan, read, with_events
from edge.records import MISSING, BoxNs

FORMATS: dict[int, tuple[int, int]] = {
    # signal(5): bytes a sample → its number, which is its bits; what stands for none
    2: (16, -(2**15)),
    3: (24, -(2**23)),
    4: (32, -(2**31)),
}

NOTE, SKIP, AUX = 22, 59, 63
"""annot(5): a comment, a long interval, a text."""

LONGEST_INTERVAL = 1023
LONGEST_TEXT = 250


def write(recording: Recording, output: Output, options: Options) -> None:
    """
    Write one record for each stretch.

    :raises ExportError: if the drive fails
    """
    output.stage("wfdb")
    found = plan(recording, output.limit)
    for number, stretch in enumerate(found.stretches, start=1):
        write_record(recording, output, f"ecg-{number:03}", stretch)
    for remark in found.remarks("WFDB records"):
        output.remark(remark)


def write_record(
    recording: Recording, output: Output, name: str, stretch: Stretch
) -> None:
    """Write the three files of one record."""
    width = width_of(stretch)
    number, none = FORMATS[width]
    leads = ", ".join(stretch.segment.leads)
    about = f"WFDB record of {leads}, segment {stretch.segment.id}"
    part = output.begin(f"{name}.dat")
    sums = np.zeros(len(stretch.segment.leads), np.int64)
    first: list[int] = []
    place = 0
    for counts in read(recording, stretch):
        values = np.where(counts == MISSING, none, counts).astype("<i4")
        first = first or values[0].tolist()
        sums += values.sum(axis=0, dtype=np.int64)
        part.write(values.reshape(-1, 1).view(np.uint8)[:, :width].tobytes())
        place += len(values)
        output.reached(BoxNs(stretch.start + round(place * stretch.period_ns)))
    output.finish(part, f"{about}: signals.")
    notes = with_events(recording, stretch)
    texts = {
        "atr": (annotations(notes), "notes."),
        "hea": (header(recording, name, stretch, number, first, sums), "header."),
    }
    for ending, (content, what) in texts.items():
        part = output.begin(f"{name}.{ending}")
        part.write(content)
        output.finish(part, f"{about}: {what}")


def width_of(stretch: Stretch) -> int:
    """Return the bytes that each sample of *stretch* needs."""
    for width, (_, none) in FORMATS.items():
        if none < stretch.lowest and stretch.highest < -none:
            return width
    return max(FORMATS)


def header(
    recording: Recording,
    name: str,
    stretch: Stretch,
    number: int,
    first: Sequence[int],
    sums: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> bytes:
    """Return the header file."""
    utc = int(recording.ledger.date(np.array([stretch.start], np.int64)).utc[0])
    moment = str(np.datetime64((utc + recording.shift_ns) // 1000, "us"))
    year, month, day = moment[:10].split("-")
    segment = stretch.segment
    lines = [
        f"{name} {len(segment.leads)} {stretch.rate_hz:.9g} {stretch.samples} "
        f"{moment[11:]} {day}/{month}/{year}"
    ]
    for place, lead in enumerate(segment.leads):
        plain = re.sub(r"\s", "_", lead.encode("ascii", "replace").decode())
        gain, baseline = segment.gain[place], segment.baseline[place]
        check = (int(sums[place]) + 2**15) % 2**16 - 2**15
        lines.append(
            f"{name}.dat {number} {gain!r}({baseline})/mV {number} 0 "
            f"{first[place]} {check} 0 {plain}"
        )
    if subject := recording.subject(segment):
        lines.append(f"# subject: {subject}".replace("\n", " "))
    seconds, rest = divmod(stretch.start + recording.shift_ns, 10**9)
    lines.append(f"# box time of the first sample: {seconds} s {rest} ns")
    return ("\n".join(lines) + "\n").encode("ascii", "replace")


def annotations(notes: Sequence[Note]) -> bytes:
    """Return the annotation file of *notes*, which are in order."""
    parts = []
    before = 0
    for note in notes:
        interval, before = note.sample - before, note.sample
        if interval > LONGEST_INTERVAL:
            # A 32-bit number with its halves in the order of a PDP-11.
            high, low = divmod(interval, 1 << 16)
            parts.append(struct.pack("<HHH", SKIP << 10, high, low))
            interval = 0
        lasting = f", for {note.samples} samples" if note.samples else ""
        room = LONGEST_TEXT - len(lasting)
        said = note.text.replace("\n", " ").encode()[:room].decode(errors="ignore")
        text = (said + lasting).encode()
        parts.append(struct.pack("<HH", NOTE << 10 | interval, AUX << 10 | len(text)))
        parts.append(text + b"\0" * (len(text) % 2))
    return b"".join(parts) + b"\0\0"
