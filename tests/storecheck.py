"""
The recording that the campaigns against the store make, and what must be left of it.
"""

import contextlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from records_store import (
    EVER,
    START,
    S,
    equal,
    pose,
    segment,
    session,
    vital,
)

from edge.database import writer
from edge.history import History
from edge.records import BoxNs, EcgChunk, Pose, Record, Vital
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
    if isinstance(record, Pose):
        return record.exposed
    assert isinstance(record, Vital)
    return record.sampled


def lay_out(folder: Path, state: dict[str, bytes]) -> None:
    """Make *folder* hold exactly the files of *state*."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in state.items():
        (folder / name).write_bytes(data)


@contextlib.contextmanager
def small_checkpoints() -> Iterator[None]:
    """Let the store empty its log often enough for short recordings."""
    usual = writer.CHECKPOINT_BYTES
    writer.CHECKPOINT_BYTES = 1 << 19
    try:
        yield
    finally:
        writer.CHECKPOINT_BYTES = usual
