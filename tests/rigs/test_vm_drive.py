"""
A real USB drive, pulled for real: while it is mounted, and in the middle of an export.

The stick is made slow enough to be pulled in the middle. What it holds at that moment
is kept and looked at afterwards; then it is plugged in again, and the export goes on.

``EDGE_RIG_SEED``: the seed to repeat.
"""

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.history import History
from edge.records import Event
from edge.simulator import SimulatedBoard
from rigs.disk import Disk
from rigs.qemu import Machine
from rigs.stick import Stick
from rigs.vm import MARKS, SLOW, data_of, plug_board, saved_more, serial

pytestmark = MARKS
KINDS = ("vfat", "exfat")
PULLS = 5
SAMPLES = 240_000
"""Values of eight channels: at the stick's speed an export of more than a minute, and
every try goes on where the one before was pulled."""
LATEST_S = 6.0
"""A pull comes so long after the first byte at most."""

Export = dict[str, Any]


def export(machine: Machine, fine: Callable[[Export], bool], within_s: float) -> Export:
    """Return the first state of the export that is *fine*."""
    deadline = time.monotonic() + within_s
    while True:
        state = machine.ask("export state")
        if "error" not in state and fine(state):
            return state
        journal = "journalctl -b -o cat -n 40"
        assert time.monotonic() < deadline, (state, machine.sh(journal))
        time.sleep(0.2)


def written(size: int) -> Callable[[Export], bool]:
    """Return whether *size* bytes are written, as a question to an export's state."""
    return lambda state: bool(state["progress"].get("written", 0) >= size)


def is_over(state: Export) -> bool:
    return state["state"] in ("done", "failed")


@pytest.mark.parametrize("kind", KINDS)
def test_stick_pulled_in_mid_export(
    disk: Disk, board: SimulatedBoard, tmp_path: Path, kind: str
) -> None:
    seed = int(os.environ.get("EDGE_RIG_SEED") or random.randrange(1 << 30))
    print(f"{kind}: seed {seed}")
    chance = random.Random(seed)
    with Machine(disk, disk.machine(tmp_path), serial(board)) as machine:
        plug_board(machine)
        machine.booted().until(saved_more(SAMPLES), 300 * SLOW)
        stick = Stick(machine, tmp_path / "stick.raw")
        stick.format(kind)

        assert "error" not in machine.ask("export arm", by="rig")
        pulled = []
        for number in range(PULLS):
            stick.plug()
            export(machine, written(1), 60 * SLOW)
            moment_s = chance.uniform(0, LATEST_S)
            time.sleep(moment_s)
            state = machine.ask("export state")
            assert state["state"] == "writing", state
            stick.pull()
            print(
                f"pull {number + 1}, {moment_s:.1f} s after the first byte, "
                f"at {state['progress']}"
            )
            state = export(machine, is_over, 20 * SLOW)
            print(f"  {state['sentence']}")
            assert state["state"] == "failed", state
            pulled.append(tmp_path / f"pulled{number + 1}.raw")
            shutil.copy(stick.image, pulled[-1])
        stick.plug()
        export(machine, written(1), 60 * SLOW)
        state = export(machine, is_over, 120 * SLOW)
        print(f"back for good: {state['sentence']}")
        assert state["state"] == "done", state
        machine.sh("! grep -q ecg-pose-edge/drive/ /proc/mounts")
        stick.pull()

        final = stick.files(stick.image)
        assert "manifest.json" in final
        assert "UNFINISHED.txt" not in final
        for image in pulled:
            left = stick.files(image)
            print(f"{image.name} held {sorted(left)}")
            assert_whole(left, final)
        machine.off()
    assert_recorded(recorded(tmp_path))


def assert_whole(left: dict[str, str], final: dict[str, str]) -> None:
    """Every file under its final name is what the finished export has."""
    for name, digest in left.items():
        aside = name.endswith(".part") or name == "UNFINISHED.txt"
        assert aside or digest == final[name], name


def recorded(folder: Path) -> list[Event]:
    """Return the events on the data disk of the machine in *folder*."""
    with data_of(folder) as database, History(database) as history:
        span = history.span()
        assert span
        return list(history.events(*span))


def assert_recorded(events: list[Event]) -> None:
    """The pulls are known, and from the first export on the recording has no gap."""
    exports = [event for event in events if event.kind == "export"]
    assert [event.detail["whole"] for event in exports] == [False] * PULLS + [True]
    gaps = [event for event in events if event.kind == "gap"]
    assert [gap for gap in gaps if gap.began > exports[0].began] == []


@pytest.mark.parametrize("kind", KINDS)
def test_drive_is_mounted_for_the_recorder_alone(
    kind: str, machine: Machine, tmp_path: Path
) -> None:
    machine.until(lambda state: True, 60 * SLOW)
    stick = Stick(machine, tmp_path / "stick.raw")
    stick.plug(slow=False)
    assert "no file system" in asked(machine, "mount sda")
    stick.pull()
    stick.format(kind)
    stick.plug(slow=False)
    assert machine.sh("findmnt -rn /dev/sda || echo none") == "none"  # by itself: no

    place = asked(machine, "mount sda").removeprefix("ok ")

    options = machine.sh(f"findmnt -rno OPTIONS {place}").split(",")
    assert {"nosuid", "nodev", "noexec"} <= set(options)
    machine.sh(f"{as_recorder()} sh -c 'echo data >{place}/file && sync {place}/file'")
    assert asked(machine, "release sda").startswith("ok ")
    assert machine.sh("findmnt -rn /dev/sda || echo none") == "none"
    machine.sh(f"fsck.{kind} -n /dev/sda")

    assert asked(machine, "mount sda") == f"ok {place}"
    stick.pull()
    machine.sh(f"while findmnt -rn {place}; do sleep 0.2; done")
    assert "error" not in machine.state()


def as_recorder() -> str:
    """Return the beginning of a command that sees and may do what the recorder does."""
    user = '-S "$(id -u edge)" -G "$(id -g edge)"'
    return f"nsenter -t $(systemctl show -P MainPID edge) -m {user} --"


def asked(machine: Machine, request: str) -> str:
    """Put *request* to the helper as the recorder does, and return its answer."""
    ask = (
        "import socket; s = socket.socket(socket.AF_UNIX); "
        "s.connect('/run/ecg-pose-edge/drive.sock'); "
        f"s.sendall(b'{request}\\\\n'); print(s.makefile().readline())"
    )
    return machine.sh(f'runuser -u edge -- python3 -c "{ask}"', 60 * SLOW)
