"""
Campaigns against the store: what it acknowledged is there, whatever happens.

Each takes a range of seeds and raises AssertionError with the seed that failed. The
test run takes a small slice; a long one is started by hand:

    python tests/rigs_store.py kill|cut|fail|damage|full FIRST:STOP

prints one line of JSON with the figures.
"""

import argparse
import contextlib
import json
import logging
import os
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from faultdisk import FULL, FaultDisk, fault_disk
from powercut import cuts
from records_store import (
    EVER,
    START,
    S,
    equal,
    pose,
    quick_folder,
    same,
    segment,
    session,
    vital,
)

from edge.database import soundness, steady, writer
from edge.errors import StoreError
from edge.history import History
from edge.records import BoxNs, EcgChunk, Event, Pose, Record, Vital
from edge.store import Store

CAPACITY_BYTES = 400_000
"""So little that old rows leave all the time."""

KEPT_SECONDS = 25
"""Of them the ring must hold at least as many."""

BALLAST_BYTES = 1 << 14

Counts = dict[str, int]


def batch(seed: int, number: int) -> list[Record]:
    """Return what second *number* of the recording *seed* brings: always the same."""
    chance = np.random.default_rng((seed, number))
    at = START + number * S
    counts = np.cumsum(chance.integers(-300, 300, (250, 3)), axis=0).astype(np.int32)
    chunk = EcgChunk(1, BoxNs(at), 4e6, 1000, counts)
    poses = [pose(chance, at + n * S // 2) for n in range(2)]
    return [chunk, *poses, vital(chance, at)]


def opened(path: Path, capacity_bytes: int = CAPACITY_BYTES) -> Store:
    """Return the store as all campaigns open it."""
    return Store(path, capacity_bytes, ballast_bytes=BALLAST_BYTES)


def begun(path: Path) -> Store:
    """Return a new store with its session and segment."""
    store = opened(path)
    store.append([session(), segment()])
    return store


def number_of(at: int) -> int:
    return (at - START) // S


def check(path: Path, seed: int, acked: int, most: int | None = None) -> int:
    """
    Compare the recording *seed* at *path* with what was acknowledged.

    All up to *acked* must be there but for what the ring let go, nothing after *most*
    (default: one more, which was on its way), each batch whole, each value as it was.
    Returns the number of the newest batch, −1 for none.
    """
    where = f"seed {seed}, acknowledged {acked}"
    connection = sqlite3.connect(path)
    try:
        said = connection.execute("PRAGMA integrity_check").fetchall()
        assert said == [("ok",)], f"{where}: {said[:3]}"
        empty = not connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()
    if empty:
        assert acked < 0, f"{where}: the database is empty"
        return -1
    with History(path) as history:
        chunks = list(history.chunks(*EVER))
        poses, vitals = list(history.poses(*EVER)), list(history.vitals(*EVER))
        assert history.damaged == 0, f"{where}: damaged rows"
        assert not acked >= 0 or list(history.segments()) == [1], where
    numbers = [number_of(chunk.start) for chunk in chunks]
    newest = numbers[-1] if numbers else -1
    most = acked + 1 if most is None else most
    assert acked <= newest <= most, f"{where}: newest is {newest}"
    oldest = numbers[0] if numbers else 0
    assert numbers == list(range(oldest, newest + 1)), f"{where}: {numbers}"
    assert len(numbers) >= min(newest + 1, KEPT_SECONDS), f"{where}: {numbers}"
    same_as_given(seed, oldest, newest, [*chunks, *poses, *vitals], where)
    return newest


def same_as_given(
    seed: int, oldest: int, newest: int, found: list[Record], where: str
) -> None:
    """
    Assert that *found* are the records of the batches *oldest* to *newest*.

    Of poses and vitals the ring may have let go a little more or less than of chunks.
    """
    given: dict[tuple[type, int], Record] = {}
    slack = range(max(oldest - 30, 0), newest + 1)
    for record in (one for number in slack for one in batch(seed, number)):
        given[type(record), time_of(record)] = record
    seen = Counter((type(record), time_of(record)) for record in found)
    assert not seen or max(seen.values()) == 1, f"{where}: stored twice"
    for record in found:
        key = type(record), time_of(record)
        assert key in given, f"{where}: never given: {key}"
        same = zip(record, given[key], strict=True)
        assert all(equal(a, b) for a, b in same), f"{where}: changed: {key}"
    wanted = {key for key in given if number_of(key[1]) > oldest + 15}
    assert wanted <= set(seen), (
        f"{where}: half a batch: {sorted(wanted - set(seen), key=str)[:3]}"
    )


def time_of(record: Record) -> int:
    if isinstance(record, EcgChunk):
        return record.start
    return record.exposed if isinstance(record, Pose) else cast_vital(record).sampled


def cast_vital(record: Record) -> Vital:
    assert isinstance(record, Vital)
    return record


# Kill −9 -------------------------------------------------------------------------


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


# Power cuts ----------------------------------------------------------------------


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


def lay_out(folder: Path, state: dict[str, bytes]) -> None:
    """Make *folder* hold exactly the files of *state*."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in state.items():
        (folder / name).write_bytes(data)


class small_checkpoints:  # noqa: N801
    """Let the store empty its log often enough for short recordings."""

    def __enter__(self) -> None:
        self._bytes = writer.CHECKPOINT_BYTES
        writer.CHECKPOINT_BYTES = 1 << 19

    def __exit__(self, *exc: object) -> None:
        writer.CHECKPOINT_BYTES = self._bytes


# A disk that fails ---------------------------------------------------------------


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
            for lasting in (False, True):
                counts.update(one_failure(seed, kind, lasting))
    return {"faults": 0, "refused": 0, "cuts": 0, "lost": 0, **counts}


def one_failure(seed: int, kind: str, lasting: bool, every: int = 80) -> Counts:
    """Let one operation fail, and cut the power at each so manieth one."""
    seconds = 30
    with quick_folder() as folder, small_checkpoints():
        path = folder / "edge.db"
        log, faults, refused = record_on(path, seed, kind, lasting, seconds)
        counts: Counts = {"faults": faults, "refused": refused, "cuts": 0}
        check(path, seed, seconds - 1, most=seconds - 1)
        for state, acked in cuts(log, {}, seed, every=every) if faults else ():
            lay_out(folder / "b", state)
            check(folder / "b" / "edge.db", seed, acked, most=seconds)
            counts["cuts"] += 1
    return counts


def record_on(path: Path, at: int, kind: str, lasting: bool, seconds: int):  # type: ignore[no-untyped-def]
    """Record with a fault at operation *at*; return the log, faults, refusals."""
    hits = 0
    refused = 0

    def fault(operation: str, name: str, number: int) -> int:
        nonlocal hits
        due = number >= at and (lasting or not hits) and refused < 3
        if not due or operation != ("write" if kind == "full" else kind):
            return 0
        hits += 1
        return FULL if kind == "full" else CODES[kind]

    with fault_disk() as disk, begun(path) as store:
        again = log_writing_again(disk, path)
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
        steady.write_again = again
    return disk.log, hits, refused


CODES = {"read": 266, "write": 778, "sync": 1034, "truncate": 1546, "delete": 2570}


def log_writing_again(disk: FaultDisk, path: Path) -> Callable[[Path], None]:
    """Let the log also hold what the store writes past SQLite; return the original."""
    own = steady.write_again

    def write_again(database: Path) -> None:
        own(database)
        wal = database.with_name(database.name + "-wal")
        if wal.exists():
            disk.rewritten(wal.name, wal.read_bytes())

    steady.write_again = write_again
    return own


# Damaged files -------------------------------------------------------------------


LATER = 1000
"""Number of the first batch that is recorded after the damage."""


def damage(first: int, stop: int) -> Counts:
    """
    Damage the files of a recording in a way that *seed* chooses, and record on.

    Nothing may be read back that was not recorded; what came after the damage must be
    there; a file that was set aside must hold what it held.
    """
    sorts = sorted(DAMAGE)
    counts: Counts = {"files": 0, "set_aside": 0, "lost": 0}
    slowest_s = 0.0
    with quick_folder() as folder, small_checkpoints():
        sound, older = some_files(folder, 0, 60), some_files(folder, 0, 20)
        whole = soundness.WHOLE_BYTES
        for seed in range(first, stop):
            chance = random.Random(seed)
            files = DAMAGE[sorts[seed % len(sorts)]](dict(sound), chance, older)
            lay_out(folder / "a", files)
            # Every second one is treated as a large file: only its ends are looked at.
            soundness.WHOLE_BYTES = whole if seed % 2 else 0
            began = time.monotonic()
            aside = record_after(folder / "a" / "edge.db", seed)
            slowest_s = max(slowest_s, time.monotonic() - began)
            counts["files"] += 1
            counts["set_aside"] += bool(aside)
            if aside:
                kept_as_it_was(folder / "a", files, seed)
        soundness.WHOLE_BYTES = whole
    return {**counts, "slowest_ms": round(1000 * slowest_s)}


def some_files(folder: Path, seed: int, seconds: int) -> dict[str, bytes]:
    """Return the files of a recording whose log has not been emptied."""
    path = folder / "made" / "edge.db"
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir()
    with begun(path) as store:
        for number in range(seconds):
            store.append(batch(seed, number))
        names = ("edge.db", "edge.db-wal")
        return {name: path.with_name(name).read_bytes() for name in names}


Files = dict[str, bytes]


def flip_bits(files: Files, chance: random.Random, _: Files) -> Files:
    name = chance.choice(sorted(files))
    data = bytearray(files[name])
    for _ in range(chance.choice([1, 1, 5, 50])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return {**files, name: bytes(data)}


def cut_tail(files: Files, chance: random.Random, _: Files) -> Files:
    name = chance.choice(sorted(files))
    return {**files, name: files[name][: chance.randrange(len(files[name]))]}


def swap_pages(files: Files, chance: random.Random, _: Files) -> Files:
    data = bytearray(files["edge.db"])
    one, other = (chance.randrange(len(data) // 4096) * 4096 for _ in range(2))
    first, second = data[one : one + 4096], data[other : other + 4096]
    data[one : one + 4096], data[other : other + 4096] = second, first
    return {**files, "edge.db": bytes(data)}


def spoil_page(files: Files, chance: random.Random, _: Files) -> Files:
    data = bytearray(files["edge.db"])
    at = chance.randrange(len(data) // 512) * 512
    size = chance.choice([512, 4096])
    filling = bytes(size) if chance.random() < 0.5 else chance.randbytes(size)
    data[at : at + size] = filling
    return {**files, "edge.db": bytes(data)}


def spoil_many(files: Files, chance: random.Random, older: Files) -> Files:
    for _ in range(chance.randrange(2, 30)):
        files = spoil_page(files, chance, older)
    return files


def empty_file(files: Files, chance: random.Random, _: Files) -> Files:
    return {**files, "edge.db": b""}


def no_file(files: Files, chance: random.Random, _: Files) -> Files:
    return {"edge.db-wal": files["edge.db-wal"]}


def wrong_file(files: Files, chance: random.Random, _: Files) -> Files:
    text = b"This is a letter, not a recording.\n" * chance.randrange(1, 3000)
    return {"edge.db": text if chance.random() < 0.5 else chance.randbytes(9000)}


def foreign_database(files: Files, chance: random.Random, _: Files) -> Files:
    with quick_folder() as folder:
        connection = sqlite3.connect(folder / "x")
        connection.execute("CREATE TABLE chunks (a, b)")
        connection.execute(f"PRAGMA user_version = {chance.choice([0, 1, 7])}")
        connection.commit()
        connection.close()
        return {"edge.db": (folder / "x").read_bytes()}


def older_log(files: Files, chance: random.Random, older: Files) -> Files:
    return {**files, "edge.db-wal": older["edge.db-wal"]}


def older_database(files: Files, chance: random.Random, older: Files) -> Files:
    return {**files, "edge.db": older["edge.db"]}


DAMAGE: dict[str, Callable[[Files, random.Random, Files], Files]] = {
    made.__name__: made
    for made in (
        flip_bits, cut_tail, swap_pages, spoil_page, spoil_many, empty_file, no_file,
        wrong_file, foreign_database, older_log, older_database,
    )
}  # fmt: skip


def record_after(path: Path, seed: int) -> list[str]:
    """Record on at *path*, read all of it; return what was said of it at opening."""
    numbers = range(LATER, LATER + 3)
    with Store(path, 4_000_000, ballast_bytes=BALLAST_BYTES) as store:
        said = [sentence for sentence in store.opening if "kept as" in sentence]
        store.append([session(2, START + LATER * S), segment()])
        for number in numbers:
            store.append(batch(0, number))
    with History(path) as history:
        begin = BoxNs(START + LATER * S)
        later = [number_of(chunk.start) for chunk in history.chunks(begin, EVER[1])]
        assert later == list(numbers), f"seed {seed}: {later}"
        for kind in ("chunks", "poses", "vitals"):
            row_id = 0
            while True:
                try:
                    rows = history.since(kind, row_id, 16)
                except StoreError:  # its pages are damaged: skip some
                    row_id += 1
                    if row_id > 10_000:
                        break
                    continue
                if not rows:
                    break
                row_id = rows[-1][0]
                for _, record in rows:
                    number = number_of(time_of(record))
                    given = [one for one in batch(0, number) if same(one, record)]
                    assert given, f"seed {seed}: never recorded: {record}"
    return said


def kept_as_it_was(folder: Path, files: Files, seed: int) -> None:
    """Assert that what was set aside has the bytes it had."""
    for name, data in files.items():
        aside = folder / name.replace("edge", "edge.damaged-1")
        if data or name == "edge.db":
            assert aside.read_bytes() == data, f"seed {seed}: {name} was changed"


# A full disk ---------------------------------------------------------------------


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
    with Store(path, capacity, ballast_bytes=ROOM_BALLAST_BYTES) as store:
        waiting += [session(), segment()]
        for step in range(before + during + 50):
            if step == before or (greedy and before < step < before + during):
                fill_up(filler)
            if step == before + during:
                filler.unlink()
            waiting += padded(seed, step)
            try:
                store.append(waiting)
                number, waiting = step + 1, []
            except StoreError:
                refused += 1
                after_room += step >= before + during
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
            run("mkfs.ext4", "-q", "-m", "0", image)
            run("mount", "-o", "loop", image, at)
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
    script = [sys.executable, __file__, "full-inside", f"{first}:{stop}"]
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", *script],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert not done.returncode, done.stderr[-3000:]
    counts: Counts = json.loads(done.stdout)
    return counts


def no_mounts() -> str:
    """Return why no small disk can be had here, "" if one can."""
    for tool in ("unshare", "mount", "mkfs.ext4"):
        if not shutil.which(tool, path=f"{os.environ['PATH']}:/sbin:/usr/sbin"):
            return f"{tool} is missing"
    try:
        run("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt")
    except subprocess.CalledProcessError as error:
        return f"no mounts without being root: {error.stderr.decode().strip()}"
    return ""


def main() -> int:
    """Run one campaign and print its figures."""
    logging.disable()
    writer.RESERVE_BYTES = 1 << 19
    campaigns: dict[str, Callable[[int, int], Counts]] = {
        "kill": kill, "cut": cut, "fail": fail, "damage": damage,
        "full": full_outside, "full-inside": full,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaign", choices=campaigns)
    parser.add_argument("seeds", metavar="FIRST:STOP")
    arguments = parser.parse_args()
    first, stop = map(int, arguments.seeds.split(":"))
    began = time.monotonic()
    counts = campaigns[arguments.campaign](first, stop)
    took = round(time.monotonic() - began, 1)
    print(json.dumps({"seeds": arguments.seeds, **counts, "seconds": took}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
