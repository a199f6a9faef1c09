"""How the database file is opened by those who may only read it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary_user import open_folder, ordinary_user

from edge.database.connections import open_reader, open_writer


@pytest.fixture
def path() -> Iterator[Path]:
    """Return a database in a folder that everybody may look into."""
    with open_folder() as folder:
        yield folder / "recording.db"


def recorded(path: Path) -> sqlite3.Connection:
    """Return the writer of a new database with one row."""
    writer = open_writer(path)
    writer.execute("CREATE TABLE rows (id INTEGER)")
    writer.execute("INSERT INTO rows VALUES (7)")
    for file in path.parent.iterdir():
        file.chmod(0o644)
    return writer


@pytest.mark.parametrize("running", [True, False])
def test_reader_without_rights_reads_whether_or_not_somebody_records(
    path: Path, running: bool
) -> None:
    writer = recorded(path)
    if not running:
        writer.close()
    with ordinary_user(path.parent, 0o555):
        reader = open_reader(path)
        rows = reader.execute("SELECT id FROM rows").fetchall()
        with pytest.raises(sqlite3.OperationalError):
            reader.execute("INSERT INTO rows VALUES (8)")
        reader.close()
    writer.close()

    assert rows == [(7,)]


def test_missing_file_is_an_error(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        open_reader(path)
