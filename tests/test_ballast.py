"""Room that is held on the disk for the moment there is none."""

from pathlib import Path

import pytest

from edge.database import ballast
from edge.database.ballast import Ballast

SIZE = 1 << 18


def test_ballast_takes_its_room_and_gives_it_back(tmp_path: Path) -> None:
    database = tmp_path / "edge.db"
    held = Ballast(database, SIZE)
    assert not held.held

    assert held.take()
    (file,) = tmp_path.iterdir()
    assert 512 * file.stat().st_blocks >= SIZE  # what a sparse file has not
    assert held.held
    assert Ballast(database, SIZE).held  # by the next recorder, too

    assert held.give_up()
    assert not held.held
    assert list(tmp_path.iterdir()) == []
    assert not held.give_up()


def test_ballast_is_taken_only_where_there_is_clearly_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Ballast(tmp_path / "edge.db", SIZE)
    monkeypatch.setattr(ballast, "free_bytes", lambda _: 2 * SIZE)

    assert not held.take()
    assert list(tmp_path.iterdir()) == []


def test_sparse_file_is_no_ballast(tmp_path: Path) -> None:
    with (tmp_path / "edge.db.ballast").open("wb") as file:
        file.truncate(SIZE)

    assert not Ballast(tmp_path / "edge.db", SIZE).held
