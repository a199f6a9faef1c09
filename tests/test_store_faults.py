"""
What the store acknowledged is there, whatever the machine does.

``EDGE_STORE_SEEDS=FIRST:STOP`` runs that range of seeds in each of the campaigns of
`rigs_store`; the test run takes a few. What a campaign prints is its figures.
"""

import contextlib
import functools
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import faultdisk
import numpy as np
import pytest
import recorder_hung
import rigs_store
import store_cuts
import store_damage
import store_full
import storecheck
from faultdisk import fault_disk
from powercut import cuts
from records_store import EVER, START, S, chunk, segment, session

from edge.database import connections, lasting, schema, soundness
from edge.database.connections import open_writer
from edge.errors import StoreError
from edge.history import History
from edge.records import Record
from edge.store import Store

CAMPAIGN = os.environ.get("EDGE_STORE_SEEDS")
BALLAST = 1 << 14

on_a_fault_disk = pytest.mark.skipif(
    bool(faultdisk.missing()), reason=faultdisk.missing() or "it is there"
)


def seeds(usual: str) -> tuple[int, int]:
    """Return the range of seeds to run, *usual* in the test run."""
    first, stop = (CAMPAIGN or usual).split(":")
    print(f"seeds {first}:{stop}")
    return int(first), int(stop)


# The campaigns


@pytest.mark.timeout(36_000 if CAMPAIGN else 600)
def test_no_kill_loses_what_was_acknowledged() -> None:
    first, stop = seeds("0:30")
    command = [sys.executable, rigs_store.__file__, "kill", f"{first}:{stop}"]
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=one_thread
    )
    assert done.returncode == 0, done.stderr[-3000:]
    print(done.stdout)
    assert json.loads(done.stdout)["kills"] == stop - first


@on_a_fault_disk
@pytest.mark.timeout(36_000 if CAMPAIGN else 600)
def test_no_power_cut_loses_what_was_acknowledged() -> None:
    """At every operation; what was not synced is lost, torn or there."""
    small = {} if CAMPAIGN else {"seconds": 6, "again": 120}
    counts = store_cuts.cut(*seeds("0:1"), **small)
    print(counts)
    assert counts["states"] > 300
    assert counts["second_cuts"] > 100


@on_a_fault_disk
@pytest.mark.timeout(36_000 if CAMPAIGN else 600)
def test_no_failing_operation_loses_what_was_acknowledged() -> None:
    if CAMPAIGN:
        print(store_cuts.fail(*seeds(CAMPAIGN)))
        return
    for seed, kind in enumerate(store_cuts.FAULTS * 4):
        stays = seed // len(store_cuts.FAULTS) % 2 > 0  # each kind does and does not
        counts = store_cuts.one_failure(1 + 7 * seed, kind, stays, every=300)
        print(seed, kind, counts)


@pytest.mark.timeout(36_000 if CAMPAIGN else 600)
def test_no_damage_stops_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the file has become: recorded on, the old one kept, no false row."""
    monkeypatch.setattr(soundness, "WHOLE_BYTES", soundness.WHOLE_BYTES)
    counts = store_damage.damage(*seeds("0:66"))
    print(counts)
    assert counts["set_aside"] > counts["files"] // 2


@pytest.mark.skipif(bool(store_full.no_mounts()), reason=store_full.no_mounts())
@pytest.mark.timeout(36_000 if CAMPAIGN else 600)
def test_no_full_disk_stops_the_recording() -> None:
    """Filled by another's file or our own: at most refused while it is full."""
    counts = store_full.full_outside(*seeds("0:4"))
    print(counts)
    assert counts["after_room"] == 0
    assert counts["refused"] <= counts["cycles"]


@pytest.mark.skipif(
    bool(recorder_hung.no_freezing()), reason=recorder_hung.no_freezing()
)
@pytest.mark.timeout(36_000 if CAMPAIGN else 600)
def test_no_hanging_card_costs_a_sample() -> None:
    """It is told, and what came in meanwhile is saved in the end."""
    counts = recorder_hung.hang(*seeds("0:1"))
    print(counts)
    assert counts["gaps"] == 0


