"""
A whole box whose parts fail, one after the other, many times.

The recorder, its vision process and the serial code are the product's; the board is
the simulated one, the camera `rigs/camera/picamera2.py` behind the product's own
picamera source, the Edge TPU `rigs/fake_edgetpu.c`, both told by a file how they do.

    python tests/faults.py faults FIRST:STOP

lets each kind of fault happen STOP - FIRST times and prints one line of JSON with the
figures; it fails if any was felt for longer than it may be.
"""

import argparse
import itertools
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from box import SETTINGS, Box, alive, descendants

from edge.errors import ModelError
from edge.history import History
from edge.models import find_model
from edge.records import BoxNs, BoxState, EcgChunk, Event, StreamState
from edge.simulator import SimulatedBoard

HERE = Path(__file__).parent
TPU_MODEL = "movenet_single_pose_lightning_ptq_edgetpu.tflite"
ALWAYS = BoxNs(0), BoxNs(2**62)

TPU = """
[pose]
device = "tpu"
tpu_model = "{folder}/{model}"
tpu_library = "{folder}/libtpu.so"
"""
HURRIED = """
import sys
from edge.vision import life, supervision
life.TPU_WINDOW_S = float(sys.argv.pop(1))
supervision.LASTING_S = 0.0
from edge.__main__ import main
sys.exit(main())
"""
"""
`edge` whose ladder forgets a failure of the TPU sooner than after ten minutes, and
which takes each failure for the first in a long while: here they come all the time.
"""

NO_LADDER_S = 0.5  # less than a life: no failure meets another
LADDER_S = 20.0  # three failures fit in, also on a busy machine
RATE_HZ = 250  # of the simulated board, whose clock is right
STEADY_POSES = 5  # before the next fault


class Kind(NamedTuple):
    """A kind of fault, and how long it may be felt."""

    name: str
    part: str  # "serial", "tpu" or "camera"
    seen_s: float  # until the box says so
    back_s: float  # until it works again: the cable from plugging in, else the fault
    says: str  # in the cause of the event


KINDS = (
    Kind("unplug", "serial", 1.0, 2.0, "has gone"),
    Kind("abort", "tpu", 2.0, 8.0, "SIGABRT"),
    Kind("unplugged", "tpu", 2.0, 8.0, "USB transfer error"),
    Kind("hang", "tpu", 2.0, 8.0, "'infer' hung"),
    Kind("freeze", "camera", 1.0, 8.0, "repeats the same picture"),
    Kind("stall", "camera", 3.0, 8.0, "sends no frames"),
    Kind("hang", "camera", 3.0, 8.0, "'read camera' hung"),
)
"""A camera's death may be felt as long as a TPU's: both end the vision process."""


class Resources(NamedTuple):
    """What the recorder holds."""

    processes: int
    threads: int
    files: int
    memory_kb: int  # its own, anonymous

    @classmethod
    def of(cls, pid: int) -> "Resources":
        """Return those of the process *pid* and of how many run below it."""
        words = Path(f"/proc/{pid}/status").read_text().split()
        return cls(
            len(descendants(pid)),
            int(words[words.index("Threads:") + 1]),
            len(list(Path(f"/proc/{pid}/fd").iterdir())),
            int(words[words.index("RssAnon:") + 1]),
        )


class Felt(NamedTuple):
    """How long one fault was felt, seconds."""

    seen_s: float
    back_s: float


def missing() -> str:
    """Return what this machine lacks for it, "" if nothing."""
    if shutil.which("gcc") is None:
        return "no gcc to compile the pretended Edge TPU"
    try:
        tpu_model()
    except ModelError as error:
        return str(error)
    return ""


def tpu_model() -> Path:
    """
    Return the model for the Edge TPU.

    :raises ModelError: if it was not fetched
    """
    beside = HERE.parent.parent / "shared" / "models" / TPU_MODEL
    return beside if beside.is_file() else find_model(TPU_MODEL)


def make_tpu(folder: Path) -> None:
    """Put the library of the pretended TPU, and the model for it, into *folder*."""
    source = HERE / "rigs" / "fake_edgetpu.c"
    library = folder / "libtpu.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    shutil.copy(tpu_model(), folder / TPU_MODEL)


