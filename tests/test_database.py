"""How the database file is opened by those who may only read it."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.database.connections import open_reader, open_writer

NOBODY = 65534


@pytest.fixture
def path() -> Iterator[Path]:
    """Return a database in a folder that everybody may look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder / "recording.db"
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def readers_rights(folder: Path) -> Iterator[None]:
    """Let this process write nothing in *folder* for a while."""
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


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
    with readers_rights(path.parent):
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
