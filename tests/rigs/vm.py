"""
What the tests in the virtual machine share: its settings, its parts, its data.

``EDGE_RIG_SLOW``: how many times slower than a box this machine may be (default 10:
software emulation with two quiet cores; more where others work on it too).
"""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.history import History
from edge.simulator import SimulatedBoard
from rigs import qemu, roots
from rigs.qemu import Machine

MARKS = roots.marks("vm", 7200, *qemu.TOOLS)
SLOW = int(os.environ.get("EDGE_RIG_SLOW", "10"))
SETTINGS = """
[camera]
source = "video"
device = "/dev/video0"
width_px = 320
height_px = 180
rate_hz = 5.0
[ecg]
port = "/dev/serial/by-id/*"
board = "openbci-cyton"
[store]
capacity_gb = 0.1
ballast_mb = 1
[web]
host = "0.0.0.0"
port = 443
"""
CAMERA = "rig.camera"
TPU = "rig.tpu"
"""Words of the kernel's command line that put in a webcam, an Edge TPU's USB ids."""

State = dict[str, Any]


def serial(board: SimulatedBoard) -> list[str]:
    """Return the options that make *board* known to QEMU, not yet plugged in."""
    return ["-chardev", f"serial,id=ecg,path={board.link.resolve()}"]


def plug_board(machine: Machine) -> None:
    """Plug the board in, always into the same socket: its serial number is of that."""
    machine.plug("usb-serial", "board", chardev="ecg", port="1")


def stream(state: State, name: str) -> dict[str, Any]:
    """Return what *state* says of the stream *name*."""
    return next(entry for entry in state["streams"] if entry["name"] == name)


def ecg_is(wanted: str) -> Callable[[State], bool]:
    """Return whether the ECG's state is the *wanted* one, as a question to a state."""
    return lambda state: bool(stream(state, "ecg")["state"] == wanted)


def saved_more(samples: int) -> Callable[[State], bool]:
    """Return whether more than *samples* are on the disk, as a question to a state."""
    return lambda state: bool(state["saved"]["samples"] > samples)


@contextmanager
def data_of(folder: Path) -> Iterator[Path]:
    """Mount a copy of the data disk of the machine in *folder*, as after a cut."""
    image, at = folder / "after.raw", folder / "after"
    at.mkdir(exist_ok=True)
    subprocess.run(["cp", "--sparse=always", folder / "data.raw", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, at], check=True)
    try:
        yield at / "recording.db"
    finally:
        subprocess.run(["umount", at], check=True)


def sound_samples(database: Path) -> int:
    """Return the number of samples in *database*, once nobody finds damage in it."""
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    with History(database) as history:
        assert history.damaged == 0
        return history.counts().samples
