"""
The vision process: camera → model → poses on a pipe. Frames never leave it.

It is a process of its own because the Edge TPU's driver aborts on a USB fault and
holds the interpreter lock while it loads, and because a camera call can hang for ever.
It never repairs itself: on any fault it ends, and the recorder starts a new one
(`supervision`), which is also what reopening a camera or a TPU takes.

Started as ``python -m edge.vision`` with the number of its end of a socket pair.
"""

import ctypes
import logging
import math
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import cast

import numpy as np

from edge.errors import EdgeError, SourceEnded, SourceError
from edge.models import Model, find_model, load_model
from edge.pose import Estimate, PoseTracker, estimate
from edge.pose.crop import Rotation
from edge.records import BoxNs, Event, Frame, Pose
from edge.sources import FrameSource, open_frames
from edge.synctest import LightMeter
from edge.vision.messages import (
    Damaged,
    Doing,
    Look,
    Orders,
    Over,
    Seen,
    Watch,
    Watched,
)
from edge.vision.nextframe import NextFrame

logger = logging.getLogger(__name__)

FRAME_WITHIN_S = 0.25
"""How long one read of the camera may wait."""

UPLOAD_LOOKS = 2
"""At the whole picture and once closer: the camera waits meanwhile, and on annotated
pictures a third and a fourth change nothing (``scripts/bench pose-turned``)."""


def main() -> None:
    """Serve the pipe whose number is the last argument until the recorder has gone."""
    logging.basicConfig(level=logging.INFO, format="vision: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):  # systemd and shells tell every
        signal.signal(number, signal.SIG_IGN)  # process; the recorder ends this one
    die_with_parent()
    keep_in_memory()
    with (
        Connection(int(sys.argv[-1])) as pipe,
        suppress(EOFError, BrokenPipeError, ConnectionResetError),
    ):
        run(pipe, pipe.recv())


def run(pipe: Connection, orders: Orders) -> None:
    """Load the model, open the camera, and look at pictures until told to end."""
    try:
        pipe.send(Doing("load model", orders.device))
        model = load(orders)
    except EdgeError as error:
        pipe.send(Over("model", False, str(error)))
        return
    try:
        if orders.camera.source == "none":
            serve_pictures(pipe, model, orders, math.inf)
        pipe.send(Doing("open camera", model.name))
        with open_frames(orders.camera) as source:
            watch(pipe, source, model, orders)
    except SourceError as error:
        ended = isinstance(error, SourceEnded)
        pipe.send(Over("camera", ended, str(error)))
        serve_pictures(pipe, model, orders, math.inf if ended else orders.pause_s)
    except EdgeError as error:
        pipe.send(Over("model", False, str(error)))


def load(orders: Orders) -> Model:
    """Return the model for the device that was ordered."""
    tpu = orders.device == "tpu"
    name = orders.pose.tpu_model if tpu else orders.pose.model
    pose = orders.pose
    path = find_model(name)
    return load_model(path, orders.device, pose.threads, library=pose.tpu_library)


def watch(pipe: Connection, source: FrameSource, model: Model, orders: Orders) -> None:
    """Turn each frame into a pose, for ever."""
    camera = orders.camera
    rotation = cast(Rotation, camera.rotation_deg)
    tracker = PoseTracker(model, rotation, camera.find_rotation, camera.region)
    following = NextFrame(source, FRAME_WITHIN_S)
    before: Estimate | None = None
    watching: Watching | None = None
    while True:
        pipe.send(Doing("read camera"))
        following.begin()
        while not following.over(pipe):
            watching = answer_request(pipe, model, orders, 0) or watching
            if not following.has_come:  # else the camera is not to be blamed
                pipe.send(Doing("read camera"))
        frame = following.result()
        if frame is not None:
            if frame.damaged:
                pipe.send(Damaged(frame.damaged))
            pipe.send(Doing("infer"))
            found = tracker.step(frame)
            pose = as_pose(frame, found, model, orders)
            pipe.send(pose)
            for event in changes(before, found, pose.exposed):
                pipe.send(event)
            before = found
            if watching and watching.over(pipe, frame, pose.exposed):
                watching = None


class Watching:
    """A sync test's part of the picture, while it lasts."""

    def __init__(self, watch: Watch) -> None:
        self._number = watch.number
        self._meter = LightMeter(watch.seconds)

    def over(self, pipe: Connection, frame: Frame, exposed: BoxNs) -> bool:
        """Take *frame*; send what was seen and return true once it was the last."""
        spots = self._meter.feed(frame, exposed)
        if spots is None:
            return False
        pipe.send(Watched(self._number, spots))
        return True


def serve_pictures(
    pipe: Connection, model: Model, orders: Orders, for_s: float
) -> None:
    """Without a camera: look at uploads only, for *for_s* seconds."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        pipe.send(Doing("idle", model.name))
        answer_request(pipe, model, orders, FRAME_WITHIN_S)


def answer_request(
    pipe: Connection, model: Model, orders: Orders, wait_s: float
) -> Watching | None:
    """
    Look at the next picture that is asked for; return what is to be watched.

    One at a time: people who upload on and on must not keep the camera waiting.
    """
    if not pipe.poll(wait_s):
        return None
    look: Look | Watch = pipe.recv()
    if isinstance(look, Watch):
        return Watching(look)
    pipe.send(Doing("look at upload"))
    pixels = np.frombuffer(look.pixels, np.uint8)
    picture = pixels.reshape(look.height, look.width, 3)
    rotation: Rotation | None = None if orders.camera.find_rotation else 0
    found = estimate(model, picture, rotation, UPLOAD_LOOKS)
    pipe.send(Seen(look.number, found, model.name, model.device))
    return None


def changes(before: Estimate | None, found: Estimate, at: BoxNs) -> Iterator[Event]:
    """Yield what is new for people in the frame *at*, in which was *found*."""
    if before is not None and found.rotation != before.rotation:
        cause = f"the camera's pictures are turned by {found.rotation}° from now on"
        detail: dict[str, object] = {"rotation": found.rotation}
        yield Event(at, None, "state", "pose", cause, detail)
    if found.another != (before is not None and before.another):
        cause = f"a second person {'is in view' if found.another else 'has left'}"
        detail = {"another_person": found.another}
        yield Event(at, None, "state", "pose", cause, detail)


def as_pose(frame: Frame, found: Estimate, model: Model, orders: Orders) -> Pose:
    """Return the record of one frame, in box time."""
    latency_ns = round(orders.camera.latency_ms * 1e6)
    return Pose(
        exposed=BoxNs(frame.exposed - latency_ns + orders.offset_ns),
        uncertainty_ns=frame.uncertainty_ns,
        stamp=frame.stamp,
        source="camera",
        state=found.state,
        keypoints=found.keypoints,
        width=found.width,
        height=found.height,
        rotation=found.rotation,
        model=model.name,
        device=model.device,
        inference_ms=found.inference_ms,
    )


def die_with_parent() -> None:
    """Ask the kernel to end this process with the thread that started it."""
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG in linux/prctl.h
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def keep_in_memory() -> None:
    """
    Have the kernel swap nothing of this process: Raspberry Pi OS swaps to the card, and
    no picture is to reach it. Nothing happens where memory may not be locked without a
    limit (edge.service may): with one, whatever needs more later would fail.
    """
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        current, future, on_fault = 1, 2, 4  # MCL_… of mlockall(2)
        ctypes.CDLL(None).mlockall(current | future | on_fault)
