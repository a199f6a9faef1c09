"""The demo as a person or a script ends it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from box import WITHIN_S, alive, descendants, wait_for

from edge.database.folder import FolderLock


def started_in_background(yes: bool) -> None:
    """Do what a shell does: it has a command in the background ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN if yes else signal.default_int_handler)


@pytest.mark.parametrize(
    ("in_background", "end"),
    [(False, signal.SIGINT), (False, signal.SIGTERM), (True, signal.SIGTERM)],
)
def test_demo_ends_with_all_it_started(
    tmp_path: Path, in_background: bool, end: signal.Signals
) -> None:
    command = [sys.executable, "-m", "edge", "demo", "--data", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: started_in_background(in_background),
    ) as demo:
        try:
            assert demo.stdout
            assert "Recording." in demo.stdout.readline()
            assert "Ctrl-C" in demo.stdout.readline()
            children = descendants(demo.pid)
            assert len(children) >= 4  # board, recorder, page and vision
            demo.send_signal(end)
            summary, _ = demo.communicate(timeout=WITHIN_S)
        finally:
            demo.kill()

    assert "joined rows" in summary
    wait_for(lambda: not any(map(alive, children)) or None)
    assert not (tmp_path / "ecg-board").is_symlink()


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge", "demo", "--data", str(folder)]
    return subprocess.run(
        [*command, "--port", "0", "--for", "5"],
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("held", ["demo", "recording.db"])
def test_folder_of_another_demo_or_recorder_is_left_as_it_is(
    held: str, tmp_path: Path
) -> None:
    lock = FolderLock(tmp_path / held)
    (tmp_path / "demo.toml").write_text("theirs")
    (tmp_path / "ecg-board").symlink_to("/dev/pts/theirs")
    done = demo(tmp_path)
    lock.release()

    assert done.returncode == 1
    assert f"process {os.getpid()}: stop that one first" in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert (tmp_path / "demo.toml").read_text() == "theirs"
    assert (tmp_path / "ecg-board").readlink() == Path("/dev/pts/theirs")
    assert not (tmp_path / "demo.log").exists()


@pytest.mark.parametrize("name", ["demo", 'q" \\ ü'])
def test_part_that_ends_ends_the_demo_at_once(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "ecg-board").write_text("a file, where the board's port should be")
    done = demo(folder)

    assert done.returncode == 1
    assert "did not come up: edge simulate ended at once" in done.stderr
    assert "a file is in the way" in done.stderr


def test_folder_that_cannot_be_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = demo(tmp_path / "file" / "demo")

    assert done.returncode == 1
    assert "Not a directory; name another folder with --data" in done.stderr
    assert done.stderr.count("\n") == 1
