"""Kill −9 at random moments of a recording."""

import os
import random
import select
import shutil
import signal
import time
from pathlib import Path

from records_store import (
    quick_folder,
    segment,
    session,
)
from storecheck import Counts, batch, check, opened

from edge.database import writer


def kill(first: int, stop: int) -> Counts:
    """
    Kill a recording process once a seed, and look at what it left.

    Ten seeds share a database, so that each life opens what a killed one left. Forks,
    so it wants a process of its own.
    """
    acked_in_all = 0
    slowest_s = 0.0
    with quick_folder() as folder:
        for seed in range(first, stop):
            group = seed // 10
            path = folder / str(group) / "edge.db"
            acked = -1
            if not path.parent.exists():
                path.parent.mkdir()
            else:
                acked = check(path, group, -1, most=1 << 60)
            began = time.monotonic()
            acked_now, opened_s = one_life(path, group, acked + 1, random.Random(seed))
            slowest_s = max(slowest_s, opened_s)
            assert time.monotonic() - began < 60
            check(path, group, max(acked, acked_now))
            acked_in_all += max(acked_now - acked, 0)
            if seed % 10 == 9:
                shutil.rmtree(path.parent)
    return {
        "kills": stop - first,
        "acknowledged": acked_in_all,
        "lost": 0,
        "slowest_opening_ms": round(slowest_s * 1000),
    }


def one_life(
    path: Path, seed: int, number: int, chance: random.Random
) -> tuple[int, float]:
    """
    Record from batch *number* in a child until it is killed at a random moment.

    Returns the number of the batch it acknowledged last, and how long it took to open.
    """
    reading, writing = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.close(reading)
        record_for_ever(path, seed, number, writing)
    os.close(writing)
    acked, opened_s = number - 1, 0.0
    answers = chance.choice([0, 1, 1 + chance.randrange(60)])
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while answers > 0:
            line = pipe.read(8)
            assert len(line) == 8, f"seed {seed}: the recording ended by itself"
            opened_s = opened_s or time.monotonic() - began
            acked = int.from_bytes(line, "little", signed=True)
            answers -= 1
        # A random moment after that: inside opening, a commit, a checkpoint.
        select.select([], [], [], chance.random() ** 3 * 0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while len(line := pipe.read(8)) == 8:
            acked = int.from_bytes(line, "little", signed=True)
    return acked, opened_s


def record_for_ever(path: Path, seed: int, number: int, answers: int) -> None:
    """Append batch after batch, and say so of each. Never returns."""
    try:
        writer.CHECKPOINT_BYTES = 1 << 17
        store = opened(path)
        store.append([session(), segment()])
        while True:
            store.append(batch(seed, number))
            os.write(answers, number.to_bytes(8, "little", signed=True))
            number += 1
    finally:
        os._exit(1)