# That they would notice


@on_a_fault_disk
def test_a_store_that_does_not_sync_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = connections.open_writer

    def open_relaxed(path: Path) -> sqlite3.Connection:
        connection = strict(path)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    monkeypatch.setattr("edge.database.writer.open_writer", open_relaxed)
    with pytest.raises(AssertionError, match="acknowledged"):
        store_cuts.cut(0, 1, seconds=10)


@on_a_fault_disk
def test_a_sync_that_is_believed_too_early_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the log written anew after a failed sync, acknowledged rows can go."""
    monkeypatch.setattr(store_cuts, "log_of_writing_again", nullcontext)
    with pytest.raises(AssertionError, match="acknowledged"):
        store_cuts.one_failure(60, "sync", stays=True, every=20)


# Upgrades


def later_step(db: object) -> None:
    """A version that does not exist yet: a table, a column and rewritten rows."""
    run = db.execute  # type: ignore[attr-defined]
    run("CREATE TABLE later (id INTEGER PRIMARY KEY)")
    run("ALTER TABLE sessions ADD COLUMN ward TEXT NOT NULL DEFAULT 'x'")
    run("UPDATE sessions SET ward = 'y'")


STEPS = (*schema.STEPS, later_step)


def bring_up(path: Path, steps: tuple[schema.Step, ...]) -> int:
    """Bring *path* to the version of *steps* and return the version it then has."""
    connection = open_writer(path)
    try:
        schema.migrate(connection, steps)
        return schema.version(connection)
    finally:
        connection.close()


@on_a_fault_disk
@pytest.mark.parametrize("begun", [0, 1])
def test_an_upgrade_that_is_cut_is_done_or_not(path: Path, begun: int) -> None:
    """At every operation of it, the file is of one version or the next."""
    state = {}
    if begun:
        with Store(path, ballast_bytes=BALLAST) as store:
            store.append([session()])
        state = {path.name: path.read_bytes()}
    with fault_disk() as disk:
        bring_up(path, STEPS)
    seen = set()
    for number, (files, _) in enumerate(cuts(disk.log, state, seed=begun)):
        storecheck.lay_out(path.parent / "cut", files)
        found = version_of(path.parent / "cut" / path.name)
        seen.add(found)
        if number % 10 == 0:
            assert bring_up(path.parent / "cut" / path.name, STEPS) == 2
    assert seen == {begun, 1, 2}


def version_of(path: Path) -> int:
    """Return the version of the file at *path*, which must be all of it."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = schema.version(connection)
        rows = connection.execute("SELECT name FROM sqlite_schema").fetchall()
        names = {name for (name,) in rows}
        assert ("chunks" in names) == (found >= 1)
        assert ("later" in names) == (found == 2)
        if found:
            sessions = connection.execute("SELECT * FROM sessions").fetchall()
            assert {len(row) for row in sessions} <= {7 + found}
        return found
    finally:
        connection.close()


def test_a_file_of_a_later_version_is_set_aside(path: Path) -> None:
    bring_up(path, STEPS)
    with Store(path, ballast_bytes=BALLAST) as store:
        sentence = store.opening[-1]
        store.append([session()])
    assert "later version" in sentence
    assert "edge.damaged-1.db" in sentence
    assert bring_up(path.with_name("edge.damaged-1.db"), STEPS) == 2


# What cannot be read or written any more


