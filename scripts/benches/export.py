"""
An export of a recording that is generated straight into the store: 3 leads at 500 Hz,
15 poses and one vital a second, for EDGE_BENCH_HOURS hours (default 0.5; the figures
of the changelog are of 24).

`ecg.csv` is an export of that table as a person gets it: made, written, synced, read
back, compared; and once more while a recorder writes into the same store. Its peer is
`sqlite3 -csv` printing as many rows of the same columns and width from a plain table
into a file. `joined.csv` is the same for 10⁵ poses; its peer is what the original
system did, a list of dictionaries through pandas.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pandas as pd

from edge import config
from edge.control import Client
from edge.errors import EdgeError
from edge.history import History
from edge.join.columns import LEGACY
from edge.records import (
    BoxNs,
    BoxState,
    ClockReading,
    EcgChunk,
    Pose,
    Record,
    Segment,
    Session,
    UtcNs,
    Vital,
)
from edge.simulator import SimulatedBoard
from edge.store import Store
from scripts.benches import Row, side_by_side

HOURS = float(os.environ.get("EDGE_BENCH_HOURS", "0.5"))
ROOT = Path(__file__).parent.parent.parent
START = BoxNs(1_763_800_000_123_456_789)
S = 1_000_000_000
RATE_HZ, LEADS, POSES_HZ = 500, ("I", "II", "III"), 15
POSES = 100_000
PEAK_MB = 100.0
BATCH_S = 60
"""Seconds of recording in one transaction of the generator."""

RECORDER = """
[box]
data_dir = "."
[camera]
source = "none"
[ecg]
source = "serial"
port = "{port}"
board = "openbci-cyton"
[store]
capacity_gb = 4.0
ballast_mb = 1
"""
START_WITHIN_S = 60.0

EXPORT = """
import sys
from edge.__main__ import main
main(sys.argv[1:])
status = open("/proc/self/status").read()
print(status.split("VmHWM:")[1].split()[0], file=sys.stderr)
"""


def rows() -> list[Row]:
    """Return the figures; the recordings are made below var/ and removed."""
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        folder = Path(name)
        long = folder / "long.db"
        generate(long, round(HOURS * 3600))
        poses = folder / "poses.db"
        generate(poses, POSES // POSES_HZ + 1)
        return [*ecg_rows(folder, long), *joined_rows(folder, poses)]


def ecg_rows(folder: Path, database: Path) -> list[Row]:
    """Return speed and memory of every sample's table, and what the recorder felt."""
    peak_kb: list[int] = []
    plain = folder / "plain.db"
    out = folder / "ecg"
    export(database, out, "ecg", peak_kb)
    rows = json.loads((out / "manifest.json").read_text())["files"][0]["rows"]
    load_plain(plain, out / "ecg.csv")
    runs = 1 if HOURS > 2 else 3

    def ours() -> None:
        shutil.rmtree(out)
        export(database, out, "ecg", peak_kb)

    def peer() -> None:
        with (folder / "plain.csv").open("wb") as file:
            query = "SELECT * FROM ecg"
            subprocess.run(["sqlite3", "-csv", plain, query], stdout=file, check=True)

    took, peer_took, ratio = side_by_side(ours, peer, runs)
    saved, gaps = recorded_beside(folder, database)
    return [
        Row("ecg.csv", rows / took, rows / peer_took, ratio, "rows/s", runs,
            "ratio >= 1", ratio >= 1),
        Row("ecg.csv, peak memory", max(peak_kb) / 1024, None, None, "MiB", runs,
            f"<= {PEAK_MB:g}", max(peak_kb) / 1024 <= PEAK_MB),
        Row("recorded beside it", saved, None, None, "samples", 1, "> 0", saved > 0),
        Row("gaps in that", gaps, None, None, "", 1, "0", gaps == 0),
    ]  # fmt: skip


def joined_rows(folder: Path, database: Path) -> list[Row]:
    """Return speed and memory of the joined table of 10⁵ poses."""
    peak_kb: list[int] = []
    out = folder / "joined"
    records = original_records(database)

    def ours() -> None:
        shutil.rmtree(out, ignore_errors=True)
        export(database, out, "joined", peak_kb)

    def peer() -> None:
        pd.DataFrame(records).to_csv(folder / "original.csv", index=False)

    took, peer_took, ratio = side_by_side(ours, peer, 3)
    return [
        Row("joined.csv of 10⁵ poses", took, peer_took, ratio, "s", 3,
            "ratio >= 3", ratio >= 3),
        Row("joined.csv, peak memory", max(peak_kb) / 1024, None, None, "MiB", 3,
            f"<= {PEAK_MB:g}", max(peak_kb) / 1024 <= PEAK_MB),
    ]  # fmt: skip


