"""
The manifest: what an export holds, what is missing in it, and how sure its times are.

It is written last, under its final name, so that a folder with a manifest is whole.
Beside it stand `README.txt`, the data dictionary in plain words, and `SHA256SUMS`, by
which any computer can check the files.
"""

import json
import platform
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge.export.output import Written
from edge.export.recording import Recording
from edge.export.tables import Table
from edge.export.tally import Coverage
from edge.records import BoxNs, Event, UtcNs

NAME = "manifest.json"
SUMS = "SHA256SUMS"
DICTIONARY = "README.txt"
SEALED = "contents.json"
"""The whole manifest where it is sealed too."""
FORMAT = "ecg-pose-edge export"
FORMAT_VERSION = 1

NOTICE = (
    "This box records. It is not a monitor, raises no alarm and must not be used for "
    "diagnosis or treatment."
)

SECOND_NS = 1_000_000_000


def build(
    recording: Recording,
    written: Sequence[Written],
    remarks: Sequence[str],
    request: dict[str, Any],
    made: UtcNs,
    version: str,
) -> dict[str, Any]:
    """
    Return the manifest of the files *written* from *recording*, with *remarks* on
    what is not in them.

    *request* is what was asked for, *made* the instant of the export, *version* the
    program's.
    """
    found = list(recording.events())
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "notice": NOTICE,
        "program": {
            "version": version,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "sqlite": sqlite3.sqlite_version,
        },
        "request": request,
        "subjects": subjects(recording),
        "de_identified": recording.veil is not None,
        "range": {
            "begin": instant(recording, recording.begin),
            "end": instant(recording, recording.end),
            "seconds": (recording.end - recording.begin) / SECOND_NS,
        },
        "streams": streams(recording, found),
        "clock": clock(recording, found),
        "damaged_rows_left_out": recording.history.damaged,
        "samples_of_damaged_segments_left_out": unreadable(recording),
        "remarks": list(remarks),
        "files": [entry(file) for file in written],
    }
    if recording.veil is None:
        manifest["made"] = iso(made)
        manifest["configuration"] = configurations(recording)
    return manifest


def unreadable(recording: Recording) -> int:
    """Return how many samples nobody can read."""
    return recording.tally_ecg.unreadable if recording.tally_ecg else 0


def outside(
    said: dict[str, Any], written: Sequence[Written], key: str
) -> dict[str, Any]:
    """Return what may be read of a sealed export: its files and their sums."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "notice": NOTICE,
        "sealed_to": key,
        "request": said["request"],
        "remarks": [],
        "files": [
            {name: value for name, value in entry(file).items() if name != "rows"}
            for file in written
        ],
    }


def entry(file: Written) -> dict[str, Any]:
    """Return what the manifest says of one file."""
    said: dict[str, Any] = {
        "name": file.file.name,
        "bytes": file.file.size,
        "sha256": file.file.sha256,
        "about": file.about,
    }
    if file.rows is not None:
        said["rows"] = file.rows
    return said


def streams(recording: Recording, events: Sequence[Event]) -> dict[str, Any]:
    """Return how complete each exported stream is, its gaps named one by one."""
    ecg, poses = recording.tally_ecg, recording.tally_poses
    vitals = recording.tally_vitals
    said: dict[str, Any] = {}
    if ecg is not None:
        said["ecg"] = {
            source: {
                "samples": coverage.count,
                "values_missing": ecg.missing[source],
                "segments": [
                    segment_entry(recording, number, samples)
                    for number, samples in ecg.used.items()
                    if recording.segments[number].source == source
                ],
                **completeness(recording, coverage, causes(events, "ecg")),
            }
            for source, coverage in ecg.coverage.items()
        }
    if poses is not None:
        said["pose"] = {
            source: {
                "poses": coverage.count,
                **completeness(recording, coverage, causes(events, "pose", "camera")),
            }
            for source, coverage in poses.coverage.items()
        }
        said["pose_states"] = dict(poses.states)
        said["pose_models"] = dict(poses.models)
    if vitals is not None:
        said["vitals"] = vitals.as_json()
    said["events"] = dict(Counter(event.kind for event in events))
    return said


def segment_entry(recording: Recording, number: int, samples: int) -> dict[str, Any]:
    """Return how the counts of one segment are read."""
    segment = recording.segments[number]
    return {
        "segment": number,
        "session": segment.session,
        "subject": recording.subject(segment),
        "samples": samples,
        "board": segment.board,
        "leads": list(segment.leads),
        "gain_counts_per_mv": list(segment.gain),
        "baseline_counts": list(segment.baseline),
        "sampling_rate_hz": segment.sampling_rate_hz,
        "checksum_verified": segment.checked,
        "stamp": segment.stamp,
    }


def causes(events: Sequence[Event], *streams: str) -> list[Event]:
    """Return the gaps of *streams* that were told."""
    return [
        event for event in events if event.kind == "gap" and event.stream in streams
    ]


def completeness(
    recording: Recording, coverage: Coverage, told: Sequence[Event]
) -> dict[str, Any]:
    """Return the share that is there and the gaps with the causes *told*."""
    return {
        "complete": round(coverage.share, 6),
        "gaps": coverage.gaps,
        "gaps_seconds": coverage.gaps_ns / SECOND_NS,
        "gaps_listed": [
            {
                "begin": instant(recording, first),
                "end": instant(recording, until),
                "seconds": (until - first) / SECOND_NS,
                "causes": [
                    event.cause
                    for event in told
                    if event.began < until and first < (event.ended or event.began)
                ],
            }
            for first, until in coverage.listed
        ],
    }


def clock(recording: Recording, events: Sequence[Event]) -> dict[str, Any]:
    """
    Return how UTC was known in each session, and the last test of how far apart picture
    and ECG are stamped, which may have been before the stretch.
    """
    steps = [event for event in events if event.kind == "clock step"]
    began = [recording.sessions[number].started for number in recording.session_ids]
    since = min([recording.begin, *began])
    tests = [
        event
        for event in recording.history.events(since, recording.end)
        if event.kind == "sync test"
    ]
    return {
        "sessions": [
            session_clock(recording, number) for number in recording.session_ids
        ],
        "steps": len(steps),
        "sync_test": dict(tests[-1].detail) if tests else None,
    }


def session_clock(recording: Recording, number: int) -> dict[str, Any]:
    """Return the state of the clock in one session."""
    session = recording.sessions[number]
    readings = [line for line in recording.readings if line.session == number]
    return {
        "session": number,
        "started": instant(recording, session.started),
        "version": session.version,
        "synchronised": any(line.synchronised for line in readings),
        "readings": len(readings),
        "synchronised_readings": sum(line.synchronised for line in readings),
        "set_by_seconds": [
            line.step_ns / SECOND_NS for line in readings if line.step_ns
        ],
    }


def subjects(recording: Recording) -> list[str]:
    """Return the codes of the subjects of the stretch."""
    codes = [recording.sessions[number].subject for number in recording.session_ids]
    return list(dict.fromkeys(code for code in codes if code))


def configurations(recording: Recording) -> dict[str, Any]:
    """Return the settings in force in each session."""
    return {
        str(number): as_object(recording.sessions[number].configuration)
        for number in recording.session_ids
    }


def as_object(text: str) -> Any:
    """Return the JSON *text* as an object, or itself if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def instant(recording: Recording, box: BoxNs) -> dict[str, Any]:
    """Return *box* time and its UTC as people and programs read them."""
    dated = recording.ledger.date(np.array([box], np.int64))
    seconds, rest = divmod(box + recording.shift_ns, SECOND_NS)
    return {
        "utc": iso(int(dated.utc[0]) + recording.shift_ns),
        "clock_synchronised": bool(dated.synchronised[0]),
        "box_s": seconds,
        "box_ns": rest,
    }


