"""One bit or page that rots in the file: recorded on, at every start and meanwhile."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from records_store import (
    BALLAST,
    EVER,
    START,
    S,
    chunk,
    pose,
    quick_folder,
    segment,
    session,
)

from edge.database import soundness
from edge.database.prune import Passed
from edge.database.totals import Totals
from edge.history import History
from edge.records import BoxNs, Event, Kept, Record, Vital
from edge.store import Store

PAGE = 4096
SECONDS = 800
INTERIOR_INDEX = 2
"""The first byte of a page that names others, in SQLite's file format."""


def marker(at: int) -> Event:
    return Event(BoxNs(at), None, "marker", "", "said", {})


@pytest.fixture(scope="module")
def recording() -> bytes:
    """Return the file of a recording of some minutes, all of it in the database."""
    random = np.random.default_rng(0)
    with quick_folder() as folder:
        path = folder / "edge.db"
        with Store(path, ballast_bytes=BALLAST) as store:
            store.append([session(), segment()])
            for begin in range(START, START + SECONDS * S, 20 * S):
                records: list[Record] = []
                for at in range(begin, begin + 20 * S, S):
                    rate = Vital(BoxNs(at), "pulse", 60.0, "", "serial", False)
                    records += chunk(random, at), pose(random, at), marker(at), rate
                store.append(records)
            store._steady.file.writer.checkpoint("TRUNCATE")
        return path.read_bytes()


