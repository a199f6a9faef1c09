"""The demo as a person or a script ends it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from box import alive, descendants, wait_for


def ignore_interrupts() -> None:
    """Do what a shell does to a command that it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize(
    ("in_background", "end"),
    [(False, signal.SIGINT), (False, signal.SIGTERM), (True, signal.SIGTERM)],
)
def test_demo_ends_with_all_it_started(
    tmp_path: Path, in_background: bool, end: signal.Signals
) -> None:
    command = [sys.executable, "-m", "edge", "demo", "--data", str(tmp_path)]
    demo = subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=ignore_interrupts if in_background else None,
    )
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
        demo.wait()

    assert "joined rows" in summary
    wait_for(lambda: not any(map(alive, children)) or None)
    assert not (tmp_path / "ecg-board").is_symlink()
