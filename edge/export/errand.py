"""
An export to a USB drive, from looking at it to "safe to remove".

On the drive it is a folder of its own below `ROOM`, named by subject and stretch, so
that the same export asked for again goes on where it ended.
"""

import errno
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edge.drives import Drive, mounted
from edge.errors import ExportError
from edge.export import manifest
from edge.export.folder import DiskFolder, failure
from edge.export.job import Job, Progress, estimate
from edge.export.recording import Recording
from edge.export.request import Request, digest
from edge.export.span import SETTLED_NS
from edge.history import History
from edge.records import BoxNs, UtcNs

ROOM = "ecg-pose-edge"
"""The folder on the drive that holds all exports."""

LONGEST_NAME = 67
"""FAT takes 255; some PCs add the whole path up to 260."""
MARK = 6
"""Hexadecimal digits that tell two exports of one stretch apart."""

SURELY = 0.5
"""An estimate may be wrong by so much; the rest is tried."""

Tell = Callable[[Progress], None]


class Done(NamedTuple):
    """An export that is whole on a drive, which is safe to remove."""

    folder: str
    size: int  # bytes
    said: dict[str, Any]  # the manifest


def choose(drives: Sequence[Drive], wanted: str = "") -> Drive:
    """
    Return the one of *drives* that *wanted* names, or the only one.

    :raises ExportError: if there is none, or it is not clear which
    """
    named = [drive for drive in drives if wanted in ("", drive.name, drive.id)]
    if not named:
        raise ExportError(
            f"there is no drive {wanted}; insert it"
            if wanted
            else "there is no USB drive; insert one"
        )
    sound = [drive for drive in named if not drive.fault]
    if not sound:
        raise ExportError(named[0].fault)
    if len(sound) > 1:
        both = " and ".join(f"{drive.label} ({drive.name})" for drive in sound)
        raise ExportError(f"there are {both}; remove one, or name the one you mean")
    return sound[0]


def reached(history: History, drive: Drive, request: Request) -> BoxNs:
    """
    Return up to where *drive* has all that *request* asks for, by the whole exports to
    it that were kept in the recording: where the request begins, if there is none.
    What was recorded while an export was made, it has not, however late it ends. An
    upload that is dated before all that was recorded here makes no hole.
    """
    spans = sorted(
        (begin, end if end <= event.began else BoxNs(event.began - SETTLED_NS))
        for event in history.events(BoxNs(-(2**62)), BoxNs(2**62))
        if event.kind == "export"
        and event.detail.get("drive") == drive.id
        and event.detail.get("whole") is True
        and holds(event.detail, request)
        for begin, end in (span_of(event.detail),)
    )
    until = first = max(request.begin, history.recorded_from() or request.begin)
    for begin, end in spans:
        if begin <= until:  # an export of the last hour alone leaves a hole before it
            until = max(until, end)
    return until if until > first else request.begin


def span_of(detail: Mapping[str, Any]) -> tuple[BoxNs, BoxNs]:
    """Return the stretch of an export with *detail*, an empty one if none is said."""
    names = ("begin_box_ns", "end_box_ns")
    begin, end = (str(detail.get(name, "")) for name in names)
    known = begin.isdecimal() and end.isdecimal()
    return (BoxNs(int(begin)), BoxNs(int(end))) if known else (BoxNs(0), BoxNs(0))


def holds(detail: Mapping[str, Any], request: Request) -> bool:
    """Return whether an export with *detail* has all kinds of files of *request*."""
    wanted = content(request.formats, request.options.tables, request.veil is not None)
    return detail.get("deidentify") is wanted["deidentify"] and all(
        set(wanted[name]) <= set(detail.get(name) or ())
        for name in ("formats", "tables")
    )


def content(
    formats: Sequence[str], tables: Sequence[str], deidentify: bool
) -> dict[str, Any]:
    """Return what the event of an export says of its content."""
    return {
        "formats": list(formats), "tables": list(tables), "deidentify": deidentify,
    }  # fmt: skip


def folder_name(history: History, request: Request) -> str:
    """
    Return a name for the export that FAT, people and a sorted list accept. The mark
    behind it tells apart what is asked for in other ways, or of another box, whose box
    time is another; another key is another name: nobody can choose the folder on a
    drive.
    """
    asked = digest(request)
    if request.key:  # a name that tells nothing
        return f"sealed_{sha256((asked + request.key).encode()).hexdigest()[:16]}"
    recording = Recording(history, request.begin, request.end, request.veil)
    ends = np.array([request.begin, request.end], np.int64)
    utc = recording.ledger.date(ends).utc + recording.shift_ns
    first, last = (compact(value) for value in utc.tolist())
    subject = "_".join(manifest.subjects(recording))
    plain = re.sub(r"[^A-Za-z0-9-]", "_", subject)[: LONGEST_NAME - 35 - MARK]
    return f"{plain}_{first}_{last}_{asked[:MARK]}".lstrip("_")


def compact(utc: int) -> str:
    """Return UTC nanoseconds as ``20261122T101500Z``."""
    text = str(np.datetime64(utc // 10**9, "s"))
    return text.replace("-", "").replace(":", "") + "Z"


def to_drive(
    database: Path,
    drive: Drive,
    request: Request,
    made: UtcNs,
    tell: Tell,
    begun: Callable[[Job], None] = lambda job: None,
) -> Done:
    """
    Return once the export is whole on *drive* and the drive is unmounted.

    *begun* gets the job, to cancel it.

    :raises ExportError: if it is not; what is written stays for another try
    :raises StoreError: if the recording cannot be read
    """
    with History(database) as history:
        name = folder_name(history, request)
        needed = estimate(history, request)
    request = replace(request, check_again=True)
    with (
        mounted(drive) as handle,
        DiskFolder(handle) as root,
        root.within(ROOM) as room,
        room.within(name) as folder,
    ):
        folder.hold()
        if not folder.names():
            check_room(handle, needed)
        job = Job(database, request, folder, made, tell)
        begun(job)
        said = job.run()
    return Done(f"{ROOM}/{name}", job.output.size, said)


def check_room(handle: int, needed: int) -> None:
    """
    Compare the room on the drive at *handle* with what is *needed*, about.

    :raises ExportError: if it is clearly too little
    """
    found = os.fstatvfs(handle)
    free = found.f_bavail * found.f_frsize
    if free < needed * SURELY:
        raise failure(
            errno.ENOSPC,
            f"the drive is full: {free / 1e6:.0f} MB are free and about "
            f"{needed / 1e6:.0f} MB are needed; free some room or take a larger one",
        )


def as_line(**said: Any) -> str:
    """Return what a program reads of an export: one line of JSON."""
    return json.dumps(said)
