"""
Resident memory of recorder, vision and web together after a minute of demo, and the
time from the start of everything to the first joined row on the card.

EDGE_BENCH_SECONDS shortens the minute.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edge.errors import EdgeError
from edge.history import History
from edge.join.rows import joined_rows
from edge.records import BoxNs
from scripts.benches import Row

WITHIN_MB = 300.0
FIRST_ROW_S = 3.0
TOLERANCE_NS = 1_000_000_000


def rows() -> list[Row]:
    """Return memory and start."""
    seconds = float(os.environ.get("EDGE_BENCH_SECONDS", "60"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.monotonic()
        demo = subprocess.Popen(
            [sys.executable, "-m", "edge", "demo", "--data", name, "--port", "0"],
            stdout=subprocess.DEVNULL,
        )
        try:
            first_row_s = wait_for_row(folder / "recording.db", began)
            time.sleep(seconds - first_row_s)
            resident_mb = {
                part: sum(resident(pid) for pid in found)
                for part, found in parts(demo.pid).items()
            }
        finally:
            demo.terminate()  # a shell has a command in the background ignore SIGINT
            demo.wait(30)
    total_mb = sum(resident_mb.values())
    each = ", ".join(f"{part} {size:.0f}" for part, size in resident_mb.items())
    return [
        Row(f"resident after {seconds:.0f} s: {each}", total_mb, None, None, "MB", 1,
            f"<= {WITHIN_MB:.0f}", total_mb <= WITHIN_MB),
        Row("start to first joined row", first_row_s, None, None, "s", 1,
            f"<= {FIRST_ROW_S:.0f}", first_row_s <= FIRST_ROW_S),
    ]  # fmt: skip


def wait_for_row(database: Path, began: float) -> float:
    """Return how many seconds after *began* the first joined row was there."""
    while (waited := time.monotonic() - began) < 60:
        try:
            history = History(database)
            every = joined_rows(history, BoxNs(0), BoxNs(2**62), TOLERANCE_NS)
            if any(row.sample is not None for row in every):
                return waited
        except EdgeError:
            pass  # not there yet
        time.sleep(0.05)
    raise SystemExit("the demo joined nothing within a minute")


def parts(demo_pid: int) -> dict[str, list[int]]:
    """Return the processes of the box below the demo, by what they are."""
    found: dict[str, list[int]] = {"recorder": [], "vision": [], "web": []}
    for pid in descendants(demo_pid):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        if any("edge.vision" in word for word in words):
            found["vision"].append(pid)
        elif "run" in words:
            found["recorder"].append(pid)
        elif "web" in words:
            found["web"].append(pid)
    return found


def descendants(pid: int) -> list[int]:
    """Return the processes below *pid*."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [
        child
        for thread in threads
        for child in (thread / "children").read_text().split()
    ]
    return [int(child) for child in children] + [
        below for child in children for below in descendants(int(child))
    ]


def resident(pid: int) -> float:
    """Return the resident megabytes of *pid*."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / 1e6
