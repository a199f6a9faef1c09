"""A drive that is pulled, full, read-only or a fake: no half file has a final name."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from export_rig import recorded
from pulled_drive import PulledDrive, whole

from edge.errors import ExportError
from edge.export import manifest
from edge.export.claim import UNFINISHED, claim
from edge.export.job import Job
from edge.export.output import Output, TableOutput, files_in
from edge.export.part import ASIDE, Part, put
from edge.export.request import Request
from edge.export.span import find_span
from edge.history import History
from edge.records import BoxNs, UtcNs
from edge.store import Store

SIZE = 64 * 1024
BLOCK = 3000
HEADER = b"a,b,c\n"
LIMIT = 20_000
RETRY_EVERY = 10
CAMPAIGN = "EDGE_CAMPAIGN" in os.environ
"""Set: the retry is made after every byte offset, not every tenth (a minute)."""
WORKERS = 8
"""The byte offsets are shared out so that the test runner can spread them."""


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "recording.db"
    with Store(path) as store:
        store.append(recorded())
    return path


def blocks() -> list[bytes]:
    random = np.random.default_rng(7)
    digits = random.integers(48, 58, SIZE, np.uint8)
    digits[19::20] = ord("\n")
    text = digits.tobytes()
    return [text[at : at + BLOCK] for at in range(0, SIZE, BLOCK)]


BLOCKS = blocks()


def write_64k(drive: PulledDrive) -> dict[str, str]:
    """Write a table of 64 KiB in parts; return name → SHA-256."""
    output = Output(files_in(drive), limit=LIMIT)
    try:
        table = TableOutput(output, "ecg", HEADER, "")
        for block in BLOCKS:
            table.write(block, 1, BoxNs(0))
        table.finish()
        put(drive, manifest.NAME, b"done")
    finally:
        output.close()
    return {written.file.name: written.file.sha256 for written in output.written}


def sums(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(text).hexdigest() for name, text in files.items()}


GOOD = write_64k(PulledDrive()) | sums({manifest.NAME: b"done"})


def check_pulled(drive: PulledDrive, again: bool = True) -> None:
    """Write to *drive*, which is pulled; then, *again*, to what is left of it."""
    try:
        write_64k(drive)
    except ExportError:
        assert drive.pulled
    left = drive.left()
    for name, digest in sums(left).items():
        assert name.endswith(ASIDE) or digest == GOOD[name], name
    if manifest.NAME in left:
        assert left.keys() == GOOD.keys()
    if again:
        retry = PulledDrive(left)
        write_64k(retry)
        assert sums(dict(whole(retry))) == GOOD


@pytest.mark.parametrize("worker", range(WORKERS))
def test_pulled_at_every_byte(worker: int) -> None:
    for size in range(worker, SIZE + 100, WORKERS):
        again = CAMPAIGN or size % RETRY_EVERY == 0
        check_pulled(PulledDrive(size=size, seed=size), again)


def test_pulled_at_every_call() -> None:
    drive = PulledDrive()
    write_64k(drive)

    for call in range(drive.calls):
        for seed in range(5):
            check_pulled(PulledDrive(call=call, seed=seed))


def asked_of(database: Path) -> Request:
    with History(database) as history:
        return Request(*find_span(history), check_again=True)


def run_job(database: Path, drive: PulledDrive) -> None:
    Job(database, asked_of(database), drive, UtcNs(0)).run()


@pytest.fixture(scope="session")
def good(database: Path) -> dict[str, bytes]:
    """Return the files of an export that nothing disturbed."""
    drive = PulledDrive()
    run_job(database, drive)
    return dict(whole(drive))


@pytest.fixture(scope="session")
def begun(database: Path) -> bytes:
    """Return what `UNFINISHED` says of it meanwhile."""
    drive = PulledDrive()
    claim(drive, asked_of(database))
    return dict(whole(drive))[UNFINISHED]


def test_whole_job_pulled_at_every_call(database: Path, good: dict[str, bytes]) -> None:
    """The retry gives the same files, whatever the first try left."""
    drive = PulledDrive()
    run_job(database, drive)

    for call in range(drive.calls):
        pulled = PulledDrive(call=call, seed=call)
        with pytest.raises(ExportError):
            run_job(database, pulled)
        left = pulled.left()
        for name, text in left.items():
            assert name.endswith(ASIDE) or name == UNFINISHED or text == good[name]
        if manifest.NAME in left:
            assert good.keys() <= left.keys()
        again = PulledDrive(left)
        run_job(database, again)
        assert dict(whole(again)) == good


@pytest.mark.parametrize("name", ["joined.csv", "ecg.csv.part"])
def test_file_whose_clusters_the_drive_lost_is_written_anew(
    database: Path, good: dict[str, bytes], begun: bytes, name: str
) -> None:
    drive = PulledDrive({UNFINISHED: begun, name: good[name.removesuffix(ASIDE)]})
    drive.files[name].readable = 512
    run_job(database, drive)

    assert dict(whole(drive)) == good


def test_what_a_drive_has_is_compared_not_written_again(
    database: Path, good: dict[str, bytes], begun: bytes
) -> None:
    drive = PulledDrive(good)
    run_job(database, drive)

    assert dict(whole(drive)) == good
    assert drive.written == len(begun) + len(good[manifest.NAME])


def test_rows_of_an_earlier_try_that_the_recording_lost_are_cut_off(
    database: Path, good: dict[str, bytes], begun: bytes
) -> None:
    more = {"ecg.csv.part": good["ecg.csv"] + b"1,2\n", "vitals-002.csv": b"3\n"}
    drive = PulledDrive({UNFINISHED: begun} | more)
    run_job(database, drive)

    assert dict(whole(drive)) == good


def test_whole_export_that_is_tried_again_is_not_called_whole_meanwhile(
    database: Path, good: dict[str, bytes]
) -> None:
    drive = PulledDrive(good)
    run_job(database, drive)

    for call in range(0, drive.calls, 2):
        pulled = PulledDrive(good, call=call, seed=call)
        with pytest.raises(ExportError):
            run_job(database, pulled)
        left = pulled.left()
        assert manifest.NAME not in left or good.items() <= left.items()


@pytest.mark.parametrize(("length", "zeros"), [(0, 0), (40, 0), (200, 0), (40, 400)])
def test_drive_that_kept_only_the_beginning_of_what_was_asked(
    database: Path, good: dict[str, bytes], begun: bytes, length: int, zeros: int
) -> None:
    """It may be pulled again while that is written anew."""
    assert len(begun) > length
    for call in range(20):
        kept = begun[:length] + bytes(zeros)
        left = {"joined.csv": good["joined.csv"][:1000], UNFINISHED: kept}
        pulled = PulledDrive(left, call=call)
        with pytest.raises(ExportError, match="insert it again"):
            run_job(database, pulled)
        again = PulledDrive(pulled.left())
        run_job(database, again)
        assert dict(whole(again)) == good


@pytest.mark.parametrize("room", range(0, 360_000, 23_000))
def test_full_drive_is_never_called_done(database: Path, room: int) -> None:
    drive = PulledDrive(room=room)

    with pytest.raises(ExportError, match="full"):
        run_job(database, drive)

    assert manifest.NAME not in drive.files


@pytest.mark.parametrize("room", range(0, 360_000, 23_000))
def test_fake_drive_is_never_called_done(database: Path, room: int) -> None:
    drive = PulledDrive(room=room, fake=True)

    with pytest.raises(ExportError, match="other bytes"):
        run_job(database, drive)

    assert manifest.NAME not in drive.files


def test_fake_drive_that_overwrites_its_beginning_is_found(database: Path) -> None:
    class Wrapping(PulledDrive):
        def _put(self, handle: int, data: bytes) -> None:
            super()._put(handle, data)
            inode = self.files.get("joined.csv")
            if inode and self.written > 200_000:
                inode.seen[:4] = inode.settled[:4][::-1]

    drive = Wrapping()

    with pytest.raises(ExportError, match=r"joined\.csv.*other bytes"):
        run_job(database, drive)

    assert manifest.NAME not in drive.files


def test_drive_that_lost_a_file_is_never_called_done(database: Path) -> None:
    class Losing(PulledDrive):
        def _put(self, handle: int, data: bytes) -> None:
            super()._put(handle, data)
            if self.written > 200_000:
                self.files.pop("joined.csv", None)

    drive = Losing()

    with pytest.raises(ExportError, match="joined.csv: it is gone from the drive"):
        run_job(database, drive)

    assert not drive.files.keys() & {manifest.NAME, "joined.csv"}


def test_read_only_drive_is_said(database: Path) -> None:
    with pytest.raises(ExportError, match="read-only"):
        run_job(database, PulledDrive(read_only=True))


@pytest.mark.parametrize(
    ("bytes_per_s", "most_at_once", "most_syncs"),
    [(50_000, 256 << 10, 400), (50_000_000, 32 << 20, 14)],
)
def test_backlog_is_what_the_drive_takes_in_a_moment(
    monkeypatch: pytest.MonkeyPatch,
    bytes_per_s: int,
    most_at_once: int,
    most_syncs: int,
) -> None:
    backlogs: list[int] = []

    class Slow(PulledDrive):
        def settle(self, handle: int) -> None:
            inode, _ = self._handles[handle]
            backlogs.append(len(inode.seen) - len(inode.settled))
            super().settle(handle)

    monkeypatch.setattr(
        "edge.export.part.time.monotonic", lambda: sum(backlogs) / bytes_per_s
    )
    drive = Slow()
    part = Part(drive, "ecg.csv")
    for size in (64 << 10, 2 << 20):
        for _ in range((20 << 20) // size):
            part.write(bytes(size))
    part.finish()

    assert max(backlogs) <= most_at_once
    assert len(backlogs) <= most_syncs
