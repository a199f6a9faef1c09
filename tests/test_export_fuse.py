"""The same on a real mount: a FUSE drive whose process dies while it is written."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from export_rig import recorded

from edge.errors import ExportError
from edge.export.folder import DiskFolder
from edge.export.job import Job, Progress
from edge.export.part import ASIDE, put
from edge.export.request import Request
from edge.export.span import find_span
from edge.export.verify import verify
from edge.history import History
from edge.records import UtcNs
from edge.store import Store

DRIVE = Path(__file__).with_name("dying_drive.py")
PULLS = 200 if "EDGE_CAMPAIGN" in os.environ else 12
WITHIN_S = 120.0


@pytest.fixture(scope="module", autouse=True)
def _needs_fuse() -> None:
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:  # the library it wraps: libfuse3-3
        pytest.skip(f"no FUSE in Python: {error}")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse cannot be opened")
    barred = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if barred.returncode and not shutil.which("fusermount3"):
        pytest.skip("no right to mount, and fusermount3 (package fuse3) is missing")


@contextmanager
def mounted(tmp: Path, life: int, rate: float = 0, *more: str) -> Iterator[Path]:
    """Mount the drive that keeps its bytes in *tmp*/medium."""
    point, medium = tmp / "drive", tmp / "medium"
    point.mkdir(parents=True, exist_ok=True)
    medium.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, DRIVE, point, medium, life, rate, *more]
    command = [str(word) for word in words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + WITHIN_S
        while not os.path.ismount(point):
            if process.poll() is not None or time.monotonic() > until:
                assert process.stderr is not None
                pytest.fail(f"no FUSE mount: {process.stderr.read()}")
            time.sleep(0.005)
        yield point
    finally:
        release = ["fusermount3", "-u", "-z"] if os.getuid() else ["umount", "-l"]
        subprocess.run([*release, point], check=False)
        process.wait(WITHIN_S)
        assert process.stderr is not None
        process.stderr.close()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "recording.db"
    with Store(path) as store:
        store.append(recorded())
    return path


def export(database: Path, place: Path) -> int:
    """Export to the drive at *place*; return how much there is."""
    with History(database) as history:
        request = Request(*find_span(history), check_again=True)
    with DiskFolder.at(place) as folder:
        job = Job(database, request, folder, UtcNs(0))
        job.run()
    return job.output.size


def test_drive_that_dies_at_random(database: Path, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    with mounted(tmp_path / "whole", 0) as place:
        size = export(database, place)
        good = {path.name: path.read_bytes() for path in place.iterdir()}

    for number in range(PULLS):
        tmp = tmp_path / str(number)
        with (
            pytest.raises(ExportError),
            mounted(tmp, draw.randrange(1, size)) as place,
        ):
            export(database, place)
        for path in (tmp / "medium").iterdir():
            whole = good.get(path.name)
            assert whole == path.read_bytes() or path.suffix in (ASIDE, ".txt")
        with mounted(tmp, 0) as place:
            export(database, place)
            assert {path.name: path.read_bytes() for path in place.iterdir()} == good
            assert not [verdict for verdict in verify(place) if verdict.fault]


def test_slow_drive_can_be_cancelled_and_is_not_called_done(
    database: Path, tmp_path: Path
) -> None:
    with mounted(tmp_path, 0, rate=100_000) as place:
        with History(database) as history:
            request = Request(*find_span(history))
        with DiskFolder.at(place) as folder:
            told: list[Progress] = []

            def stop(progress: Progress) -> None:
                told.append(progress)
                job.cancel()

            job = Job(database, request, folder, UtcNs(0), stop)
            with pytest.raises(ExportError, match="cancelled"):
                job.run()
        assert told[0].remaining_s
        assert not (place / "manifest.json").exists()
    with mounted(tmp_path, 0) as place:
        export(database, place)
        assert not [verdict for verdict in verify(place) if verdict.fault]


def test_folder_returns_when_the_medium_has_it(tmp_path: Path) -> None:
    def medium() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in files.iterdir()}

    files = tmp_path / "medium"
    with mounted(tmp_path, 0) as place, DiskFolder.at(place) as folder:
        handle = folder.open("ecg.csv.part")
        folder.write(handle, b"1,2")
        folder.settle(handle)
        folder.close(handle)
        assert medium() == {"ecg.csv.part": b"1,2"}
        folder.rename("ecg.csv.part", "ecg.csv")
        assert medium() == {"ecg.csv": b"1,2"}
        folder.remove("ecg.csv")
        assert medium() == {}


def test_fake_drive_is_found_though_the_kernel_still_knows_the_bytes(
    tmp_path: Path,
) -> None:
    with mounted(tmp_path, 0, 0, "fake") as place, DiskFolder.at(place) as folder:
        with pytest.raises(ExportError, match="other bytes"):
            put(folder, "ecg.csv", b"1,2,3,4\n" * 32_768)
        assert folder.names() == ["ecg.csv.part"]