def export(database: Path, out: Path, table: str, peak_kb: list[int]) -> None:
    """Run the command in a process of its own; add its peak memory to *peak_kb*."""
    words = ["export", "--database", str(database), "--output", str(out)]
    words += ["--tables", table]
    command = [sys.executable, "-c", EXPORT, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak_kb.append(int(done.stderr.split()[-1]))


def load_plain(plain: Path, csv: Path) -> None:
    """Make a plain table of the rows of *csv*, times as text, numbers as numbers."""
    leads = ", ".join(f"{lead} REAL" for lead in LEADS)
    table = f"""CREATE TABLE ecg (timestamp TEXT, box_s INTEGER, box_ns INTEGER,
        clock_synchronised TEXT, session INTEGER, uncertainty_ms REAL,
        segment INTEGER, {leads}, reasons TEXT, subject TEXT)"""
    load = f'.import --csv --skip 1 "{csv}" ecg'
    quick = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
    command = ["sqlite3", "-cmd", quick, "-cmd", table, str(plain), load]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def recorded_beside(folder: Path, database: Path) -> tuple[int, int]:
    """
    Return how many samples a recorder with a board of 8 leads at 250 Hz saved while
    all of *database*, which it records into, was exported, and how many gaps it had.
    """
    data = folder / "data"
    data.mkdir()
    database.rename(data / "recording.db")
    file = data / "edge.toml"
    file.write_text(RECORDER.format(port=data / "board"))
    settings = config.load(file)
    command = [sys.executable, "-m", "edge", "run", "--config", str(file)]
    with SimulatedBoard(data / "board"), subprocess.Popen(command) as box:
        try:
            with closing(Client(settings.control_socket)) as client:
                before = recording_since(client, 0)
                export(settings.database, folder / "beside", "ecg", [])
                after = recording_since(client, samples(before))
        finally:
            box.terminate()
    with History(settings.database) as history:
        found = list(history.events(before.now, after.now))
    gaps = [event for event in found if (event.kind, event.stream) == ("gap", "ecg")]
    return samples(after) - samples(before), len(gaps)


def recording_since(client: Client, saved: int) -> BoxState:
    """Return the recorder's first state with more samples *saved*."""
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        with suppress(EdgeError):  # it does not listen yet
            state = client.state()
            if samples(state) > saved:
                return state
        time.sleep(0.05)
    raise RuntimeError("the recorder beside the export records nothing")


def samples(state: BoxState) -> int:
    """Return how many samples are on the card since the recorder's start."""
    return state.saved["samples"]


def generate(path: Path, duration_s: int) -> None:
    """Store *duration_s* seconds of recording in *path*."""
    with Store(path) as store:
        store.append(
            [
                Session(1, "boot", START, 0, "0", "bench", "{}"),
                Segment(
                    1, 1, "serial", "bench", LEADS, (200.0,) * 3, (0,) * 3, RATE_HZ,
                    True, "counter",
                ),
                ClockReading(1, START, UtcNs(START + 12_345_678), True, 0),
            ]
        )  # fmt: skip
        for number in range(0, duration_s, BATCH_S):
            at = BoxNs(START + number * S)
            for batch in recording(at, min(BATCH_S, duration_s - number), number):
                store.append(batch)


def recording(at: BoxNs, duration_s: int, seed: int) -> Iterator[list[Record]]:
    """Yield up to a minute of records from *at* on."""
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0, 4, (duration_s * RATE_HZ, len(LEADS))), axis=0)
    counts = np.round(walk).astype(np.int32)
    points = random.uniform(0, 640, (duration_s * POSES_HZ, 17, 3)).astype(np.float32)
    points[:, :, 2] /= 640
    batch: list[Record] = []
    for second in range(duration_s):
        begin = at + second * S
        part = counts[second * RATE_HZ : (second + 1) * RATE_HZ]
        batch.append(EcgChunk(1, BoxNs(begin), S / RATE_HZ, 300_000, part))
        batch.append(Vital(BoxNs(begin), "heart_rate", 60.0, "", "serial", True))
        for step in range(POSES_HZ):
            exposed = BoxNs(begin + step * S // POSES_HZ)
            keypoints = points[second * POSES_HZ + step]
            batch.append(
                Pose(exposed, 1_000_000, "sensor", "camera", "pose", keypoints, 640,
                     480, 0, "movenet_lightning_int8.tflite", "cpu", 6.25)
            )  # fmt: skip
    yield batch


def original_records(database: Path) -> list[dict[str, object]]:
    """Return the poses as the original system held them: a dictionary each."""
    names = [column.name for column in LEGACY]
    ecg = ["2025-06-29T14:22:01.500000", 72, 0.1, 0.2, 0.3, 120, 80, 98, True]
    with History(database) as history:
        return [
            dict(
                zip(
                    names,
                    ["2025-06-29T14:22:01.500000", "uploads/image.jpg", True]
                    + pose.keypoints[:, (1, 0, 2)].ravel().tolist()
                    + ecg,
                    strict=True,
                )
            )
            for pose in history.poses(BoxNs(0), BoxNs(2**62))
        ]
