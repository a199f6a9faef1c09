"""
Frames a second through letterbox, inference, keypoints and store, against the bare
interpreter loop on the same frames: what everything around the model costs.

As on the box the poses go through a pipe to another process, which commits them; a run
ends when that one has said that the last pose is on the disk.
"""

import tempfile
import threading
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from edge import config
from edge.crop import Cutter, whole
from edge.models import Model, find_model, load_model
from edge.pose import PoseTracker
from edge.records import Frame, Pose
from edge.sources.synthetic import SyntheticCamera
from edge.store import Store
from edge.vision import Orders, as_pose
from edge.worker import Intake
from scripts.benches import Row, side_by_side

FRAMES = 150
RATE_HZ = 60.0
ORDERS = Orders(config.Camera(), config.Pose(), "cpu", 0, 0.0)
RUNS = 15
BAR = 0.90
DARK_NOISE = 15.0
"""Standard deviation of what is added to show a dark room, of 255."""


def rows() -> list[Row]:
    """Return the figure in good light, and what a dark room costs."""
    model = load_model(find_model())
    with SyntheticCamera(rate_hz=RATE_HZ) as camera:
        frames = [frame for _ in range(FRAMES) if (frame := camera.read(1.0))]
    rng = np.random.default_rng(1)
    dark = [darker(frame, rng) for frame in frames]
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "recording.db"
        recorder = spawn.Process(target=record, args=(database, theirs))
        recorder.start()
        theirs.close()
        measured = [
            row("pose loop, letterbox to store", model, frames, ours, BAR),
            row("the same, noisy as in a dark room", model, dark, ours, None),
        ]
        ours.close()
        recorder.join()
    return measured


def row(
    name: str, model: Model, frames: list[Frame], pipe: Connection, bar: float | None
) -> Row:
    """Return the figure for *frames*; *pipe* leads to the recorder."""
    cutter = Cutter(model.size)
    squares = [cutter.cut(frame.pixels, whole(640, 480)).copy() for frame in frames]

    def loop() -> None:
        tracker = PoseTracker(model)
        for frame in frames:
            pipe.send(as_pose(frame, tracker.step(frame), model, ORDERS))
        pipe.send(None)
        pipe.recv()

    def bare() -> None:
        for square in squares:
            model.infer(square)

    our_s, bare_s, ratio = side_by_side(loop, bare, runs=RUNS)
    holds = None if bar is None else ratio >= bar
    text = "" if bar is None else f"ratio >= {bar}"
    rates = FRAMES / our_s, FRAMES / bare_s
    return Row(name, *rates, ratio, "frames/s", RUNS, text, holds)


def darker(frame: Frame, rng: np.random.Generator) -> Frame:
    """Return *frame* with the noise of a camera that amplifies."""
    noise = rng.normal(0, DARK_NOISE, frame.pixels.shape)
    pixels = np.clip(frame.pixels + noise, 0, 255).astype(np.uint8)
    return frame._replace(pixels=pixels)


def record(database: Path, pipe: Connection) -> None:
    """Store what comes through *pipe*; answer each ``None`` once all is committed."""
    store, intake = Store(database), Intake()
    keeper = threading.Thread(target=keep, args=(store, intake), daemon=True)
    keeper.start()
    count = 0
    with suppress(EOFError):  # once the loops are over
        while True:
            pose: Pose | None = pipe.recv()
            if pose is not None:
                count = intake.put([pose])
                continue
            intake.wait(count, timeout_s=10.0)
            pipe.send(None)


def keep(store: Store, intake: Intake) -> None:
    """Commit each half second, as the recorder does."""
    while True:
        records = intake.take(0.5)
        store.append(records)
        intake.saved(len(records))
