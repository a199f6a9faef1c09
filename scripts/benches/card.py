"""
What a recording costs the card: bytes written to database and log, and commits.

Three leads at 500 Hz, 15 poses a second and a vital, dated and committed as the
recorder does it. Counted are the bytes of the calls that write, while the file grows
and once the oldest rows leave; what the file system adds for itself is left out.
"""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.clock import BoxClock
from edge.config import Settings
from edge.pipeline import EcgFlow
from edge.protocols import make_decoder
from edge.recorder import CHUNK_SHARE
from edge.records import BoxNs, Pose, Record, Session, Vital
from edge.store import Store
from scripts.benches import Row
from scripts.benches.ingest import RATE_HZ, bursts

S = 1_000_000_000
MEASURED_S = 900
KEPT_H = 0.2
POSE_NS = S // 15
MB_AN_HOUR_BAR = 400.0


def rows() -> list[Row]:
    """Return megabytes and commits an hour."""
    growing, kept, _ = written(retention_h=24.0, before_s=0)
    turning, _, commits = written(KEPT_H, before_s=round(KEPT_H * 3600 * 1.5))
    return [
        Row("written while the file grows", growing, None, None, "MB an hour", 1),
        Row("written once the oldest rows leave", turning, None, None, "MB an hour", 1,
            f"<= {MB_AN_HOUR_BAR:.0f}", turning <= MB_AN_HOUR_BAR),
        Row("the same for each byte that stays", turning / kept, None, None, "bytes",
            1),
        Row("commits, each synced", commits, None, None, "an hour", 1),
    ]  # fmt: skip


def written(retention_h: float, before_s: int) -> tuple[float, float, float]:
    """
    Return per hour: megabytes written, megabytes that the file grew, and commits;
    counted after *before_s* of recording.
    """
    hours = MEASURED_S / 3600
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.db"
        with Store(path, retention_h=retention_h, ballast_bytes=0) as store:
            store.append([Session(1, "", BoxNs(0), 0, "", "", "{}")])
            recorded = pieces(before_s + MEASURED_S)
            while (piece := next(recorded))[0] < before_s * S:
                store.append(piece[1])
            bytes_then, size_then = bytes_of_calls(), path.stat().st_size
            commits_then = store.totals.batch
            for _, records in recorded:
                store.append(records)
            each = (bytes_of_calls() - bytes_then) / 1e6 / hours
            grown = (path.stat().st_size - size_then) / 1e6 / hours
            return each, grown, (store.totals.batch - commits_then) / hours


def pieces(length_s: int) -> Iterator[tuple[int, list[Record]]]:
    """Yield what each commit takes, with the instant of it."""
    decoder = make_decoder("openbci-cyton")
    decoder.board = decoder.board._replace(sampling_rate_hz=RATE_HZ)
    chunk_ns = round(Settings().store.commit_interval_ms * 1e6 * CHUNK_SHARE)
    flow = EcgFlow(
        decoder, BoxClock(0), 1, itertools.count(1), leads=("I", "II", "III"),
        chunk_ns=chunk_ns,
    )  # fmt: skip
    body = np.random.default_rng(1).random((17, 3), np.float32)
    posed = 0
    for chunk in bursts(length_s):
        if records := flow.feed(chunk):
            now = chunk.received
            poses = range(posed, now, POSE_NS)
            posed += len(poses) * POSE_NS
            records += [pose(BoxNs(at), body) for at in poses]
            records += [Vital(BoxNs(now), "heart_rate", 70.0, "", "serial", True)]
            yield now, records


def pose(at: BoxNs, keypoints: NDArray[np.float32]) -> Pose:
    """Return the record of *keypoints* seen *at* an instant."""
    return Pose(
        at, S // 100, "sensor", "camera", "pose", keypoints,
        640, 480, 0, "movenet_lightning_int8.tflite", "cpu", 3.0,
    )  # fmt: skip


def bytes_of_calls() -> int:
    """Return how many bytes this process has handed to the kernel to write."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])