class FaultyBox(Box):
    """A box in *folder* whose parts do what they are told."""

    def __init__(self, folder: Path, window_s: float) -> None:
        super().__init__(folder)
        settings = (SETTINGS + TPU).format(
            folder=folder, camera="picamera", model=TPU_MODEL
        )
        self.file.write_text(settings)
        make_tpu(folder)
        self.moods = {"tpu": folder / "tpu", "camera": folder / "camera"}
        for part in self.moods:
            self.be(part, "ok")
        self.program = [sys.executable, "-c", HURRIED, str(window_s)]
        self.environment = {
            "FAKE_EDGETPU": str(self.moods["tpu"]),
            "FAKE_CAMERA": str(self.moods["camera"]),
            "PYTHONPATH": f"{HERE / 'rigs' / 'camera'}:{HERE.parent}",
        }
        self.board = SimulatedBoard(folder / "ecg-board")

    def be(self, part: str, mood: str) -> None:
        """Let *part* do as *mood* says from now on; no reader sees half a word."""
        aside = self.folder / f"{part}.new"
        aside.write_text(mood)
        aside.replace(self.moods[part])

    def resources(self) -> Resources:
        """Return what the recorder holds."""
        assert self.process is not None
        return Resources.of(self.process.pid)

    def suffer(self, kind: Kind) -> Felt:
        """Let one fault of *kind* happen, and return how long it was felt."""
        felt = self._cable() if kind.part == "serial" else self._part(kind)
        self._steady()
        return felt

    def _cable(self) -> Felt:
        """Pull the board's cable and plug it in again, as another terminal."""
        began = time.monotonic()
        self.board.unplug()
        self.until(lambda state: stream(state, "ecg").state == "lost")
        seen = time.monotonic()
        taken, other = os.openpty()  # the number that it had is another's now
        before = stream(self.client.state(), "ecg").received
        self.board.plug()
        plugged = time.monotonic()
        self.until(
            lambda state: (
                stream(state, "ecg").state == "ok"
                and stream(state, "ecg").received > before
            )
        )
        back = time.monotonic()
        os.close(taken)
        os.close(other)
        return Felt(seen - began, back - plugged)

    def _part(self, kind: Kind) -> Felt:
        began = time.monotonic()
        self.be(kind.part, kind.name)
        self.until(lambda state: stream(state, "camera").state == "lost")
        seen = time.monotonic()
        self.be(kind.part, "ok")
        self.until(lambda state: stream(state, "camera").state == "ok")
        return Felt(seen - began, time.monotonic() - began)

    def _steady(self) -> None:
        """Return once everything flows."""
        began = stream(self.client.state(), "pose").received
        self.until(
            lambda state: (
                all(one.state == "ok" for one in state.streams)
                and stream(state, "pose").received >= began + STEADY_POSES
            )
        )

    def record(self) -> "Record":
        """Return what is on the card."""
        return Record(self.settings.database)


class Record:
    """What a box wrote down."""

    def __init__(self, database: Path) -> None:
        with History(database) as history:
            self.events = list(history.events(*ALWAYS))
            made_by = ((pose.device, pose.model) for pose in history.poses(*ALWAYS))
            self.runs = [run for run, _ in itertools.groupby(made_by)]
            """Device and model of the poses, as they took turns."""
            self.unbroken = short(history)

    def losses(self, stream: str, words: str = "") -> int:
        """Return how often *stream* was lost, for a cause that has *words* in it."""
        return sum(
            (event.kind, event.stream) == ("state", stream)
            and event.detail.get("to") == "lost"
            and words in event.cause
            for event in self.events
        )

    def ecg_gaps(self) -> list[Event]:
        """Return the gaps of the ECG, but for that before its first sample."""
        gaps = [e for e in self.events if (e.kind, e.stream) == ("gap", "ecg")]
        return [gap for gap in gaps if gap.cause != "before the first samples"]


def short(history: History) -> list[int]:
    """Return for each segment how many samples it lacks for its length."""
    of: dict[int, list[EcgChunk]] = {number: [] for number in history.segments()}
    for chunk in history.chunks(*ALWAYS):
        of[chunk.segment].append(chunk)
    lacking = []
    for chunks in filter(None, of.values()):
        last = chunks[-1]
        samples = sum(len(chunk.counts) for chunk in chunks)
        span_ns = last.start + len(last.counts) * last.period_ns - chunks[0].start
        lacking.append(abs(round(span_ns * RATE_HZ / 1e9) - samples))
    return lacking


def stream(state: BoxState, name: str) -> StreamState:
    """Return the stream *name* of a box."""
    return next(one for one in state.streams if one.name == name)


