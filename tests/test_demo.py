"""The demo as a person or a script ends it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from box import alive, descendants, wait_for


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
            summary, _ = demo.communicate(timeout=30)
        finally:
            demo.kill()

    assert "joined rows" in summary
    wait_for(lambda: not any(map(alive, children)) or None)
    assert not (tmp_path / "ecg-board").is_symlink()
