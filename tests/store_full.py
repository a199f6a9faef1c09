"""A small disk that another's file, or our own, fills."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from box import MORTAL
from records_store import (
    START,
    S,
    quick_folder,
    segment,
    session,
)
from storecheck import Counts, batch, check

from edge.errors import StoreError
from edge.records import BoxNs, Event, Record
from edge.store import Store

DISK_MB = 16
ROOM_BALLAST_BYTES = 1 << 20


def full(first: int, stop: int) -> Counts:
    """
    Fill a small disk at random moments, by another's file and by our own.

    Wants to be alone in a mount namespace: `full_outside` starts it so. A seed is one
    cycle: record, fill, record on while it is full, make room, record.
    """
    counts: Counts = {"cycles": 0, "acknowledged": 0, "refused": 0, "after_room": 0}
    for seed in range(first, stop):
        chance = random.Random(seed)
        with small_disk(ext4=bool(seed % 2)) as disk:
            path = disk / "data" / "edge.db"
            number, refused, after_room = one_filling(path, disk, seed, chance)
            check(path, seed, number - 1, most=number - 1)
        counts["cycles"] += 1
        counts["acknowledged"] += number
        counts["refused"] += refused
        counts["after_room"] = max(counts["after_room"], after_room)
    return {**counts, "lost": 0}


def one_filling(
    path: Path, disk: Path, seed: int, chance: random.Random
) -> tuple[int, int, int]:
    """
    Record through one filling of *disk*.

    Returns how many batches were acknowledged, how many times one was refused, and how
    many of the refusals came once there was room again.
    """
    capacity = chance.choice([2, 6, 4 * DISK_MB]) << 20  # the last cannot be had
    filler = disk / "filler"
    greedy = chance.random() < 0.3  # it takes what becomes free, again and again
    before, during = chance.randrange(1, 300), chance.randrange(1, 300)
    waiting: list[Record] = []
    number = refused = after_room = 0
    waiting += [session(), segment()]
    store = Store(path, capacity, ballast_bytes=ROOM_BALLAST_BYTES)
    for step in range(before + during + 50):
        if step == before or (greedy and before < step < before + during):
            fill_up(filler)
        if step == before and chance.random() < 0.5:  # the box is switched off and on
            store.close()
            store = Store(path, capacity, ballast_bytes=ROOM_BALLAST_BYTES)
        if step == before + during:
            filler.unlink()
        waiting += padded(seed, step)
        try:
            store.append(waiting)
            number, waiting = step + 1, []
        except StoreError:
            refused += 1
            after_room += step >= before + during
    store.close()
    assert not waiting, f"seed {seed}: {len(waiting)} records never stored"
    return number, refused, after_room


def padded(seed: int, number: int) -> list[Record]:
    """Return the batch and about 20 kB beside it, so that a disk fills in no time."""
    text = random.Random(number).randbytes(10_000).hex()
    note = Event(BoxNs(START + number * S), None, "marker", "", text)
    return [*batch(seed, number), note]


def fill_up(path: Path) -> None:
    """Let the file at *path* take all that is left of its disk."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 14, 1 << 10, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass


@contextlib.contextmanager
def small_disk(*, ext4: bool) -> Iterator[Path]:
    """Give a file system of DISK_MB, in memory or as ext4 on a loop device."""
    with quick_folder() as folder:
        at = folder / "disk"
        at.mkdir()
        if ext4:
            image = folder / "image"
            image.write_bytes(b"")
            os.truncate(image, DISK_MB << 20)
            # In blocks of 1 KiB, which ext4 takes for so small a disk, the WAL's index
            # has holes, and a full disk ends the process with SIGBUS.
            run("mkfs.ext4", "-q", "-b", "4096", "-m", "0", image)
            run("mount", "-o", "loop", image, at)
            image.unlink()  # the device holds it as long as the mount holds the device
        else:
            run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", at)
        (at / "data").mkdir()
        try:
            yield at
        finally:
            run("umount", at)


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def full_outside(first: int, stop: int) -> Counts:
    """Run `full` in a mount namespace of its own."""
    return run_inside("full-inside", first, stop)


def run_inside(campaign: str, first: int, stop: int) -> Counts:
    """Run *campaign* of `rigs_store` in a mount namespace of its own."""
    campaigns = str(Path(__file__).with_name("rigs_store.py"))
    script = [sys.executable, campaigns, campaign, f"{first}:{stop}"]
    done = subprocess.run(
        [*MORTAL, "unshare", "-m", "--propagation", "private", *script],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert not done.returncode, f"{done.returncode}: {done.stderr[-3000:]}"
    counts: Counts = json.loads(done.stdout)
    return counts


def no_mounts() -> str:
    """Return why no small disk can be had here, "" if one can."""
    for tool in ("unshare", "mount", "mkfs.ext4"):
        if not shutil.which(tool, path=f"{os.environ['PATH']}:/sbin:/usr/sbin"):
            return f"{tool} is missing"
    if not Path("/dev/loop-control").exists():
        return "no loop devices here"
    try:
        run("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt")
    except subprocess.CalledProcessError as error:
        return f"no mounts without being root: {error.stderr.decode().strip()}"
    return ""
