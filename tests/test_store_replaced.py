"""A database that is past use is set aside, and a new one goes on."""

import sqlite3
from pathlib import Path

import numpy as np
from records_store import BALLAST, EVER, START, S, chunk, pose, segment, session

from edge.history import History
from edge.records import BoxNs, Session
from edge.store import Store


def damage_pages(path: Path) -> None:
    """Overwrite every page of the database and its log but the first."""
    for name in (path.name, path.name + "-wal"):
        file = path.with_name(name)
        size = file.stat().st_size
        with file.open("r+b") as opened:
            opened.seek(4096)
            opened.write(b"\xa5" * max(size - 4096, 0))


def test_a_file_that_rots_while_recording_is_replaced(path: Path) -> None:
    random = np.random.default_rng(0)
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([session(), segment(), segment(2)])
        for number in range(40):
            store.append([chunk(random, START + number * S)])
        before = store.totals
        store._steady.file.writer.checkpoint("TRUNCATE")
        damage_pages(path)
        store._steady.file.writer.connection.execute("PRAGMA shrink_memory").fetchall()
        for number in range(40, 80):
            store.append([chunk(random, START + number * S), pose(random, START)])
        assert store.next_session == before.sessions + 1
        assert store.next_segment == before.segments + 1
        assert store.last_box is not None
    with History(path) as history:
        assert history.sessions() == [session()]
        assert history.segments() == {1: segment(), 2: segment(2)}
        assert len(list(history.chunks(*EVER))) == 40
        (said,) = history.events(*EVER)
    assert "edge.damaged-1.db" in said.cause
    assert path.with_name("edge.damaged-1.db").exists()


def test_a_file_that_is_removed_while_recording_is_begun_anew(path: Path) -> None:
    random = np.random.default_rng(0)
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([session(), segment(), chunk(random, START)])
        newest = store.last_box
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink()
        store.append([chunk(random, START + S)])
        assert store.last_box is not None
        assert newest is not None
        assert store.last_box > newest
    with History(path) as history:
        assert history.sessions() == [session()]
        assert history.segments() == {1: segment()}
        assert len(list(history.chunks(*EVER))) == 1
        (said,) = history.events(*EVER)
    assert "gone" in said.cause


def test_the_last_instant_is_saved_from_a_damaged_file(path: Path) -> None:
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([session(4), segment(9)])
        random = np.random.default_rng(0)
        for number in range(100):
            store.append([chunk(random, START + number * S, 9)])
        newest = store.last_box
    connection = sqlite3.connect(path)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'chunks'"
    ).fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    with Store(path, ballast_bytes=BALLAST) as store:
        assert "edge.damaged-1.db" in store.opening[-1]
        assert store.last_box == newest
        assert (store.next_session, store.next_segment) == (5, 10)
        assert store.totals.chunks == 0


def test_files_set_aside_do_not_overwrite_each_other(path: Path) -> None:
    for number in range(1, 4):
        path.write_text(f"letter {number}")
        Store(path, ballast_bytes=BALLAST).close()
        aside = path.with_name(f"edge.damaged-{number}.db")
        assert aside.read_text() == f"letter {number}"


def test_a_log_left_behind_follows_its_database(path: Path) -> None:
    """The power went between the two renames."""
    path.with_name("edge.damaged-1.db").write_text("the database")
    path.with_name("edge.db-wal").write_text("its log")
    with Store(path, ballast_bytes=BALLAST) as store:
        assert "edge.damaged-1.db" in store.opening[-1]
    assert path.with_name("edge.damaged-1.db-wal").read_text() == "its log"


def test_a_foreign_log_beside_a_new_name_is_not_taken_in(path: Path) -> None:
    """An old log beside a database that was removed belongs to nobody's recording."""
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([Session(1, "old", BoxNs(START), 0, "", "someone", "{}")])
        wal = path.with_name("edge.db-wal").read_bytes()
    path.unlink()
    path.with_name("edge.db-wal").write_bytes(wal)
    with Store(path, ballast_bytes=BALLAST) as store:
        assert "a log without its database" in store.opening[-1]
        store.append([session()])
    with History(path) as history:
        assert history.sessions() == [session()]
    assert path.with_name("edge.damaged-1.db-wal").read_bytes() == wal