@contextmanager
def faulty_box(folder: Path, window_s: float) -> Iterator[FaultyBox]:
    """Yield a box at which everything flows; leave nothing running."""
    box = FaultyBox(folder, window_s)
    with box.board:
        box.start()
        try:
            box.until(lambda state: all(s.state == "ok" for s in state.streams))
            yield box
        finally:
            if box.process is not None and box.process.poll() is None:
                box.kill()


def faults(count: int, tell: Callable[[str], None] = print) -> dict[str, int]:
    """
    Let each kind of fault happen *count* times in one recording, and return the
    figures: the usual and the worst of each kind in milliseconds, how many were late,
    and what was left behind.
    """
    figures: dict[str, int] = {"of_each_kind": count, "late": 0}
    with tempfile.TemporaryDirectory() as folder:
        with faulty_box(Path(folder), NO_LADDER_S) as box:
            for kind in KINDS:
                box.suffer(kind)  # what is loaded once is loaded
            before = box.resources()
            for kind in KINDS:
                tell(f"{kind.part} {kind.name}: {box.resources()}")
                felt = [box.suffer(kind) for _ in range(count)]
                figures |= summed_up(kind, felt)
                figures["late"] += sum(late(kind, one) for one in felt)
            after = box.resources()
            tell(f"before {before}, after {after}")
            assert box.process is not None
            below = descendants(box.process.pid)
            assert box.stop() == 0
            assert not any(map(alive, below))
        figures |= checked(box.record(), count + 1)
    assert after[:3] == before[:3], f"{before} became {after}"
    names = ("processes", "threads", "files")
    figures |= dict(zip(names, after[:3], strict=True))
    figures["memory_kb"] = after.memory_kb
    figures["memory_kb_more"] = after.memory_kb - before.memory_kb
    return figures


def summed_up(kind: Kind, felt: list[Felt]) -> dict[str, int]:
    """Return the median and the worst of *felt*, milliseconds."""
    figures = {}
    for verb, times in zip(("seen", "back"), zip(*felt, strict=True), strict=True):
        name = f"{kind.part}_{kind.name}_{verb}"
        figures[f"{name}_ms"] = round(1000 * statistics.median(times))
        figures[f"{name}_worst_ms"] = round(1000 * max(times))
    return figures


def late(kind: Kind, felt: Felt) -> bool:
    """Return whether a fault of *kind* was felt for longer than it may be."""
    return felt.seen_s > kind.seen_s or felt.back_s > kind.back_s


def checked(record: Record, count: int) -> dict[str, int]:
    """Return what *count* faults of each kind left in the recording."""
    cameras = [kind for kind in KINDS if kind.part != "serial"]
    found = {kind: record.losses("camera", kind.says) for kind in cameras}
    gaps = record.ecg_gaps()
    cables = [gap for gap in gaps if "has gone" in gap.cause]
    assert record.runs == [("tpu", TPU_MODEL)]
    assert len(cables) == record.losses("ecg") == count, gaps
    assert len(record.unbroken) == count + 1
    assert max(record.unbroken) <= 2, record.unbroken
    return {
        "otherwise": record.losses("camera") - sum(found.values())
        + sum(abs(losses - count) for losses in found.values()),
        "ecg_gaps_of_camera_and_tpu": len(gaps) - len(cables),
        "ecg_samples_short": max(record.unbroken),
    }  # fmt: skip


def ladder(folder: Path) -> Record:
    """Return the record of a box whose TPU fails three times, and works later."""
    with faulty_box(folder, LADDER_S) as box:
        box.be("tpu", "unplugged")
        box.until(lambda state: on(state, "cpu"))
        box.be("tpu", "ok")
        box.until(lambda state: on(state, "tpu"))
        assert box.stop() == 0
        return box.record()


def on(state: BoxState, device: str) -> bool:
    """Return whether poses come from *device*."""
    pose = stream(state, "pose")
    return pose.state == "ok" and pose.detail.get("device") == device


def main() -> int:
    """Run the campaign and print its figures."""
    logging.disable()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaign", choices=["faults"])
    parser.add_argument("seeds", metavar="FIRST:STOP")
    arguments = parser.parse_args()
    began = time.monotonic()
    first, stop = map(int, arguments.seeds.split(":"))
    counts = faults(stop - first, partial(print, file=sys.stderr, flush=True))
    took = round(time.monotonic() - began, 1)
    print(json.dumps({"seeds": arguments.seeds, **counts, "seconds": took}))
    return int(counts["late"] + counts["otherwise"] > 0)


if __name__ == "__main__":
    sys.exit(main())
