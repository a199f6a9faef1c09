"""
Frames a second through letterbox, inference, keypoints and store, against the bare
interpreter loop on the same frames: what everything around the model costs.
"""

import tempfile
from pathlib import Path

from edge import config
from edge.crop import Cutter, whole
from edge.models import find_model, load_model
from edge.pose import PoseTracker
from edge.records import Record
from edge.sources.synthetic import SyntheticCamera
from edge.store import Store
from edge.vision import Orders, as_pose
from scripts.benches import Row, side_by_side

FRAMES = 150
RATE_HZ = 60.0
ORDERS = Orders(config.Camera(), config.Pose(), "cpu", 0, 0.0)
COMMIT_FRAMES = 8
"""At 15 frames a second a commit each half second has so many."""
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
            batch: list[Record] = []
            for frame in frames:
                found = tracker.step(frame)
                batch.append(as_pose(frame, found, model, ORDERS))
                if len(batch) == COMMIT_FRAMES:
                    store.append(batch)
                    batch = []
            store.append(batch)

        def bare() -> None:
            for square in squares:
                model.infer(square)

        our_s, bare_s, ratio = side_by_side(ours, bare, runs=7)
        store.close()
    name = "pose loop, letterbox to store"
    return [
        Row(name, FRAMES / our_s, FRAMES / bare_s, ratio, "frames/s", 7,
            f"ratio >= {BAR}", ratio >= BAR)
    ]  # fmt: skip
