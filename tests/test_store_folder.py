"""The folder of the one writer: who else may write there, and how long it lasts."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from records_store import (
    BALLAST,
    EVER,
    fill,
    segment,
    session,
    starts,
)

from edge.database import folder as data_folder
from edge.errors import StoreError
from edge.history import History
from edge.store import Store

# What it remembers


HOLD = """
import sys, pathlib
from edge.store import Store
store = Store(pathlib.Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another recorder that has the database open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_new_store_does_not_bring_pandas_along(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "packages"
    other.mkdir()
    (other / "pandas.py").touch()
    script = """
        import sys
        from pathlib import Path
        from edge.store import Store
        Store(Path(sys.argv[1])).close()
        assert "sqlite_utils" in sys.modules and "pandas" not in sys.modules
        import pandas  # as whoever needs it may
    """

    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), path],
        env={**os.environ, "PYTHONPATH": str(other)},
        check=True,
    )


def test_a_second_recorder_is_refused(path: Path, other: subprocess.Popen[str]) -> None:
    for _ in range(20):
        with pytest.raises(StoreError, match=rf"process {other.pid}\b"):
            Store(path)


def test_a_killed_recorder_leaves_no_lock(
    path: Path, other: subprocess.Popen[str]
) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait()
    with Store(path) as store:
        store.append([session()])


def test_a_second_store_harms_nothing(store: Store, path: Path) -> None:
    with pytest.raises(StoreError, match=f"process {os.getpid()}"):
        Store(path)
    fill(store, range(3))
    assert starts(path) == [0, 1, 2]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        Store(tmp_path / "file" / "edge.db")


def test_a_slow_reader_does_not_hold_the_log(store: Store, path: Path) -> None:
    """Whoever works slowly through an answer holds no transaction open."""
    fill(store, range(300))
    with History(path) as history:
        slow = history.chunks(*EVER)
        next(slow)
        fill(store, range(300, 1200))
        assert len(list(slow)) == 1199
    assert path.with_name("edge.db-wal").stat().st_size < 3 << 20


READ_ON = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM chunks").fetchone()
print("reading", flush=True)
sys.stdin.read()
"""


def test_who_reads_without_end_is_named(
    store: Store,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("edge.database.writer.LONG_LOG_BYTES", 3 << 20)
    fill(store, range(10))
    with subprocess.Popen(
        [sys.executable, "-c", READ_ON, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        fill(store, range(10, 700))
        assert f"process {reader.pid}," in caplog.text
        reader.kill()
    fill(store, range(700, 1200))
    assert cast(int, store.storage()["log_bytes"]) < 3 << 20
    assert path.with_name("edge.db-wal").stat().st_size <= 5 << 20
    assert starts(path) == list(range(1200))


def test_a_foreign_lock_is_named(store: Store, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._steady.file.writer.connection.execute("PRAGMA busy_timeout = 10")
    with pytest.raises(StoreError, match="another program"):
        fill(store, range(1))
    other.execute("ROLLBACK")
    other.close()
    fill(store, range(1))
    assert starts(path) == [0]


# Where it lies


MOUNTS = """\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:25 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
41 22 0:30 / /media/root-ro ro - ext4 /dev/root ro
42 22 8:3 / /var/lib/edge rw - ext4 /dev/mmcblk0p3 rw
43 22 0:31 / /mnt/a\\040b rw - tmpfs tmpfs rw
46 22 0:33 / /mnt/Mün\u00a0\\040ö rw - overlay overlay rw
44 42 0:32 / /var/lib/edge/over rw - overlay overlay rw
45 42 8:4 / /var/lib/edge/over rw - ext4 /dev/sda1 rw
"""


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/var/lib/edge/data", "ext4"),
        ("/var/lib/other", "ext4"),
        ("/run/edge", "tmpfs"),
        ("/mnt/a b/c", "tmpfs"),
        ("/mnt/Mün\u00a0 ö/c", "overlay"),
        ("/running", "ext4"),
        ("/var/lib/edge/over/x", "ext4"),
    ],
)
def test_the_file_system_of_a_folder_is_found(folder: str, expected: str) -> None:
    listed = data_folder.mounts(MOUNTS)
    assert data_folder.filesystem_of(Path(folder), listed) == expected


@pytest.mark.parametrize("kind", sorted(data_folder.FLEETING))
def test_a_folder_that_does_not_last_is_said(
    path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = path.with_name("mounts")
    listed.write_text(f"1 0 0:1 / {path.parent} rw - {kind} none rw\n")
    monkeypatch.setattr(data_folder, "MOUNTS", listed)
    with Store(path) as store:
        (sentence,) = store.opening
    assert str(path.parent) in sentence


def test_storage_says_how_long_the_room_lasts(path: Path) -> None:
    with Store(path, 10_000_000, retention_h=100.0, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        assert store.storage()["hours_left"] is None
        fill(store, range(300))
        said = store.storage()
        assert json.loads(json.dumps(said)) == said
        per_hour = path.stat().st_size * 12
        assert said["hours_left"] == pytest.approx(10_000_000 / per_hour, rel=0.3)
        assert said["tight"] is False
