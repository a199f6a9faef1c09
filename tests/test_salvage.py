"""`edge salvage`: the sound rows of a damaged database, and no other."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from records_store import (
    EVER,
    START,
    S,
    fill,
    quick_folder,
    same,
    segment,
    session,
    starts,
)
from store_damage import DAMAGE, some_files
from storecheck import batch, lay_out, number_of, time_of

from edge.__main__ import main
from edge.errors import StoreError
from edge.history import History
from edge.records import BoxNs, Kept, Record
from edge.store import Store

SECONDS = 120


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def sound() -> dict[str, bytes]:
    """The files of a recording of two minutes."""
    with quick_folder() as folder:
        return some_files(folder, 0, SECONDS)


def salvage(folder: Path) -> int:
    """Salvage the database in *folder* into new.db there."""
    names = str(folder / "edge.db"), str(folder / "new.db")
    return main(["salvage", names[0], "--output", names[1]])


def found(folder: Path) -> int:
    """Return how many chunks were salvaged; each record must be one that was given."""
    with History(folder / "new.db") as history:
        records: list[Record] = [*history.chunks(*EVER), *history.poses(*EVER)]
        records += history.vitals(*EVER)
        chunks = len(list(history.chunks(*EVER)))
    for record in records:
        given = batch(0, number_of(time_of(record)))
        assert any(same(one, record) for one in given), f"never recorded: {record}"
    return chunks


def test_a_sound_file_is_copied_whole(
    sound: dict[str, bytes], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(folder, sound)
    assert salvage(folder) == 0
    assert f"chunks: {found(folder)}" in capsys.readouterr().out
    with (
        History(folder / "edge.db") as old,
        History(folder / "new.db") as new,
    ):
        assert old.counts().chunks > 0
        assert len(list(old.chunks(*EVER))) == len(list(new.chunks(*EVER)))
        assert old.sessions() == new.sessions()
        assert old.segments() == new.segments()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "sort", ["flip_bits", "spoil_page", "spoil_many", "swap_pages"]
)
def test_only_sound_rows_are_salvaged(
    sound: dict[str, bytes], folder: Path, sort: str, seed: int
) -> None:
    chance = random.Random(seed)
    lay_out(folder, DAMAGE[sort](dict(sound), chance, sound))
    if salvage(folder) == 0:  # else its tables cannot even be found
        found(folder)


def test_most_of_a_file_with_one_bad_page_is_salvaged(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One page in the middle: a second or two are lost, not the day."""
    with Store(folder / "edge.db", 1 << 26, ballast_bytes=0) as store:
        store.append([session(), segment()])
        for number in range(600):
            store.append(batch(0, number))
    data = bytearray((folder / "edge.db").read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\xa5" * 4096
    (folder / "edge.db").write_bytes(data)
    assert salvage(folder) == 0
    assert found(folder) >= 590
    assert "left out, damaged" in capsys.readouterr().out


def test_what_somebody_keeps_stays_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stretches = [
        Kept(BoxNs(START + n * S), BoxNs(START + 9 * S), "Füße") for n in (3, 1)
    ]
    with Store(folder / "edge.db", 1 << 26, ballast_bytes=0) as store:
        store.append([session(), segment(), *stretches])
        fill(store, range(20))
    rotten = [(5, 5, "empty"), (2**62, 2**63 - 1, "far"), (7, 3, "turned")]
    with closing(sqlite3.connect(folder / "edge.db")) as file, file:
        ask = "INSERT INTO protected (begin, until, why) VALUES (?, ?, ?)"
        file.executemany(ask, rotten)

    assert salvage(folder) == 0

    said = capsys.readouterr().out
    assert "kept stretches: 2\n" in said
    assert "left out, damaged: 3 rows" in said
    with Store(folder / "new.db", 1_500_000, ballast_bytes=0) as store:
        assert sorted(kept(folder)) == sorted(stretches)
        fill(store, range(20, 1500))
    assert {3, 4, 5, 6, 7, 8} <= set(starts(folder / "new.db"))
    assert 15 not in starts(folder / "new.db")


def kept(folder: Path) -> list[Kept]:
    with History(folder / "new.db") as history:
        return list(history.kept().values())


def test_an_existing_file_is_not_written_to(
    sound: dict[str, bytes], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(folder, {**sound, "new.db": b"precious"})
    assert salvage(folder) == 1
    assert "exists" in capsys.readouterr().err
    assert (folder / "new.db").read_bytes() == b"precious"


def test_what_is_no_recording_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(folder, {"edge.db": b"a letter" * 1000})
    assert salvage(folder) == 1
    assert "not a database" in capsys.readouterr().err


def test_file_of_a_later_version_is_read_with_that_one(
    sound: dict[str, bytes], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To start the recorder, as for an older file, would set it aside."""
    lay_out(folder, sound)
    with closing(sqlite3.connect(folder / "edge.db")) as later:
        later.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="later version") as read:
        History(folder / "edge.db")

    assert salvage(folder) == 1
    assert "later version" in (said := capsys.readouterr().err)
    assert "start the recorder" not in said + str(read.value)
    assert "schema 99" in said
