"""Database files damaged in every way there is, and recorded on."""

import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from records_store import (
    EVER,
    START,
    S,
    quick_folder,
    same,
    segment,
    session,
)
from storecheck import (
    BALLAST_BYTES,
    Counts,
    batch,
    begun,
    lay_out,
    number_of,
    small_checkpoints,
    time_of,
)

from edge.database import soundness
from edge.errors import StoreError
from edge.history import History
from edge.records import BoxNs
from edge.store import Store

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
    for _bit in range(chance.choice([1, 1, 5, 50])):
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
