"""`edge simulate`: a board on a pseudo-terminal, as a command."""

import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from box import MORTAL, WITHIN_S

from edge.__main__ import main


@pytest.mark.parametrize(
    "words",
    [
        ["--loss", "2"],
        ["--seed", "-1"],
        ["--drift-ppm", "-1e6"],
        ["--truth", "/nowhere/truth"],
        ["--link", "/nowhere/ecg"],
        ["--for", "-1"],
        ["--sync-pulse", "0.1"],
    ],
)
def test_command_refuses_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # they are pytest's here
    code: str | int | None
    try:
        code = main(["simulate", "ecg", "--link", str(tmp_path / "ecg"), *words])
    except SystemExit as refused:
        code = refused.code
    said = capsys.readouterr().err.strip().splitlines()

    assert code in (1, 2)
    assert said[-1].startswith("edge")
    assert "Traceback" not in str(said)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def simulated(link: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command with a board at *link*; it ends also if the test fails."""
    command = [sys.executable, "-m", "edge", "simulate", "ecg", "--link", str(link)]
    with subprocess.Popen(
        [*MORTAL, *command, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_runs_in_real_time_and_leaves_no_link(
    tmp_path: Path, number: int
) -> None:
    link = tmp_path / "ecg"
    with simulated(link) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("simulating openbci-cyton")
        reader = os.open(link, os.O_RDONLY | os.O_NOCTTY)
        assert not termios.tcgetattr(reader)[3] & (termios.ICANON | termios.ECHO)
        data = b""
        while len(data) < 2000:
            data += os.read(reader, 4096)
        process.send_signal(number)
        last, _ = process.communicate(timeout=WITHIN_S)
        os.close(reader)

    assert process.returncode == 0
    assert "written_bytes" in last
    assert not link.is_symlink()


INTERRUPTED = """
import signal, sys
from edge.__main__ import main

def interrupt(frame, event, arg):
    global left
    left -= frame.f_code.co_name == "wait"
    if not left:
        signal.raise_signal(signal.SIGTERM)
    return interrupt

for step in range(1, 20):
    left = step
    sys.settrace(interrupt)
    assert main(["simulate", "ecg", "--link", sys.argv[1]]) == 0
    sys.settrace(None)
"""


def test_signal_at_any_step_of_the_wait_for_it_ends_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "ecg")]
    done = subprocess.run(command, check=False, timeout=WITHIN_S)
    assert done.returncode == 0


def test_command_does_what_standard_input_says(tmp_path: Path) -> None:
    link, other = tmp_path / "ecg", tmp_path / "another port"
    with simulated(link, "--verbs", "--for", "3600") as process:
        orders, answers = process.stdin, process.stdout
        assert orders is not None
        assert answers is not None
        answers.readline()

        def say(words: str) -> str:
            orders.write(words + "\n")
            orders.flush()
            return answers.readline()

        assert say("unplug") == "done\n"
        assert not link.is_symlink()
        assert say(f"plug {other}") == "done\n"
        assert other.resolve().is_char_device()
        for words in ("mute", "unmute", "stall 0.1", "babble 9", "restart"):
            assert say(words) == "done\n"
        for words in ("explode", "stall", "stall x", ""):
            assert say(words).startswith("not done")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0
    assert not other.is_symlink()