@pytest.fixture
def large(path: Path, recording: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a recording that is taken for a large one: not checked from end to end."""
    monkeypatch.setattr(soundness, "WHOLE_BYTES", 0)
    path.write_bytes(recording)
    return path


def goes_on(path: Path) -> str:
    """Record on at *path* and return what the store says of its opening."""
    at = START + 2 * SECONDS * S
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([session(store.next_session, at)])
        store.append([marker(at)])
        said = " ".join(store.opening)
    with History(path) as history:
        assert list(history.events(*EVER))[-1].began == at
    return said


def root_of(path: Path, name: str) -> int:
    """Return the first page of the table or index *name*."""
    connection = sqlite3.connect(path)
    try:
        question = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        ((page,),) = connection.execute(question, (name,)).fetchall()
        return int(page)
    finally:
        connection.close()


def leaf_of(data: bytes, root: int, last: bool) -> int:
    """Return where the first or last leaf of the index from page *root* begins."""
    at = (root - 1) * PAGE
    while data[at] == INTERIOR_INDEX:
        first = at + int.from_bytes(data[at + 12 : at + 14], "big")
        child = at + 8 if last else first
        at = (int.from_bytes(data[child : child + 4], "big") - 1) * PAGE
    return at


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    "index",
    ["chunks_start", "poses_exposed", "vitals_sampled", "vitals_name_sampled",
     "events_began"],
)  # fmt: skip
def test_an_index_whose_end_has_rotted_is_found_at_the_start(
    large: Path, recording: bytes, index: str, last: bool
) -> None:
    leaf = leaf_of(recording, root_of(large, f"idx_{index}"), last)
    large.write_bytes(flipped(recording, leaf))
    assert "edge.damaged-1.db" in goes_on(large)


@pytest.mark.parametrize(
    ("was", "rotted"),
    [
        (b'"cause" TEXT', b'"cauqe" TEXT'),
        (b'"counts" BLOB', b'"bounts" BLOB'),
        (b'"instants" INTEGER', b'"instantr" INTEGER'),
        (b'"events" ("began")', b'"events" ("ended")'),
    ],
)
def test_a_rotted_name_in_the_schema_is_found_at_the_start(
    large: Path, recording: bytes, was: bytes, rotted: bytes
) -> None:
    assert was in recording
    large.write_bytes(recording.replace(was, rotted))
    assert "edge.damaged-1.db" in goes_on(large)


def test_a_sound_large_file_is_recorded_on(large: Path) -> None:
    assert "damaged" not in goes_on(large)


def cell_of(data: bytes, root: int, last: bool) -> range:
    """Return where the first or last row of a table of one page lies."""
    at = (root - 1) * PAGE
    count = int.from_bytes(data[at + 3 : at + 5], "big")
    pointer = at + 8 + 2 * (count - 1 if last else 0)
    begin = at + int.from_bytes(data[pointer : pointer + 2], "big")
    return range(begin, begin + 2 + data[begin])


@pytest.mark.parametrize("last", [False, True], ids=["oldest", "newest"])
def test_no_bit_of_a_mark_that_rots_stops_the_recording(
    path: Path, recording: bytes, last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundness, "WHOLE_BYTES", 0)
    path.write_bytes(recording)
    row = cell_of(recording, root_of(path, "marks"), last)
    types = row[3:12]  # a byte for each column says what and how long it is
    bits = [(at, bit) for at in types for bit in range(8)]
    bits += [(at, at % 8) for at in row if at not in types]
    kept = 0
    for at, bit in bits:
        for file in path.parent.iterdir():
            file.unlink()
        path.write_bytes(flipped(recording, at, bit))
        kept += "damaged" not in goes_on(path)
    assert kept > len(bits) / 8


def rot(path: Path, statement: str) -> None:
    """Change what lies at *path* behind the back of the store that records there."""
    connection = sqlite3.connect(path, timeout=5)
    try:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE totals SET crc = crc + 1",
        "DELETE FROM totals",
        "UPDATE sqlite_schema SET sql = replace(sql, 'instants', 'instantr')"
        " WHERE name = 'totals'",
    ],
)
def test_rot_met_while_recording_costs_no_record(path: Path, statement: str) -> None:
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([session(), segment(), marker(START)])
        rot(path, statement)
        if "schema" in statement:
            rot(path, "PRAGMA schema_version = 1000")  # so that it is read again
        store.append([marker(START + S)])
        store.append([marker(START + 2 * S)])
    with History(path) as history:
        assert history.sessions() == [session()]
        said = [event.cause for event in history.events(*EVER)]
    assert "edge.damaged-1.db" in said[0]
    assert said[1:] == ["said", "said"]
    assert not path.with_name("edge.damaged-2.db").exists()


def test_rot_met_between_transactions_costs_no_record(
    path: Path, recording: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while what nobody keeps any more is swept away."""
    path.write_bytes(recording)
    row = cell_of(recording, root_of(path, "marks"), last=False)
    sweep = Passed.sweep

    def rot_first(
        passed: Passed, connection: sqlite3.Connection, totals: Totals
    ) -> bool:
        with path.open("r+b") as file:
            file.seek(row[1])  # as below
            file.write(bytes([127]))
        connection.execute("PRAGMA shrink_memory").fetchall()
        return sweep(passed, connection, totals)

    first, second, third = (START + (SECONDS + n) * S for n in (1, 2, 3))
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([marker(first)])
        store._steady.file.writer.checkpoint("TRUNCATE")
        monkeypatch.setattr(Passed, "sweep", rot_first)
        store.append([marker(second), Kept(BoxNs(first), BoxNs(second), "a fall")])
        store.append([marker(third)])
    with History(path) as history:
        assert list(history.events(*EVER))[-1].began == third
    assert path.with_name("edge.damaged-1.db").exists()


@pytest.mark.parametrize("last", [False, True], ids=["oldest", "newest"])
def test_mark_that_cannot_even_be_deleted_costs_no_record(
    path: Path, recording: bytes, last: bool
) -> None:
    """Its id has rotted, so that nobody finds it by that."""
    path.write_bytes(recording)
    row = cell_of(recording, root_of(path, "marks"), last)
    with Store(path, ballast_bytes=BALLAST) as store:
        connection = store._steady.file.writer.connection
        with path.open("r+b") as file:
            file.seek(row[1])  # its size is a byte before, its id one byte
            file.write(bytes([127 if not last else 1]))
        connection.execute("PRAGMA shrink_memory").fetchall()
        store.append([marker(START + (SECONDS + 60) * S)])
    with History(path) as history:
        assert list(history.events(*EVER))[-1].began == START + (SECONDS + 60) * S
    assert path.with_name("edge.damaged-1.db").exists()
