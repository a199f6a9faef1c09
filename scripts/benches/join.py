"""
The join: how fast beside pandas, and how long one live look-up takes.

The same sorted times go to `edge.join.nearest`, to `edge.join.nearest_in_runs` (which
knows that a chunk is a start and a period) and to ``pandas.merge_asof``; the answers
must be equal. The live look-up asks `edge.join.rows` for one pose among ever more
stored samples.

EDGE_JOIN_SAMPLES (10000000) and EDGE_JOIN_POSES (1000000) are the sizes;
EDGE_JOIN_STORED (10000000) is the most samples that are stored for the look-up.
"""

import os
import statistics
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from edge.history import History
from edge.join import NONE, Runs, Times, nearest, nearest_in_runs
from edge.join.rows import joined_rows, read_labels
from edge.records import BoxNs, EcgChunk, Pose, Segment, Session
from edge.store import Store
from scripts.benches import Row, seconds, side_by_side

SAMPLES = int(os.environ.get("EDGE_JOIN_SAMPLES", "10000000"))
POSES = int(os.environ.get("EDGE_JOIN_POSES", "1000000"))
STORED = int(os.environ.get("EDGE_JOIN_STORED", "10000000"))
TOLERANCE_NS = 1_000_000_000
START = 1_767_268_800_000_000_000
PERIOD_NS = 2e6  # 500 Hz
CHUNK = 200  # samples in 0.4 s
LOOK_UPS = 50
MOST_MS = 5.0


def rows() -> list[Row]:
    """Return the speed beside pandas, and the look-up at growing sizes."""
    runs, times, poses = recording(np.random.default_rng(1))
    return [*beside_pandas(runs, times, poses), *look_ups()]


def recording(dice: np.random.Generator) -> tuple[Runs, Times, Times]:
    """Return chunks whose rate drifts a little and that have gaps, all their samples'
    instants, and poses at 15 a second scattered a little."""
    count = SAMPLES // CHUNK
    period = PERIOD_NS * (1 + np.cumsum(dice.normal(0, 1e-8, count)))
    gap = np.where(dice.random(count) < 0.001, 3e9, 0) + period
    length = np.rint((CHUNK - 1) * period + gap).astype(np.int64)
    start = START + np.cumsum(length) - length
    steps = np.rint(np.arange(CHUNK) * period[:, None]).astype(np.int64)
    times = (start[:, None] + steps).ravel()
    poses = np.linspace(times[0], times[-1], POSES).astype(np.int64)
    poses = np.sort(poses + dice.integers(-5_000_000, 5_000_000, POSES))
    return Runs(start, period, np.full(count, CHUNK)), times, poses


def beside_pandas(runs: Runs, times: Times, poses: Times) -> list[Row]:
    """Return both ways of ours beside ``merge_asof``; raise if an answer differs."""
    import pandas as pd

    left = pd.DataFrame({"time": poses})
    right = pd.DataFrame({"time": times, "place": np.arange(len(times))})

    def theirs() -> Times:
        found = pd.merge_asof(
            left, right, on="time", direction="nearest", tolerance=TOLERANCE_NS
        )
        place: Times = found["place"].fillna(NONE).to_numpy(np.int64)
        return place

    def listed() -> Times:
        return nearest(times, poses, TOLERANCE_NS)

    def known() -> Times:
        place = nearest_in_runs(runs, poses, TOLERANCE_NS)
        return np.where(place.chunk == NONE, NONE, place.chunk * CHUNK + place.sample)

    expected = theirs()
    name = f"{POSES:,} poses, {SAMPLES:,} samples"
    found = []
    for label, call, bar in (
        (f"{name}, listed", listed, 1.0),
        (f"{name}, as chunks", known, 2.0),
    ):
        if not np.array_equal(call(), expected):
            raise AssertionError(f"{label}: not the answer of pandas.merge_asof")
        ours, peer, ratio = side_by_side(call, theirs)
        text = f"equal, ratio >= {bar:g}"
        found.append(Row(label, ours, peer, ratio, "s", 5, text, ratio >= bar))
    return found


def look_ups() -> list[Row]:
    """Return the median and the worst milliseconds of a look-up at each size."""
    found: list[Row] = []
    sizes = [
        size for size in (10_000, 100_000, 1_000_000, 10_000_000) if size <= STORED
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edge.db"
        with Store(path) as store:
            stored = fill(store, 0, 0)
            for size in sizes:
                stored = fill(store, stored, size)
                found.append(look_up(store, path, stored))
    flat = found[-1].ours / found[0].ours
    name = f"look-up at {sizes[-1]:,} / at {sizes[0]:,} stored"
    return [*found, Row(name, flat, None, None, "", LOOK_UPS, "<= 2", flat <= 2)]


def fill(store: Store, stored: int, size: int) -> int:
    """Store samples until there are *size*; return how many there are."""
    if not stored:
        session = Session(1, "boot", BoxNs(START), 0, "", "", "{}")
        leads = ("I", "II", "III")
        segment = Segment(
            1, 1, "serial", "", leads, (1e3,) * 3, (0,) * 3, 500, True, "counter"
        )
        store.append([session, segment])
    counts = np.zeros((CHUNK, 3), np.int32)
    while stored < size:
        batch = [
            EcgChunk(1, BoxNs(START + (stored + k) * 2_000_000), 2e6, 10_000, counts)
            for k in range(0, min(size - stored, 500 * CHUNK), CHUNK)
        ]
        store.append(batch)
        stored += len(batch) * CHUNK
    return stored


def look_up(store: Store, path: Path, stored: int) -> Row:
    """Return how long it takes to join one pose, anywhere in the recording."""
    dice = np.random.default_rng(stored)
    points = np.zeros((17, 3), np.float32)
    times = START + dice.integers(0, stored * 2_000_000, LOOK_UPS)
    store.append(
        [
            Pose(
                BoxNs(int(at)), 0, "sensor", "camera", "pose", points,
                640, 480, 0, "", "cpu", 1.0,
            )
            for at in times
        ]
    )  # fmt: skip
    with History(path) as history:
        labels = read_labels(history)

        def one(at: int) -> None:
            end = BoxNs(at + 1)
            (row,) = joined_rows(history, BoxNs(at), end, TOLERANCE_NS, labels)
            assert row.sample is not None

        one(int(times[0]))
        taken = [1000 * seconds(partial(one, at)) for at in times.tolist()]
    median = statistics.median(taken)
    name = f"one live pose among {stored:,} stored samples"
    return Row(name, median, None, None, "ms", LOOK_UPS, "<= 5", median <= MOST_MS)
