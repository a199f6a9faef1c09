"""A whole box for tests: real processes, a simulated board, a folder of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from edge import config
from edge.control import Client
from edge.errors import EdgeError
from edge.records import BoxState

WITHIN_S = 120.0
MORTAL = ["setpriv", "--pdeathsig", "KILL"]
"""
Before a command: it is killed when whoever started it ends, even by a kill. A recorder
that went on would record for ever, and take the ports of later tests.
"""
Answer = TypeVar("Answer")

SETTINGS = """
[box]
data_dir = "."
[camera]
source = "{camera}"
[ecg]
source = "serial"
port = "{folder}/ecg-board"
board = "openbci-cyton"
[store]
capacity_gb = 0.2
ballast_mb = 1
"""


class Box:
    """
    A recorder on *folder*; started and stopped as often as a test wants.

    What is waited for must come *within_s* seconds.
    """

    def __init__(
        self, folder: Path, camera: str = "none", within_s: float = WITHIN_S
    ) -> None:
        self.folder = folder
        self.within_s = within_s
        self.file = folder / "edge.toml"
        self.file.write_text(SETTINGS.format(folder=folder, camera=camera))
        self.settings = config.load(self.file)
        self.client = Client(self.settings.control_socket)
        self.process: subprocess.Popen[str] | None = None
        self.log = folder / "recorder.log"
        self.program = [sys.executable, "-m", "edge"]
        self.environment: dict[str, str] = {}

    def start(self, wait: bool = True) -> None:
        """Start `edge run`; return once it answers."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*MORTAL, *self.program, "run", "--config", str(self.file)],
                stdout=log,
                stderr=log,
                env=os.environ | self.environment,
                text=True,
            )
        if wait:
            self.until(lambda state: True)

    def until(self, fine: Callable[[BoxState], bool]) -> BoxState:
        """Return the first state that is *fine*."""
        return wait_for(
            lambda: self._state(fine), lambda: self.log.read_text(), self.within_s
        )

    def _state(self, fine: Callable[[BoxState], bool]) -> BoxState | None:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the recorder ended:\n{self.log.read_text()[-3000:]}")
        try:
            state = self.client.state()
        except EdgeError:
            return None
        return state if fine(state) else None

    def kill(self) -> None:
        """Kill the recorder as a power cut would; its children end with it."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Stop the recorder as systemd would, and return its exit code."""
        return self._end(signal.SIGTERM)

    def end(self) -> None:
        """Leave nothing running."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def _end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(self.within_s)
        self.client.close()
        return code


def wait_for(
    probe: Callable[[], Answer | None],
    told: Callable[[], str] = lambda: "",
    within_s: float = WITHIN_S,
) -> Answer:
    """Return the first answer of *probe* that is not ``None``."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        answer = probe()
        if answer is not None:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s:g} s\n{told()[-3000:]}")


@contextmanager
def running_box(folder: Path, camera: str = "none") -> Iterator[Box]:
    """Yield a started box and leave nothing running."""
    box = Box(folder, camera)
    box.start()
    try:
        yield box
    finally:
        box.end()


def stream_is(name: str, state: str) -> Callable[[BoxState], bool]:
    """Return a condition for `Box.until`."""
    return lambda box: any(
        stream.name == name and stream.state == state for stream in box.streams
    )


def descendants(pid: int) -> list[int]:
    """Return the processes below *pid* that are alive."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found += [int(entry.name), *descendants(int(entry.name))]
    return found


def alive(pid: int) -> bool:
    """
    Return whether the process *pid* runs; one that ended and that nobody has reaped, as
    the first process of some containers reaps nobody, does not.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "XZ"