@on_a_fault_disk
def test_a_disk_that_stays_full_is_logged_once_until_there_is_room(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log lies on the same card, and is to tell of other things, too."""
    random = np.random.default_rng(0)
    full = True

    def no_room(kind: str, name: str, *_: object) -> int:
        return faultdisk.FULL if full and kind == "write" and "-wal" in name else 0

    with fault_disk() as disk, Store(path, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        disk.fault = no_room
        for _ in range(2):
            full = True
            waiting: list[Record] = []
            for number in range(10):
                waiting.append(chunk(random, START + number * S))
                with pytest.raises(StoreError):
                    store.append(waiting)
            full = False
            store.append(waiting)
    refused = [line for line in caplog.messages if "cannot store" in line]
    assert len(refused) == 2


@on_a_fault_disk
def test_a_file_that_cannot_be_read_any_more_is_replaced(path: Path) -> None:
    """A sector has died under the oldest rows, which the ring wants to let go."""
    random = np.random.default_rng(0)
    waiting: list[Record] = []
    refused = 0

    def dead(kind: str, name: str, _: int, at: int) -> int:
        mine = name == path.name and not path.with_name("edge.damaged-1.db").exists()
        return 266 if mine and kind == "read" and at // 4096 in sectors else 0

    with fault_disk() as disk, Store(path, 1_000_000, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        for number in range(100):
            store.append([chunk(random, START + number * S)])
        store._steady.file.writer.checkpoint("TRUNCATE")
        store._steady.file.writer.connection.execute("PRAGMA cache_size = 5")
        sectors = range(30, 60)
        disk.fault = dead
        for number in range(100, 300):
            waiting.append(chunk(random, START + number * S))
            try:
                store.append(waiting)
                waiting = []
            except StoreError:
                refused += 1
        store._steady.file.close()  # as a failing sync would have it opened again
        store.append([chunk(random, START + 300 * S)])
    assert not waiting
    assert 5 <= refused < 10
    with History(path) as history:
        assert history.segments() == {1: segment()}
        newest = [one.start for one in history.chunks(*EVER)][-2:]
        assert newest == [START + 299 * S, START + 300 * S]
        (said,) = history.events(*EVER)
    assert "cannot be read" in said.cause


@on_a_fault_disk
@pytest.mark.parametrize("stored", [True, False])
def test_a_commit_whose_outcome_is_unknown_is_looked_up(
    path: Path, stored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sync failed, the disk went away, the program kept its batch and grew it."""
    random = np.random.default_rng(0)
    first, second = chunk(random, START), chunk(random, START + S)
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        broken = OSError(5, "Input/output error")
        writer = store._steady.file.writer

        def commit(batch: object, effort: int) -> None:
            if stored:
                commit_as_ever(batch, effort)  # type: ignore[arg-type]
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = 1034
            raise error

        def cannot(_: Path) -> None:
            raise broken

        commit_as_ever = writer.commit
        with monkeypatch.context() as gone:
            gone.setattr(writer, "commit", commit)
            gone.setattr(lasting, "write_again", cannot)
            for _ in range(2):
                with pytest.raises(StoreError, match="the disk does not take it"):
                    store.append([first])
        store.append([first, second])
    with History(path) as history:
        assert [one.start for one in history.chunks(*EVER)] == [START, START + S]


def test_a_backlog_larger_than_the_ring_is_taken(path: Path) -> None:
    random = np.random.default_rng(0)
    with Store(path, 1_000_000, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        backlog = [chunk(random, START + number * S) for number in range(2000)]
        store.append(backlog)
        assert store.totals.chunks == 2000
    assert path.stat().st_size <= 1_000_000


@on_a_fault_disk
def test_a_file_that_cannot_be_read_at_the_start_is_not_set_aside(path: Path) -> None:
    """Whichever read of the look at it is the first to fail; the cable may be loose."""
    random = np.random.default_rng(0)
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([session(), segment(), chunk(random, START)])
    sound = 0
    with fault_disk() as disk:
        for reads in range(0, 60, 3):
            disk.fault = functools.partial(loose, iter(range(reads)))
            with contextlib.suppress(StoreError):
                Store(path, ballast_bytes=BALLAST).close()
                sound += 1
            assert list(path.parent.glob("*damaged*")) == []
    assert 0 < sound < 20
    with Store(path, ballast_bytes=BALLAST) as store:
        assert store.totals.chunks == 1


def loose(well: Iterator[int], kind: str, *_: object) -> int:
    """Let as many reads go well as *well* has items, and none after them."""
    return 266 if kind == "read" and next(well, None) is None else 0
