"""
The join on two CSV files: poses of one, ECG and vitals of the other.

They are files of this box, of the system it replaces, or anything with a column
``timestamp``. What a file says of a row is passed on letter by letter; only what the
join finds out is new. Where both files carry the box time of one box it is joined on,
else UTC.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.join import NONE, Times, nearest
from edge.join.columns import COLUMNS, LATER, LEADS, WINDOW_COLUMNS
from edge.records import VITALS
from edge.stamps import parse_stamp

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000

BOX = re.compile(r"-?\d{1,10} \d{1,19}", re.ASCII)
BOX_NS = range(-(2**62), 2**62)
"""What is outside is no box time, and would not add up in int64."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

ONE_CLOCK_NS = MS_NS
"""UTC − box time is the same to microseconds wherever one box dated a file."""

FROM_ECG = {
    "ecg_timestamp": "timestamp",
    "ecg_box_s": "box_s",
    "ecg_box_ns": "box_ns",
    "ecg_uncertainty_ms": "uncertainty_ms",
    "ecg_segment": "segment",
    "ecg_reasons": "reasons",
}
"""Columns of the answer that the ECG file has under another name."""

Row = dict[str, str]


class Sheet(NamedTuple):
    """The rows of one file that have an instant, in the file's order."""

    name: str
    columns: tuple[str, ...]
    rows: list[Row]
    utc: Times
    box: Times | None  # where the file has one that can be in every row
    skipped: tuple[str, ...]  # what was wrong, one a row


def read_sheet(path: Path, box: str, zone: str = "UTC") -> Sheet:
    """
    Return the CSV file at *path*: UTF-8, commas, a header with ``timestamp``. *box* is
    what its columns of box time begin with. Stamps without zone are of *zone*.

    A row without a usable stamp is left out and told of.

    :raises InputError: if it cannot be read, or has no rows that can be used
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _sheet(path.name, csv.DictReader(file), box, zone)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as CSV: {error}") from error


def _sheet(name: str, reader: "csv.DictReader[str]", box: str, zone: str) -> Sheet:
    columns = tuple(column.strip() for column in reader.fieldnames or ())
    if "timestamp" not in columns:
        found = ", ".join(columns[:8]) or "nothing"
        raise InputError(f"{name} has no column 'timestamp', but {found}")
    reader.fieldnames = columns
    rows: list[Row] = []
    utc: list[int] = []
    skipped: list[str] = []
    for row in reader:
        try:
            utc.append(parse_stamp(row["timestamp"] or "", zone))
        except InputError as error:
            skipped.append(f"{name}, line {reader.line_num}: {error}")
            continue
        rows.append({key: row[key] or "" for key in columns})
    if skipped and not rows:
        raise InputError(f"no row of {name} can be used; {skipped[0]}")
    return Sheet(
        name, columns, rows, np.array(utc, np.int64), _box(rows, box), tuple(skipped)
    )


def _box(rows: Sequence[Row], name: str) -> Times | None:
    pairs = [(row.get(f"{name}_s", ""), row.get(f"{name}_ns", "")) for row in rows]
    if not all(BOX.fullmatch(f"{s} {ns}") for s, ns in pairs):
        return None
    times = [int(s) * SECOND_NS + int(ns) for s, ns in pairs]
    return np.array(times, np.int64) if all(t in BOX_NS for t in times) else None


class Ecg:
    """The rows *mine* of the ECG file, which are of one subject, in order of time."""

    def __init__(
        self, sheet: Sheet, times: Times, mine: NDArray[np.intp], leads: "LeadsOf"
    ) -> None:
        order = mine[np.argsort(times[mine], kind="stable")]
        self.times = times[order]
        self.rows = [sheet.rows[place] for place in order.tolist()]
        self._leads = leads
        self._stated = {
            name: np.flatnonzero([bool(row[name].strip()) for row in self.rows])
            for name in VITALS
            if name in sheet.columns
        }

    def answer(self, place: int) -> Row:
        """Return what the row at *place* says, under the names of the joined row."""
        row = self.rows[place]
        said = {ours: row.get(theirs, "") for ours, theirs in FROM_ECG.items()}
        leads = self._leads[segment_of(row)]
        for number, (column, _) in enumerate(leads, start=1):
            said[f"ecg_lead{number}"] = number_of(row[column])
        said["ecg_leads"] = " ".join(lead for _, lead in leads if lead)
        for name, stated in self._stated.items():
            said |= self._vital(name, stated, place)
        return said

    def _vital(self, name: str, stated: NDArray[np.intp], place: int) -> Row:
        """Return the newest value at or before the instant of the row at *place*."""
        # Rows of the same instant count as known, those behind this one too.
        last = int(np.searchsorted(self.times, self.times[place], side="right")) - 1
        newest = int(np.searchsorted(stated, last, side="right")) - 1
        if newest < 0:
            return {}
        found = int(stated[newest])
        value = number_of(self.rows[found][name])
        age_ms = (self.times[place] - self.times[found]) // MS_NS
        reason = "" if value else "not_a_number"
        return {name: value, f"{name}_age_ms": str(age_ms), f"{name}_reason": reason}

    def window(self, place: int, instant: int, half_ns: int) -> Row:
        """
        Return the leads of the row at *place* and of the others of its segment, no
        further from *instant* than *half_ns*.
        """
        first = int(np.searchsorted(self.times, instant - half_ns))
        stop = int(np.searchsorted(self.times, instant + half_ns, side="right"))
        segment = segment_of(self.rows[place])
        mine = [p for p in range(first, stop) if segment_of(self.rows[p]) == segment]
        if not mine:
            return {}
        times = self.times[mine]
        steps = np.diff(times)
        even = len(steps) and steps.max() <= 1.01 * steps.min()
        period_ms = float(steps.mean()) / MS_NS if even else 0.0
        said = {
            "ecg_window_start_ms": f"{(int(times[0]) - instant) / MS_NS:.6f}",
            "ecg_window_period_ms": f"{period_ms:.6f}",
        }
        for number, (column, _) in enumerate(self._leads[segment], start=1):
            values = [number_of(self.rows[p][column]) for p in mine]
            said[f"ecg_window_lead{number}"] = " ".join(values)
        return said


Leads = list[tuple[str, str]]
"""Columns that hold leads, each with the lead's name."""


