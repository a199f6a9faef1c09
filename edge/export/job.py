"""
One export from beginning to end: progress, cancelling, and going on after a failure.

The command line, the page and the USB drive all do this.
"""

import errno
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from edge.errors import ExportError
from edge.export import Options, load_writer, manifest
from edge.export.folder import Folder, failure, plainly
from edge.export.output import LARGEST_PART, Output, files_in
from edge.export.part import ASIDE, Part, check_again
from edge.export.recording import Recording, Veil
from edge.history import Counts, History
from edge.records import BoxNs, UtcNs

UNFINISHED = "UNFINISHED.txt"
"""Stands in a folder while its export is not whole, and says what was asked for."""

SAMPLED_NS = 60 * 10**9
"""How much of the recording an estimate looks at, twice."""

LONGEST_UNFINISHED = 4096
LONGEST_MANIFEST = 64 * 1024 * 1024
"""Bytes that are read of a file of an earlier try; it may be anybody's."""

ENDINGS = ("csv", "edf", "bdf", "dat", "hea", "atr", "parquet")
"""Of files that an export may write over when they are left by an earlier try."""

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


@dataclass(frozen=True)
class Request:
    """What a person asks for."""

    begin: BoxNs
    end: BoxNs
    formats: tuple[str, ...] = ("csv",)
    options: Options = Options()
    veil: Veil | None = None
    part_bytes: int = LARGEST_PART
    words: tuple[str, str] = ("", "")  # from and to, as the person said them
    check_again: bool = False  # read all files once more at the end
    key: str = ""  # public key of age that everything is sealed to


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
    for name in request.formats:
        load_writer(name)(recording, output, request.options)
    return manifest.build(
        recording, output.written, output.remarks, identity(request), made, version()
    )


def estimate(history: History, request: Request) -> int:
    """
    Return about how many bytes *request* takes, by how much was recorded in a minute
    at the beginning and at the end of its stretch.
    """
    length = min(request.end - request.begin, SAMPLED_NS)
    counted: Counter[str] = Counter()
    for begin in (request.begin, BoxNs(request.end - length)):
        end = BoxNs(begin + length)
        for chunk in history.chunks(begin, end):
            counted["instants"] += len(chunk.counts)
        for block in history.pose_blocks(begin, end):
            counted["poses"] += len(block.exposed)
        counted["vitals"] += sum(1 for _ in history.vitals(begin, end))
        counted["events"] += sum(1 for _ in history.events(begin, end))
    share = (request.end - request.begin) / (2 * length)
    sizes = [BYTES_EACH[stage] for stage in stages_of(request)]
    return round(sum(counted[of] * size * share for of, size in sizes))


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


def claim(folder: Folder, request: Request) -> None:
    """
    Make *folder* this export's own, also again after a try that did not finish.

    :raises ExportError: if it holds another export or strange files
    """
    wanted = identity(request)
    with plainly("the folder"):
        names = folder.names()
    if UNFINISHED in names:
        if unfinished(folder) not in (wanted, TORN):
            raise ExportError(
                "an unfinished export of another stretch is in the folder; "
                "choose another folder, or delete that one"
            )
    elif manifest.NAME in names:
        if whole_request(folder) != wanted:
            raise ExportError(
                "another export is in the folder already; choose another folder"
            )
    elif UNFINISHED + ASIDE not in names and (
        strange := [name for name in names if ours(name)]
    ):
        raise ExportError(
            f"the folder has a {strange[0]} that is of no export known here; "
            "choose another folder"
        )
    if UNFINISHED not in names or unfinished(folder) == TORN:
        text = UNFINISHED_TEXT + json.dumps(wanted) + "\n"
        put(folder, UNFINISHED, text.encode())
    with plainly(manifest.NAME):
        if manifest.NAME in names:
            folder.remove(manifest.NAME)


TORN = "torn"
"""Instead of an identity: a drive was pulled while it was written."""

UNFINISHED_TEXT = """\
This export is not whole: the drive was pulled, or the box is still writing. Ask for
the same export again and it goes on from here.
"""


def identity(request: Request) -> dict[str, Any]:
    """
    Return what has to be the same for two tries to be of one export.

    It goes with the files: of a de-identified export it tells the moved times only,
    and of a sealed one nothing that can be read.
    """
    said = plain_identity(request)
    if not request.key:
        return said
    text = json.dumps(said, sort_keys=True)
    return {"sealed_to": request.key, "sha256": sha256(text.encode()).hexdigest()}


def plain_identity(request: Request) -> dict[str, Any]:
    """Return what has to be the same, readable."""
    shift_ns = request.veil.shift_ns if request.veil else 0
    return {
        "begin_box_ns": str(request.begin + shift_ns),
        "end_box_ns": str(request.end + shift_ns),
        "from": "" if request.veil else request.words[0],
        "to": "" if request.veil else request.words[1],
        "formats": list(request.formats),
        "tables": list(request.options.tables),
        "tolerance_ns": request.options.tolerance_ns,
        "part_bytes": request.part_bytes,
        "de_identified": request.veil is not None,
    }


def span_of_earlier(
    folder: Folder, words: tuple[str, str]
) -> tuple[BoxNs, BoxNs] | None:
    """
    Return the stretch of the unfinished export in *folder* that was asked for in the
    same *words*, ``None`` without one: "everything" has grown since.

    :raises ExportError: if the folder cannot be read
    """
    with plainly("the folder"):
        if UNFINISHED not in folder.names():
            return None
    earlier = unfinished(folder)
    with suppress(KeyError, TypeError, ValueError):
        if (earlier["from"], earlier["to"]) == words:
            begin, end = int(earlier["begin_box_ns"]), int(earlier["end_box_ns"])
            return (BoxNs(begin), BoxNs(end)) if begin < end else None
    return None


def unfinished(folder: Folder) -> Any:
    """
    Return the identity that a folder's unfinished export states, `TORN` where the
    drive kept nothing or the beginning of it, None where it is no export's.
    """
    text = read_small(folder, UNFINISHED, LONGEST_UNFINISHED).rstrip(b"\0")
    with suppress(ValueError, IndexError):
        return json.loads(text.splitlines()[-1])
    begun = UNFINISHED_TEXT.encode()
    return TORN if text[: len(begun)] == begun[: len(text)] else None


def whole_request(folder: Folder) -> Any:
    """Return the identity that a folder's manifest states, None without."""
    text = read_small(folder, manifest.NAME, LONGEST_MANIFEST)
    with suppress(ValueError, KeyError, TypeError):
        return json.loads(text)["request"]
    return None


def read_small(folder: Folder, name: str, longest: int) -> bytes:
    """Return up to *longest* bytes of the file *name*."""
    with plainly(name):
        handle = folder.open(name)
        try:
            return folder.read(handle, longest)
        finally:
            folder.close(handle)


def ours(name: str) -> bool:
    """Return whether *name* is one that an export may write."""
    stem, _, ending = name.removesuffix(ASIDE).partition(".")
    return ending == "csv" and stem.split("-")[0] in (
        "joined",
        "ecg",
        "vitals",
        "events",
    )


def put(folder: Folder, name: str, content: bytes) -> None:
    """
    Write a small file whole or not at all.

    :raises ExportError: if the drive fails
    """
    part = Part(folder, name)
    try:
        part.write(content)
        part.finish()
    finally:
        part.close()


def version() -> str:
    """Return the version of this program."""
    return metadata.version("ecg-pose-edge")