def iso(utc: int) -> str:
    """Return UTC nanoseconds as ISO 8601 with microseconds and zone."""
    return f"{np.datetime64(utc // 1000, 'us')}+00:00"


def as_text(manifest: dict[str, Any]) -> bytes:
    """Return the file."""
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def sums(files: dict[str, str]) -> bytes:
    """Return what ``sha256sum -c SHA256SUMS`` checks; *files* is name → SHA-256."""
    return "".join(f"{digest}  {name}\n" for name, digest in files.items()).encode()


def dictionary(tables: Sequence[Table], written: Sequence[Written]) -> bytes:
    """Return the data dictionary in plain words."""
    lines = ["Recording of body pose and ECG", "", NOTICE, ""]
    lines += ["FILES", ""]
    lines += [f"  {file.file.name}\n      {file.about}" for file in written]
    lines += [f"  {name}\n      {about}" for name, about in OWN_FILES.items()]
    lines += ["", *PLAIN_WORDS.splitlines()]
    for table in tables:
        lines += ["", f"COLUMNS OF {table.name}.csv", ""]
        for column in table.columns:
            unit = f" [{column.unit}]" if column.unit else ""
            lines.append(f"  {column.name}{unit}: {column.meaning}")
    # Windows' editor, on the PC of a ward, wants its own line ends.
    text = "\n".join(lines) + "\n"
    return text.replace("\n", "\r\n").encode()


OWN_FILES = {
    NAME: "What is in this export, what is missing and how sure the times are.",
    SUMS: "For 'sha256sum -c SHA256SUMS', which checks every file.",
    DICTIONARY: "This page.",
}

PLAIN_WORDS = """\
HOW TO READ IT

  Tables are comma-separated, in UTF-8, with a point in numbers and one header line;
  a file that would be too large for a USB drive goes on in name-002.csv and so on,
  each with the header. An empty cell means that there is no value; a column beside it
  says why where that is known. A text that a spreadsheet would take for a formula has
  an apostrophe before it. events.csv, with texts in any language, begins with a byte
  order mark for spreadsheets ("utf-8-sig" in Python).
  Files that end in .age are sealed: 'age --decrypt' opens them with the private key.
  In EDF and BDF the lowest value of a signal means that there is none; notes in the
  file say where and why, and where the last record is filled up.
  A folder without manifest.json is not whole: the export was interrupted. Doing it
  again into the same folder finishes it. 'edge verify FOLDER' checks everything.

TIMES

  timestamp is UTC. clock_synchronised says whether a time server stood behind it.
  Box time (box_s whole seconds, box_ns the nanoseconds beyond) never steps and never
  goes back, whatever happens to the clock: sort, join and take differences by it.
  Uncertainties are half widths: the true instant lies that far to either side.
"""