LeadsOf = dict[str, Leads]
"""The leads that each segment has."""


def lead_columns(columns: Iterable[str]) -> Leads:
    """
    Return the columns that hold leads, with the leads' names: ``ecg_lead1`` … of the
    original system have none, ``II_mv`` of our export is lead II.
    """
    numbered = [f"ecg_lead{number}" for number in range(1, LEADS + 1)]
    named = [column for column in columns if column.endswith("_mv")]
    found = [(column, "") for column in numbered if column in columns]
    return found or [(column, column.removesuffix("_mv")) for column in named]


def segment_of(row: Row) -> str:
    """Return the segment that *row* is of; "" in a file without."""
    return row.get("segment", "")


def leads_of_segments(rows: Sequence[Row], leads: Leads) -> LeadsOf:
    """
    Return which of *leads* each segment of *rows* has, as many as there is room for:
    an export of several boards has columns for all, of which another's stay empty.
    """
    found: dict[str, set[str]] = {}
    for row in rows:
        seen = found.setdefault(segment_of(row), set())
        if len(seen) < len(leads):
            seen.update(column for column, _ in leads if row[column].strip())
    anywhere = set().union(*found.values())
    return {
        segment: [
            (column, lead)
            for column, lead in leads
            if not seen or column in seen or column not in anywhere
        ][:LEADS]
        for segment, seen in found.items()
    }


def number_of(text: str) -> str:
    """Return *text* if it is a decimal number, else nothing."""
    text = text.strip()
    return text if NUMBER.fullmatch(text) else ""


class Joined(NamedTuple):
    """The answer: its header, its rows, and how many found their ECG."""

    columns: tuple[str, ...]
    rows: list[Row]
    matched: int


