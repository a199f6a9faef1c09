"""
Frames a second through letterbox, inference, keypoints and store, against the bare
interpreter loop on the same frames: what everything around the model costs.

The loop commits each half second, as the recorder does. Two rows beside it say what
the box pays more: the pipe to the recorder, and a dark room, which is read closely.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from edge import config
from edge.models import Model, find_model, load_model
from edge.pose import PoseTracker
from edge.pose.crop import Cutter, whole
from edge.records import Frame, Pose, Record
from edge.sources.synthetic import SyntheticCamera
from edge.store import Store
from edge.vision.messages import Orders
from edge.vision.process import as_pose
from scripts.benches import Row, side_by_side

FRAMES = 150
RATE_HZ = 60.0
ORDERS = Orders(config.Camera(), config.Pose(), "cpu", 0, 0.0)
RUNS = 9
RUNS_OF_BAR = 41
"""On a shared machine one pair differs from the next by a tenth."""
BAR = 0.90
COMMIT_S = 0.5
DARK_NOISE = 15.0
"""Standard deviation of what is added to show a dark room, of 255."""


class Keeper:
    """Commits poses before one waits longer than half a second, or when asked."""

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder / "recording.db")
        self._poses: list[Record] = []
        self._oldest = 0.0  # when it came

    def keep(self, pose: Pose) -> None:
        """Take *pose*."""
        now = time.monotonic()
        if not self._poses:
            self._oldest = now
        self._poses.append(pose)
        if now - self._oldest >= COMMIT_S:
            self.commit()

    def commit(self) -> None:
        """Return once all is on the disk."""
        self._store.append(self._poses)
        self._poses = []


def rows() -> list[Row]:
    """Return the figure, and what pipe and darkness add."""
    model = load_model(find_model())
    with SyntheticCamera(rate_hz=RATE_HZ) as camera:
        frames = [frame for _ in range(FRAMES) if (frame := camera.read(1.0))]
    rng = np.random.default_rng(1)
    dark = [darker(frame, rng) for frame in frames]
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        recorder = spawn.Process(target=record, args=(Path(other), theirs))
        recorder.start()
        theirs.close()
        keeper = Keeper(Path(one))

        def answered() -> None:
            ours.send(None)
            ours.recv()

        here, there = (keeper.keep, keeper.commit), (ours.send, answered)
        measured = [
            row("pose loop, letterbox to store", model, frames, *here, BAR),
            row("the same, noisy as in a dark room", model, dark, *here, None),
            row("the same, stored by another process", model, frames, *there, None),
        ]
        ours.close()
        recorder.join()
    return measured


def row(
    name: str,
    model: Model,
    frames: list[Frame],
    keep: Callable[[Pose], None],
    commit: Callable[[], None],
    bar: float | None,
) -> Row:
    """Return the figure for *frames*, whose poses go to *keep*."""
    cutter = Cutter(model.size)
    squares = [cutter.cut(frame.pixels, whole(640, 480)).copy() for frame in frames]

    def loop() -> None:
        tracker = PoseTracker(model)
        for frame in frames:
            keep(as_pose(frame, tracker.step(frame), model, ORDERS))
        commit()

    def bare() -> None:
        for square in squares:
            model.infer(square)

    runs = RUNS if bar is None else RUNS_OF_BAR
    our_s, bare_s, ratio = side_by_side(loop, bare, runs)
    holds = None if bar is None else ratio >= bar
    text = "" if bar is None else f"ratio >= {bar}"
    rates = FRAMES / our_s, FRAMES / bare_s
    return Row(name, *rates, ratio, "frames/s", runs, text, holds)


def darker(frame: Frame, rng: np.random.Generator) -> Frame:
    """Return *frame* with the noise of a camera that amplifies."""
    noise = rng.normal(0, DARK_NOISE, frame.pixels.shape)
    pixels = np.clip(frame.pixels + noise, 0, 255).astype(np.uint8)
    return frame._replace(pixels=pixels)


def record(folder: Path, pipe: Connection) -> None:
    """Store what comes through *pipe*; answer each ``None`` once all is committed."""
    keeper = Keeper(folder)
    with suppress(EOFError):  # once the loops are over
        while True:
            pose: Pose | None = pipe.recv()
            if pose is None:
                keeper.commit()
                pipe.send(None)
            else:
                keeper.keep(pose)
