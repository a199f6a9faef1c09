"""The vision process's loops, in this process, with a camera and a model as told."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from edge import config
from edge.errors import SourceEnded
from edge.pose import Estimate
from edge.records import Frame
from edge.vision import process
from edge.vision.messages import Doing, Look, Orders, Seen

ORDERS = Orders(config.Camera(source="synthetic"), config.Pose(), "cpu", 0, 0.2)
NO_POSE = Estimate("no pose", np.zeros((17, 3), np.float32), 4, 4, 0, 1.0)
Ends = tuple[Connection, Connection]


class Eyes:
    """A model that is asked nothing."""

    name, device = "model", "cpu"


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    """Return the recorder's and the vision process's end of a pipe."""
    monkeypatch.setattr(process, "estimate", lambda *_: NO_POSE)
    monkeypatch.setattr(process, "PoseTracker", lambda *_: None)
    ours, theirs = Pipe()
    with ours, theirs:
        yield ours, theirs


def send_pictures(ours: Connection, count: int) -> None:
    for number in range(count):
        ours.send(Look(number, 4, 4, bytes(48)))


def heard(ours: Connection) -> list[Any]:
    """Return what the process has said since it was last asked."""
    said = []
    while ours.poll(0):
        said.append(ours.recv())
    return said


def following(has_come: bool, told: Callable[[], None], frames: int) -> type:
    """Return a camera whose next frame comes while an upload is looked at, or not."""

    class Following:
        def __init__(self, *_: object) -> None:
            self.has_come = has_come
            self._turns = iter([False, True] * frames)
            self._left = frames

        def begin(self) -> None:
            if not self._left:
                raise SourceEnded("over")
            self._left -= 1

        def over(self, pipe: Connection) -> bool:
            return next(self._turns)

        def result(self) -> Frame | None:
            told()
            return None

    return Following


@pytest.mark.parametrize("has_come", [True, False])
def test_each_upload_waits_until_the_camera_has_had_its_turn(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, has_come: bool
) -> None:
    ours, theirs = ends
    turns: list[list[Any]] = []
    camera = following(has_come, lambda: turns.append(heard(ours)), frames=3)
    monkeypatch.setattr(process, "NextFrame", camera)
    send_pictures(ours, 3)

    eyes, source = Eyes(), object()
    with pytest.raises(SourceEnded):
        process.watch(theirs, cast(Any, source), cast(Any, eyes), ORDERS)

    seen = [[one.number for one in turn if isinstance(one, Seen)] for turn in turns]
    assert seen == [[0], [1], [2]]
    for turn in turns:  # a camera whose frame has come is not said to be waited for
        assert (turn[-1] == Doing("read camera")) != has_come


def test_pictures_without_a_camera_are_served_only_as_long_as_was_said(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ends
    now_s = iter(range(100))  # a second a look at the clock
    monkeypatch.setattr(time, "monotonic", lambda: float(next(now_s)))
    send_pictures(ours, 10)
    process.serve_pictures(theirs, cast(Any, Eyes()), ORDERS, 4.5)
    assert 0 < sum(isinstance(one, Seen) for one in heard(ours)) < 5


LOCKED = """
import resource, sys
from edge.vision import process
limit = resource.RLIM_INFINITY if sys.argv[1] == "infinity" else int(sys.argv[1])
resource.getrlimit = lambda _: (limit, limit)  # to raise the true one takes a right
process.keep_in_memory()
pictures = bytes(range(256)) * 4096
print(open("/proc/self/status").read())
"""


MAY_LOCK = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(os.strerror(ctypes.get_errno()) if libc.mlockall(1) else "")
"""


def locked_kib(limit: str) -> int:
    """Return what a vision process with this limit has locked in memory, in KiB."""
    run = subprocess.run(
        [sys.executable, "-c", LOCKED, limit],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"^VmLck:\s*([0-9]+) kB$", run.stdout, re.MULTILINE)
    assert found, run.stderr
    return int(found[1])


def test_no_picture_can_be_swapped_to_the_card() -> None:
    refused = subprocess.check_output([sys.executable, "-c", MAY_LOCK], text=True)
    if refused.strip():
        pytest.skip(f"no right to lock memory (CAP_IPC_LOCK): {refused.strip()}")
    unit = (Path(__file__).parents[1] / "systemd/edge.service").read_text()
    limit = re.search(r"^LimitMEMLOCK=(\w+)$", unit, re.MULTILINE)
    assert limit
    assert locked_kib(limit[1]) > 1024


def test_memory_with_a_limit_is_left_alone() -> None:
    assert locked_kib("8388608") == 0
