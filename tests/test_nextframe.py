"""A camera's next frame, waited for beside a pipe."""

import threading
from multiprocessing import Pipe

import numpy as np
import pytest

from edge.errors import SourceLost
from edge.records import Frame, MonotonicNs
from edge.sources import FrameSource
from edge.vision import nextframe
from edge.vision.nextframe import NextFrame

FRAME = Frame(
    0, MonotonicNs(1), MonotonicNs(2), "sensor", np.zeros((4, 4, 3), np.uint8)
)


class Camera(FrameSource):
    """A camera whose read lasts until `go` is set, then gives *frame* or fails."""

    def __init__(self, frame: Frame | None = FRAME, failure: str = "") -> None:
        self.go = threading.Event()
        self._frame, self._failure = frame, failure

    def read(self, timeout_s: float) -> Frame | None:
        assert self.go.wait(10)
        if self._failure:
            raise SourceLost(self._failure)
        return self._frame

    def close(self) -> None:
        self.go.set()


def test_message_is_told_of_while_the_camera_is_waited_for() -> None:
    ours, theirs = Pipe()
    with Camera() as camera:
        following = NextFrame(camera, within_s=10)
        following.begin()
        theirs.send("a picture to look at")
        assert not following.over(ours)
        assert ours.recv() == "a picture to look at"
        camera.go.set()
        assert following.over(ours)
        assert following.result() is FRAME
        following.begin()
        assert following.over(ours)
        assert following.result() is FRAME


def test_frame_that_is_there_goes_before_a_message() -> None:
    ours, theirs = Pipe()
    with Camera() as camera:
        following = NextFrame(camera, within_s=10)
        following.begin()
        camera.go.set()
        assert following.over(ours)
        theirs.send("a picture to look at")
        following.begin()
        following._read.result(10)
        assert following.over(ours)


def test_failure_of_the_camera_is_passed_on() -> None:
    ours, _ = Pipe()
    with Camera(failure="the cable was pulled") as camera:
        following = NextFrame(camera, within_s=10)
        following.begin()
        camera.go.set()
        assert following.over(ours)
        with pytest.raises(SourceLost, match="cable"):
            following.result()


def test_hung_camera_leaves_messages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """So whoever sent them notices, and ends the process."""
    monkeypatch.setattr(nextframe, "HUNG_S", 0.0)
    ours, theirs = Pipe()
    with Camera(frame=None) as camera:
        following = NextFrame(camera, within_s=0.0)
        following.begin()
        theirs.send("a picture to look at")
        threading.Timer(0.05, camera.go.set).start()
        assert following.over(ours)
        assert ours.poll()
        assert following.result() is None