def join_sheets(
    poses: Sheet, ecg: Sheet, tolerance_ns: int, window_ns: int = 0, on: str = ""
) -> Joined:
    """
    Return each row of *poses*, in its order, with the nearest row of *ecg* no further
    away than *tolerance_ns*, and each vital as known at that row's instant; where both
    files name subjects, of the same one. Joined is
    *on* "box" time or "utc"; if it says neither, on box time where both files have it.

    :raises InputError: if there is no such box time, or it is not clear whether it is
        of one box
    """
    by_box = on != "utc" and poses.box is not None and ecg.box is not None
    if on == "box" and not by_box:
        raise InputError("the files do not both have box time in every row")
    if by_box and not on:
        check_one_clock(poses, ecg)
    times = poses.box if by_box and poses.box is not None else poses.utc
    ecg_times = ecg.box if by_box and ecg.box is not None else ecg.utc
    leads = leads_of_segments(ecg.rows, lead_columns(ecg.columns))
    known = {"subject"} <= {*poses.columns} & {*ecg.columns}
    theirs = by_subject(ecg, known)
    rows: list[Row] = [{}] * len(poses.rows)
    matched = 0
    for subject, mine in by_subject(poses, known).items():
        same = Ecg(ecg, ecg_times, theirs.get(subject, NOBODY), leads)
        found = nearest(same.times, times[mine], tolerance_ns)
        matched += int(np.count_nonzero(found != NONE))
        for pose, place in zip(mine.tolist(), found.tolist(), strict=True):
            row, instant = poses.rows[pose], int(times[pose])
            rows[pose] = joined_row(row, instant, place, same, window_ns)
            if place == NONE:
                reason = "beyond_tolerance" if ecg.rows else "no_ecg"
                rows[pose]["unmatched_reason"] = reason
    return Joined(tuple(columns_of(poses, window_ns)), rows, matched)


NOBODY: NDArray[np.intp] = np.zeros(0, np.intp)
"""The rows of a subject who has none."""


def by_subject(sheet: Sheet, known: bool) -> dict[str, NDArray[np.intp]]:
    """Return the places of each subject's rows: of one, unless they are *known*."""
    if not known:
        return {"": np.arange(len(sheet.rows))}
    places: dict[str, list[int]] = {}
    for place, row in enumerate(sheet.rows):
        places.setdefault(row["subject"].strip(), []).append(place)
    return {subject: np.array(found) for subject, found in places.items()}


def check_one_clock(poses: Sheet, ecg: Sheet) -> None:
    """
    Accept files of which UTC − box time is the same at the same box time.

    :raises InputError: if most rows of *poses* disagree with *ecg*: each box has a box
        time of its own, and one box dates anew when it has learnt the time
    """
    if poses.box is None or ecg.box is None or not len(poses.box) or not len(ecg.box):
        return
    order = np.argsort(ecg.box, kind="stable")
    place = order[nearest(ecg.box[order], poses.box, 2**62)]
    apart = (poses.utc - poses.box) - (ecg.utc - ecg.box)[place]
    apart_ns = float(np.median(np.abs(apart)))
    if apart_ns > ONE_CLOCK_NS:
        raise InputError(
            f"box time is not the same in {poses.name} and {ecg.name}: it differs by "
            f"{apart_ns / SECOND_NS:.3f} s. If they are of two boxes give --on utc; if "
            "of one box that was set between the two exports, --on box"
        )


def joined_row(pose: Row, instant: int, place: int, ecg: Ecg, window_ns: int) -> Row:
    """Return *pose* with what the row of *ecg* at *place* adds to it."""
    row = {name: text for name, text in pose.items() if name not in ANSWERED}
    if place == NONE:
        return row | {"ecg_matched": "False"}
    row |= ecg.answer(place) | {"ecg_matched": "True"}
    row["difference_ms"] = f"{(int(ecg.times[place]) - instant) / MS_NS:.6f}"
    return row | (ecg.window(place, instant, window_ns // 2) if window_ns else {})


def columns_of(poses: Sheet, window_ns: int) -> Iterator[str]:
    """Yield the header: ours, then whatever else the pose file has."""
    ours = [column.name for column in COLUMNS]
    if window_ns:
        ours += [column.name for column in WINDOW_COLUMNS]
    yield from (name for name in ours if name not in LATER)
    yield from (name for name in LATER if name in ours)
    yield from (column for column in poses.columns if column not in ours)


def _answered() -> frozenset[str]:
    names = {column.name for column in COLUMNS + WINDOW_COLUMNS}
    vitals = {name for name in names if name.startswith(tuple(VITALS))}
    ecg = {name for name in names if name.startswith("ecg_")}
    return frozenset(ecg | vitals | {"difference_ms", "unmatched_reason"})


ANSWERED = _answered()
"""The columns that the join fills in, whatever the pose file has there."""
