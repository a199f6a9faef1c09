"""
The power cut at every operation of a recording, and a disk that fails at any of them.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from faultdisk import FULL, FaultDisk, fault_disk
from powercut import cuts
from records_store import (
    quick_folder,
    segment,
    session,
)
from storecheck import Counts, batch, begun, check, lay_out, opened, small_checkpoints

from edge.database import writer
from edge.errors import StoreError
from edge.records import Record


def cut(first: int, stop: int, seconds: int = 40, again: int = 50) -> Counts:
    """
    Cut the power at every operation of a recording a seed, in three ways and more.

    Of what was not synced nothing, all, or some random sectors have reached the disk.
    One state in *again* is recorded on and cut a second time.
    """
    counts: Counts = {"states": 0, "operations": 0, "second_cuts": 0, "lost": 0}
    for seed in range(first, stop):
        with quick_folder() as folder, small_checkpoints():
            log = recorded(folder / "a" / "edge.db", seed, 0, seconds)
            counts["operations"] += len(log)
            for number, (state, acked) in enumerate(cuts(log, {}, seed)):
                lay_out(folder / "b", state)
                newest = check(folder / "b" / "edge.db", seed, acked)
                counts["states"] += 1
                if number % again == seed % again:
                    lay_out(folder / "b", state)
                    counts["second_cuts"] += cut_again(folder, seed, newest, state)
    return counts


def cut_again(folder: Path, seed: int, newest: int, state: dict[str, bytes]) -> int:
    """Record on from *state*, cut that at every operation too; return how often."""
    log = recorded(folder / "b" / "edge.db", seed, newest + 1, 2)
    states = list(cuts(log, state, seed, acked=newest))
    for again, acked in states:
        lay_out(folder / "c", again)
        check(folder / "c" / "edge.db", seed, acked)
    return len(states)


def recorded(path: Path, seed: int, number: int, seconds: int) -> list:  # type: ignore[type-arg]
    """Record some seconds at *path* and return the log of what the disk was told."""
    path.parent.mkdir(exist_ok=True)
    with fault_disk() as disk:
        with opened(path) as store:
            store.append([session(), segment()])
            for step in range(number, number + seconds):
                store.append(batch(seed, step))
                disk.note(step)
        return disk.log


FAULTS = ("read", "write", "sync", "truncate", "delete", "full")


def fail(first: int, stop: int) -> Counts:
    """
    Let operation number *seed* of a recording fail, in twelve ways.

    Once or until three batches were refused; as an I/O error of each kind or for want
    of room; then cut the power. The caller keeps what was refused and gives it again
    with what came since, as the recorder does.
    """
    counts: Counter[str] = Counter()
    for seed in range(first, stop):
        for kind in FAULTS:
            for stays in (False, True):
                counts.update(one_failure(seed, kind, stays))
    return {"faults": 0, "refused": 0, "cuts": 0, "lost": 0, **counts}


def one_failure(seed: int, kind: str, stays: bool, every: int = 80) -> Counts:
    """Let one operation fail, and cut the power at each so manieth one."""
    seconds = 30
    with quick_folder() as folder, small_checkpoints():
        path = folder / "edge.db"
        log, faults, refused = record_on(path, seed, kind, stays, seconds)
        counts: Counts = {"faults": faults, "refused": refused, "cuts": 0}
        check(path, seed, seconds - 1, most=seconds - 1)
        for state, acked in cuts(log, {}, seed, every=every) if faults else ():
            lay_out(folder / "b", state)
            check(folder / "b" / "edge.db", seed, acked, most=seconds)
            counts["cuts"] += 1
    return counts


def record_on(path: Path, at: int, kind: str, stays: bool, seconds: int):  # type: ignore[no-untyped-def]
    """Record with a fault at operation *at*; return the log, faults, refusals."""
    hits = 0
    refused = 0

    def fault(operation: str, name: str, number: int, _at: int) -> int:
        nonlocal hits
        due = number >= at and (stays or not hits) and refused < 3
        if not due or operation != ("write" if kind == "full" else kind):
            return 0
        hits += 1
        return FULL if kind == "full" else CODES[kind]

    with fault_disk() as disk, begun(path) as store, log_of_writing_again(disk):
        disk.operations, disk.fault = 0, fault
        waiting: list[Record] = []
        number = 0
        while number < seconds or waiting:
            if number < seconds:
                waiting += batch(at, number)
                number += 1
            try:
                store.append(waiting)
            except StoreError:
                refused += 1
                assert refused < 10, f"seed {at}: {kind} never ends"
            else:
                waiting = []
                disk.note(number - 1)
        disk.fault = None
    return disk.log, hits, refused


CODES = {"read": 266, "write": 778, "sync": 1034, "truncate": 1546, "delete": 2570}


@contextmanager
def log_of_writing_again(disk: FaultDisk) -> Iterator[None]:
    """Let the log also hold what the store writes past SQLite."""

    def write_again(database: Path) -> None:
        synced: list[int] = []
        with patch("os.fsync", lambda handle: synced.append(os.fstat(handle).st_ino)):
            writer.write_again(database)
        wal = database.with_name(database.name + "-wal")
        if wal.exists():
            disk.rewritten(wal.name, wal.read_bytes(), wal.stat().st_ino in synced)

    with patch("edge.database.lasting.write_again", write_again):
        yield
