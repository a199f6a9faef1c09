"""
Frames a second through letterbox, inference, keypoints and store, against the bare
interpreter loop on the same frames: what everything around the model costs.
"""

import tempfile
import threading
from pathlib import Path

from edge import config
from edge.crop import Cutter, whole
from edge.models import find_model, load_model
from edge.pose import PoseTracker
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


def rows() -> list[Row]:
    """Return the one figure."""
    model = load_model(find_model())
    with SyntheticCamera(rate_hz=RATE_HZ) as camera:
        frames = [frame for _ in range(FRAMES) if (frame := camera.read(1.0))]
    cutter = Cutter(model.size)
    squares = [cutter.cut(frame.pixels, whole(640, 480)).copy() for frame in frames]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "recording.db")

        def ours() -> None:
            tracker = PoseTracker(model)
            intake = Intake()
            ended = threading.Event()
            keeper = threading.Thread(target=keep, args=(store, intake, ended))
            keeper.start()
            for frame in frames:
                found = tracker.step(frame)
                intake.put([as_pose(frame, found, model, ORDERS)])
            ended.set()
            intake.close()
            keeper.join()

        def bare() -> None:
            for square in squares:
                model.infer(square)

        our_s, bare_s, ratio = side_by_side(ours, bare, runs=RUNS)
        store.close()
    name = "pose loop, letterbox to store"
    return [
        Row(name, FRAMES / our_s, FRAMES / bare_s, ratio, "frames/s", RUNS,
            f"ratio >= {BAR}", ratio >= BAR)
    ]  # fmt: skip


def keep(store: Store, intake: Intake, ended: threading.Event) -> None:
    """Commit each half second beside the loop, as the recorder does, then the rest."""
    last = False
    while not last:
        last = ended.is_set()
        records = intake.take(0.5)
        store.append(records)
        intake.saved(len(records))
