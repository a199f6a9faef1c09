"""
The manifest: what an export holds, what is missing in it, and how sure its times are.

It is written last, under its final name, so that a folder with a manifest is whole.
Beside it stand `README.txt`, the data dictionary in plain words, and `SHA256SUMS`, by
which any computer can check the files.
"""

import json
import platform
import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge.export.causes import Causes, Found
from edge.export.output import Written
from edge.export.recording import Recording
from edge.export.tables import Table
from edge.export.tally import Coverage
from edge.records import BoxNs, ClockReading, UtcNs

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
    found = Found(recording)
    seconds = recording.ledger.elapsed(recording.begin, recording.end) / SECOND_NS
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
            "seconds": seconds,
        },
        "streams": streams(recording, found),
        "clock": clock(recording, found.kinds["clock step"]),
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


def streams(recording: Recording, found: Found) -> dict[str, Any]:
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
                **completeness(recording, coverage, found.ecg[source]),
            }
            for source, coverage in ecg.coverage.items()
        }
    if poses is not None:
        said["pose"] = {
            source: {
                "poses": coverage.count,
                **completeness(recording, coverage, found.poses[source]),
            }
            for source, coverage in poses.coverage.items()
        }
        said["pose_states"] = dict(poses.states)
        said["pose_models"] = dict(poses.models)
    if vitals is not None:
        said["vitals"] = vitals.as_json()
    said["events"] = dict(found.kinds)
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


def completeness(
    recording: Recording, coverage: Coverage, causes: Causes
) -> dict[str, Any]:
    """Return the share that is there and the gaps with their *causes*."""
    return {
        "complete": round(coverage.share, 6),
        "gaps": coverage.gaps,
        "gaps_seconds": coverage.gaps_ns / SECOND_NS,
        "gaps_listed": [
            {
                "begin": instant(recording, gap.first),
                "end": instant(recording, gap.until),
                "seconds": gap.lasted_ns / SECOND_NS,
                "causes": told,
            }
            for gap, told in zip(coverage.listed, causes.told, strict=True)
        ],
    }


def clock(recording: Recording, steps: int) -> dict[str, Any]:
    """
    Return how UTC was known in each session, in which it was set so many times, and
    the last test of how far apart picture and ECG are stamped, which may have been
    before the stretch.
    """
    readings: dict[int, list[ClockReading]] = {}
    for line in recording.readings:
        readings.setdefault(line.session, []).append(line)
    began = [recording.sessions[number].started for number in recording.session_ids]
    since = min([recording.begin, *began])
    tests = [
        event
        for event in recording.history.events(since, recording.end)
        if event.kind == "sync test"
    ]
    return {
        "sessions": [
            session_clock(recording, number, readings.get(number, []))
            for number in recording.session_ids
        ],
        "steps": steps,
        "sync_test": dict(tests[-1].detail) if tests else None,
    }


def session_clock(
    recording: Recording, number: int, readings: Sequence[ClockReading]
) -> dict[str, Any]:
    """Return the state of the clock in one session, which has *readings*."""
    session = recording.sessions[number]
    said: dict[str, Any] = {
        "session": number,
        "subject": session.subject,
        "started": instant(recording, session.started),
        "version": session.version,
        "synchronised": any(line.synchronised for line in readings),
        "readings": len(readings),
        "synchronised_readings": sum(line.synchronised for line in readings),
    }
    if recording.veil is None:  # a clock that began at a known date was set by today's
        said["boot"] = session.boot_id
        said["set_by_seconds"] = [
            line.step_ns / SECOND_NS for line in readings if line.step_ns
        ]
    return said


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
  goes back, whatever happens to the clock: sort and join by it. Take differences by it
  within one session; from one session to another by timestamp, because a box that was
  off may have lost the time. Whose a row is, the subject of its session says, also of
  what was uploaded later. Where the subject changes, rows begin anew: none has ECG
  or vitals of the one before.

SEVERAL EXPORTS

  Box time and the numbers of sessions and segments are of one box; manifest.json says
  of each session the subject and, unless de-identified, the machine's name for that
  boot, which no other box has, and the settings, [box] name among them. Of one box a
  sample, pose or vital has the same session and box time in every export, and lies in
  one only of two whose stretches meet; an event that lasts over their border is in
  both. timestamp may be better known in the later one. To put boxes side by side use
  timestamp, where clock_synchronised is True.

  EDF and WFDB have one sampling rate a file, ecg.csv and ecg.parquet the time of every
  sample: by the end of an hour they may be some milliseconds apart. The date in an EDF
  header has whole seconds; the onset of the first note is the fraction, which not all
  programs add.
  Uncertainties are half widths: the true instant lies that far to either side.
"""
