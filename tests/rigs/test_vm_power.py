"""
Power cut at random moments: what was counted as saved is on the disk.

``EDGE_RIG_CUTS``: how many cuts (default 20). ``EDGE_RIG_SEED``: the seed to repeat.
"""

import os
import random
import time
from pathlib import Path

from edge.simulator import SimulatedBoard
from rigs.disk import Disk
from rigs.qemu import Machine
from rigs.vm import MARKS, SLOW, data_of, plug_board, saved_more, serial, sound_samples

pytestmark = MARKS
CUTS = int(os.environ.get("EDGE_RIG_CUTS", "20"))
RECORDING_WITHIN_S = 30
LONGEST_S = 8.0
"""A cut comes so long after the first sample at most: some sixteen commits."""


def test_power_cuts_lose_nothing_that_was_counted_as_saved(
    disk: Disk, board: SimulatedBoard, tmp_path: Path
) -> None:
    """One disk goes on from cut to cut, and is looked at from outside after each."""
    seed = int(os.environ.get("EDGE_RIG_SEED") or random.randrange(1 << 30))
    print(f"seed {seed}")
    chance = random.Random(seed)
    disk.machine(tmp_path)
    before = lost = 0
    ups = []
    for cut in range(CUTS):
        with Machine(disk, tmp_path, serial(board)) as machine:
            plug_board(machine)
            machine.booted().until(saved_more(0), 60 * SLOW)
            ups.append(machine.uptime_s())
            counted = watched_until(
                machine, time.monotonic() + chance.uniform(0, LONGEST_S)
            )
        with data_of(tmp_path) as database:
            there = sound_samples(database)
        lost += max(0, counted - (there - before))
        print(
            f"cut {cut + 1}: recording at {ups[-1]:.0f} s; {counted} counted as saved, "
            f"{there - before} there; intact"
        )
        before = there
    ups.sort()
    median, load = ups[len(ups) // 2], os.getloadavg()[0]
    print(
        f"{CUTS} cuts, {lost} samples lost; recording {ups[0]:.0f} to {ups[-1]:.0f} s "
        f"after the kernel began, median {median:.0f} s; load {load:.0f}"
    )
    assert lost == 0
    assert median <= RECORDING_WITHIN_S * SLOW


def watched_until(machine: Machine, end_s: float) -> int:
    """Return the samples that the recorder counted as saved last before *end_s*."""
    counted = int(machine.state()["saved"]["samples"])
    while time.monotonic() < end_s:
        counted = int(machine.state()["saved"]["samples"])
    return counted
