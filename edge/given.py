"""
ECG records that somebody states, one instant at a time: uploads and CSV files.

They have the fields of the original system. Each becomes a chunk of one sample, whose
leads may be missing, and a vital for every number beside them.
"""

import csv
import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge.clock import LATEST_UTC
from edge.errors import InputError, SourceUnavailable
from edge.records import MISSING, VITALS, BoxNs, EcgChunk, Record, Segment, UtcNs, Vital
from edge.stamps import parse_stamp

LEADS = {"ecg_lead1": "I", "ecg_lead2": "II", "ecg_lead3": "III"}
"""Fields of the original system to leads."""

GAIN = 1e6
"""Counts per millivolt of a stated value: nanovolts, so that no digit is lost."""

EARLIEST_UTC = 0
"""1970, and `LATEST_UTC` is 2100: what is stamped outside was stamped by no clock."""

NO_VALUE = ("", "nan", "na", "n/a", "<na>", "null", "none")
"""How pandas, R and others write a cell without a value."""

MOST_MV = 2147.0
"""What 32 bits of nanovolts hold."""


class Line(NamedTuple):
    """One good line of a file."""

    number: int  # from 1, the header being line 1
    utc: UtcNs
    values: dict[str, float]  # by names of LEADS and VITALS


class Refused(NamedTuple):
    """One bad line of a file."""

    number: int
    cause: str


def segment_of(number: int, session: int, source: str, board: str = "") -> Segment:
    """Return the segment *number* for records that *source* states."""
    return Segment(
        id=number,
        session=session,
        source=source,
        board=board,
        leads=tuple(LEADS.values()),
        gain=(GAIN,) * len(LEADS),
        baseline=(0,) * len(LEADS),
        sampling_rate_hz=0.0,
        checked=False,
        stamp="given",
    )


def records_of(
    segment: Segment, instant: BoxNs, values: Mapping[str, float]
) -> list[Record]:
    """
    Return the records of *values* at *instant*, by names of `LEADS` and `VITALS`.

    :raises InputError: if a name is unknown or a value is none that can be kept
    """
    for name, value in values.items():
        if name not in LEADS and name not in VITALS:
            raise InputError(f"{name} is no field of an ECG record")
        if not math.isfinite(value) or (name in LEADS and abs(value) > MOST_MV):
            raise InputError(f"{name} = {value} cannot be kept")
    counts = [
        round(values[name] * GAIN) if name in values else MISSING for name in LEADS
    ]
    sample, offset = np.array([counts], np.int32), np.zeros(1, np.uint32)
    records: list[Record] = [EcgChunk(segment.id, instant, 0.0, 0, sample, offset)]
    for name in VITALS:
        if name in values:
            records.append(Vital(instant, name, values[name], "", segment.source))
    return records


def file_name(path: Path) -> str:
    """
    Return a name that is the same for the same content, to load a file only once.

    :raises SourceUnavailable: if it cannot be read
    """
    try:
        if path.is_file() or not path.exists():  # a pipe would be waited for
            return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    except OSError as error:
        raise unreadable(path, error.strerror) from error
    raise unreadable(path, "it is no file")


def unreadable(path: Path, cause: str | None) -> SourceUnavailable:
    """Return what to say of the file at *path*."""
    return SourceUnavailable(
        f"the ECG file {path} cannot be read: {cause}; see [ecg] file"
    )


def read_file(path: Path, zone: str) -> Iterator[Line | Refused]:
    """
    Yield the lines of a CSV file with the original system's columns, in any order;
    stamps without a zone are in *zone*. A bad line is refused alone.

    :raises SourceUnavailable: if it cannot be read
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            yield from lines_of(file, zone)
    except OSError as error:
        raise unreadable(path, error.strerror) from error


def lines_of(file: Iterable[str], zone: str) -> Iterator[Line | Refused]:
    """Yield the lines of an open *file*, each read alone: a quote left open ends it."""
    columns: list[str] = []
    for number, text in enumerate(file, 1):
        try:
            if number == 1:
                columns = header_of(text)
            elif text.strip():
                fields = dict(zip(columns, fields_of(text), strict=False))
                yield line_of(number, fields, zone)
        except InputError as error:
            yield Refused(number, str(error))
            if not columns:
                return


def fields_of(text: str) -> list[str]:
    """
    Return the fields of one line.

    :raises InputError: if it is too long to be one
    """
    try:
        return next(csv.reader([text]), [])
    except csv.Error as error:
        raise InputError(f"{text[:40]!r}… is no line of CSV: {error}") from error


def header_of(text: str) -> list[str]:
    """
    Return the names of the columns.

    :raises InputError: if there is no ``timestamp`` among them
    """
    columns = [name.strip() for name in fields_of(text)]
    if "timestamp" not in columns:
        raise InputError(
            f"{text.strip()[:80]!r} has no column 'timestamp'; save the file as CSV in "
            "UTF-8, with commas and a header"
        )
    return columns


def line_of(number: int, fields: Mapping[str, str], zone: str) -> Line:
    """
    Return line *number* of a file, whose columns hold *fields*.

    :raises InputError: if there is no time, or no number where one should be
    """
    values = {
        name: number_of(name, text)
        for name, text in fields.items()
        if (name in LEADS or name in VITALS) and text.strip().lower() not in NO_VALUE
    }
    return Line(number, stated_utc(fields.get("timestamp", ""), zone), values)


def stated_utc(text: str, zone: str) -> UtcNs:
    """
    Return the UTC of the ISO stamp *text*, in *zone* where it has none of its own.

    :raises InputError: if it is none, or was stamped by no clock
    """
    utc = parse_stamp(text, zone)
    if not EARLIEST_UTC <= utc < LATEST_UTC:
        raise InputError(f"{text.strip()[:60]!r} is outside the years 1970 to 2099")
    return utc


def number_of(name: str, text: str) -> float:
    """
    Return *text* as the number of field *name*.

    :raises InputError: if it is none
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name} = {text[:40]!r} is not a number")
    return value
