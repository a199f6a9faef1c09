"""
One export from beginning to end: progress, cancelling, and going on after a failure.

The command line, the page and the USB drive all do this.
"""

import errno
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from edge.database.tables import Kind
from edge.export import load_writer, manifest
from edge.export.claim import UNFINISHED, claim, clear
from edge.export.folder import Folder, failure, plainly
from edge.export.output import Output, files_in
from edge.export.part import check_again, put
from edge.export.recording import Recording
from edge.export.request import Request, stated
from edge.history import Counts, History
from edge.records import BoxNs, UtcNs
from edge.release import version

PARTS = 60
PART_NS = 10 * 10**9
"""An estimate looks at so many parts of a stretch; all of one of ten minutes."""

BYTES_EACH: dict[str, tuple[str, int]] = {
    # stage → which of Counts it goes with, and about how many bytes one takes
    "joined": ("poses", 800),
    "ecg": ("instants", 90),
    "vitals": ("vitals", 100),
    "events": ("events", 200),
    "edf": ("instants", 6),
    "edf-d": ("instants", 6),
    "wfdb": ("instants", 6),
    "parquet": ("instants", 20),
}


class Progress(NamedTuple):
    """How far an export has come."""

    share: float  # 0 to 1
    remaining_s: float | None  # None while nobody can tell
    written: int  # bytes
    file: str  # that is being written, "" if none is


class Job:
    """One export of the recording in *database* into *folder*."""

    def __init__(
        self,
        database: Path,
        request: Request,
        folder: Folder,
        made: UtcNs,
        tell: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._database = database
        self._request = request
        self._folder = folder
        self._made = made
        self._tell = tell
        self._cancelled = threading.Event()
        self._stages: dict[str, float] = {}
        self._began = 0.0
        make = files_in(folder, request.key)
        self.output = Output(make, self._reached, request.part_bytes)

    def cancel(self) -> None:
        """End the export after its present block, from any thread."""
        self._cancelled.set()

    def run(self) -> dict[str, Any]:
        """
        Return the manifest once the export is whole on the medium.

        :raises ExportError: if it is not: the drive failed, another export is in the
            folder, or it was cancelled; what is written stays for another try
        :raises StoreError: if the recording cannot be read
        """
        request = self._request
        claim(self._folder, request)
        self._began = time.monotonic()
        try:
            with History(self._database) as history:
                recording = Recording(history, request.begin, request.end, request.veil)
                self._stages = expected(request, history.counts())
                said = fill(recording, self.output, request, self._made)
            return self._finish(said)
        finally:
            self.output.close()

    def _finish(self, said: dict[str, Any]) -> dict[str, Any]:
        output = self.output
        about = manifest.dictionary(output.tables, output.written)
        if key := self._request.key:
            sealed = output.begin(manifest.SEALED)
            sealed.write(manifest.as_text(said))
            output.finish(sealed, "The whole manifest.")
            said = manifest.outside(said, output.written, key)
        text = manifest.as_text(said)
        sums = {file.file.name: file.file.sha256 for file in output.written}
        sums[manifest.DICTIONARY] = sha256(about).hexdigest()
        sums[manifest.NAME] = sha256(text).hexdigest()
        put(self._folder, manifest.DICTIONARY, about)
        put(self._folder, manifest.SUMS, manifest.sums(sums))
        if self._request.check_again:
            for file in output.written:
                check_again(self._folder, file.file)
        clear(self._folder, {*sums, manifest.SUMS})
        put(self._folder, manifest.NAME, text)
        with plainly(UNFINISHED):
            self._folder.remove(UNFINISHED)
        self._tell(Progress(1.0, 0.0, output.size, ""))
        return said

    def _reached(self, stage: str, until: BoxNs) -> None:
        if self._cancelled.is_set():
            raise failure(
                errno.ECANCELED,
                "the export was cancelled; asked for again, it goes on from here",
            )
        self._tell(self._progress(stage, until))

    def _progress(self, stage: str, until: BoxNs) -> Progress:
        request = self._request
        within = (until - request.begin) / (request.end - request.begin)
        done = 0.0
        for name, weight in self._stages.items():
            if name == stage:
                done += weight * min(within, 1.0)
                break
            done += weight
        elapsed = time.monotonic() - self._began
        remaining = elapsed * (1 - done) / done if done > 0 else None
        return Progress(done, remaining, self.output.size, self.output.file)


def fill(
    recording: Recording, output: Output, request: Request, made: UtcNs
) -> dict[str, Any]:
    """Write the files of all formats into *output* and return the manifest."""
    before = recording.history.left_before()
    for name in request.formats:
        load_writer(name)(recording, output, request.options)
    left = recording.history.left_before()
    if left and left > recording.begin and left != before:
        upto = manifest.instant(recording, min(left, recording.end))["utc"]
        output.remark(
            f"what was recorded before {upto} left the recording while this was "
            "exported, file after file: one file may have rows of then that another "
            "lacks"
        )
    if damaged := recording.history.damaged:
        output.remark(f"damaged rows of the recording that are left out: {damaged}")
    return manifest.build(
        recording, output.written, output.remarks, stated(request), made, version()
    )


def estimate(history: History, request: Request) -> int:
    """Return about how many bytes *request* takes."""
    rows = rows_within(history, request.begin, request.end)
    sizes = [BYTES_EACH[stage] for stage in stages_of(request)]
    return sum(rows[of] * size for of, size in sizes)


def rows_within(history: History, begin: BoxNs, end: BoxNs) -> dict[str, int]:
    """
    Return about how many instants, poses and vitals there are in [*begin*, *end*), by
    parts of it, and how many events.
    """
    firsts = [begin + place * (end - begin) // PARTS for place in range(PARTS + 1)]
    parts = [
        (BoxNs(first), BoxNs(min(first + PART_NS, following)))
        for first, following in pairwise(firsts)
    ]
    share = (end - begin) / sum(until - first for first, until in parts)
    kinds: dict[str, Kind] = {
        "instants": "chunks",
        "poses": "poses",
        "vitals": "vitals",
    }
    rows = {
        name: round(share * sum(history.tally(kind, *part) for part in parts))
        for name, kind in kinds.items()
    }
    return {**rows, "events": history.tally("events", begin, end)}


def stages_of(request: Request) -> list[str]:
    """Return the passes through the stretch that *request* takes."""
    return [
        stage
        for name in request.formats
        for stage in (request.options.tables if name == "csv" else (name,))
    ]


def expected(request: Request, counts: Counts) -> dict[str, float]:
    """Return the share of the work that each stage of *request* is, in order."""
    work = {}
    for stage in stages_of(request):
        of, size = BYTES_EACH[stage]
        work[stage] = float(getattr(counts, of) * size + 1)
    return {stage: size / sum(work.values()) for stage, size in work.items()}
