"""
Starts the vision process, watches it, and replaces it when it hangs or dies.

One thread does all of it. A process that does not move within the limit of its stage
is killed; every change is an event; after three failures of the Edge TPU in ten
minutes the CPU model takes over and the TPU is tried again later.
"""

import itertools
import logging
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge import config
from edge.clock import BoxClock
from edge.errors import ControlError
from edge.movement import Movement
from edge.records import BoxNs, Event, Pose, Record
from edge.streams import Stream
from edge.synctest import Spots
from edge.vision.life import (
    Device,
    End,
    Ladder,
    Life,
    first_frame_s,
    no_frame_s,
    tpu_wanted,
)
from edge.vision.messages import (
    Damaged,
    Doing,
    Look,
    Message,
    Orders,
    Seen,
    Watch,
    Watched,
)
from edge.worker import Worker

logger = logging.getLogger(__name__)

TURN_WITHIN_S = 10.0
LOOK_WITHIN_S = 16.0
"""How long a picture may wait until the model is free, and then for its answer: a
process on the CPU is ended after 15 s. One is handed over at a time, since what lay in
the pipe would still be looked at when nobody waits for it any more."""
EXIT_WITHIN_S = 1.0
"""A driver may hang while a process ends; whoever waits for that does not beat."""
REST_WITHIN = struct.pack("@ll", 1, 0)
"""How long the rest of a message may take that has begun to come: one second, as a
timeval of socket(7)."""
STOOD_STILL_S = 1.0
"""A turn of the watch takes a tenth of it. Where one takes longer, this process did not
run, the other one hardly either, and that time is not held against it."""
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, *(10.0,) * 30, 30.0)
LASTING_S = 60.0
"""Rising pause between lives; one that worked for so long begins again. A camera that
works for a second whenever it is opened would be opened thousands of times a day, and
to look for one that is gone takes a new process each time: heat, and a line of log."""


class Supervision:
    """The vision process as the recorder sees it: a worker's work, and `look`."""

    def __init__(
        self,
        settings: config.Settings,
        clock: BoxClock,
        put: Callable[[Iterable[Record]], object],
        camera: Stream,
        pose: Stream,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._put = put
        self._camera = camera
        self._pose = pose
        self._ladder = Ladder(tpu_wanted(settings.pose))
        self._movement = Movement()
        self._rotation = settings.camera.rotation_deg  # what was found outlives a life
        self._pipe: Connection | None = None
        self._sending = threading.Lock()
        self._looking = threading.Lock()  # held while the model has a picture
        self._numbers = itertools.count()
        self._looks: dict[int, Future[Seen]] = {}
        self._watches: dict[int, Future[Spots]] = {}
        self.restarts = 0

    def work(self, worker: Worker) -> None:
        """Keep a vision process alive until *worker* is stopped."""
        bad_lives = 0
        before: Device | None = None
        while not worker.stopping.is_set():
            device = self._ladder.device(time.monotonic())
            if before not in (None, device):
                self._put([moved(device, self._clock.now())])
            before = device
            pause_s = PAUSES_S[min(bad_lives, len(PAUSES_S) - 1)]
            began_s = time.monotonic()
            end = self._life(worker, device, pause_s)
            if end is None:
                return
            self.restarts += 1
            if end.part == "model":
                self._ladder.failed(device, time.monotonic())
            lasted = time.monotonic() - began_s >= LASTING_S
            bad_lives = 0 if end.worked and lasted else bad_lives + 1
            if not end.paused:
                self._tell(end.part, end.cause)
                worker.pause(pause_s)

    def look(self, pixels: NDArray[np.uint8]) -> Seen:
        """
        Have the model look at *pixels*, shape (height, width, 3), RGB.

        :raises ControlError: if there is no answer in time
        """
        if not self._looking.acquire(timeout=TURN_WITHIN_S):
            raise ControlError("the pose model has too many pictures; try again later")
        try:
            return self._look(pixels)
        finally:
            self._looking.release()

    def _look(self, pixels: NDArray[np.uint8]) -> Seen:
        number = next(self._numbers)
        future: Future[Seen] = Future()
        height, width, _ = pixels.shape
        look = Look(number, width, height, np.ascontiguousarray(pixels).tobytes())
        with self._sending:
            if self._pipe is None:
                raise ControlError("the pose model is starting; try again in a moment")
            self._looks[number] = future
            try:
                self._pipe.send(look)
            except OSError as error:
                self._looks.pop(number)
                raise ControlError("the pose model was just restarted") from error
        try:
            return future.result(LOOK_WITHIN_S)
        except FutureTimeout:
            raise ControlError("the pose model did not answer in time") from None
        finally:
            self._looks.pop(number, None)

    def watch(self, seconds: float) -> Future[Spots]:
        """
        Return what will hold the brightness of the picture for *seconds* from now; it
        fails with `ControlError` if the vision process ends meanwhile.

        :raises ControlError: if there is none now
        """
        number = next(self._numbers)
        future: Future[Spots] = Future()
        with self._sending:
            if self._pipe is None or self._camera.state.state != "ok":
                raise ControlError("the camera delivers no pictures; see 'edge status'")
            self._watches[number] = future
            try:
                self._pipe.send(Watch(number, seconds))
            except OSError as error:
                self._watches.pop(number)
                raise ControlError("the camera was just reopened; again?") from error
        return future

    def _life(self, worker: Worker, device: Device, pause_s: float) -> End | None:
        """Start a process and follow it to its end; ``None`` if we were stopped."""
        camera = replace(self._settings.camera, rotation_deg=self._rotation)
        pose = self._settings.pose
        orders = Orders(camera, pose, device, self._clock.offset_ns, pause_s)
        try:
            process, pipe = start(orders)
        except OSError as error:  # no process or descriptor is left, for a while
            cause = f"the vision process cannot be started: {error}"
            return End("model", cause, False)
        with self._sending:
            self._pipe = pipe
        try:
            silences_s = no_frame_s(camera), first_frame_s(camera)
            life = Life(device, self._ladder, time.monotonic(), *silences_s)
            return self._follow(worker, process, pipe, life)
        finally:
            kill(process)
            hang_up(pipe)  # before the lock, which who hands over a picture may hold
            with self._sending:
                self._pipe = None
            pipe.close()
            watches, self._watches = self._watches, {}
            asked: list[Future[Any]] = [*self._looks.values(), *watches.values()]
            for future in asked:
                with suppress(InvalidStateError):  # answered at the last moment
                    future.set_exception(ControlError("the pose model was restarted"))

    def _follow(
        self,
        worker: Worker,
        process: subprocess.Popen[bytes],
        pipe: Connection,
        life: Life,
    ) -> End | None:
        turned_s, stood_s = time.monotonic(), 0.0
        while not worker.stopping.is_set():
            worker.beat()
            try:
                message = pipe.recv() if pipe.poll(0.1) else None
            except BlockingIOError:  # half a message is all that came
                return life.died("it stopped while it said something")
            except (EOFError, OSError):
                return life.died(death(process))
            turn_s = time.monotonic() - turned_s
            turned_s += turn_s
            stood_s += turn_s if turn_s > STOOD_STILL_S else 0.0
            now_s = turned_s - stood_s
            if message is not None:
                life.hear(message, now_s)
                self._act(message)
            if (end := life.verdict(now_s)) is not None:
                return end
        return None

    def _act(self, message: Message) -> None:
        """Do what a message of the process asks for."""
        if isinstance(message, Doing):
            self._note(message)
        elif isinstance(message, Pose):
            self._keep(message)
        elif isinstance(message, Seen):
            self._answer(message)
        elif isinstance(message, Event):
            if "another_person" in message.detail:
                self._pose.count(another_person=message.detail["another_person"])
            self._put([message])
        elif isinstance(message, Damaged):
            self._camera.count(damaged=message.pictures)
        elif isinstance(message, Watched):
            if message.number in self._watches:
                with suppress(InvalidStateError):  # given up meanwhile
                    self._watches.pop(message.number).set_result(message.spots)
        else:
            self._tell(message.part, message.cause)

    def _note(self, doing: Doing) -> None:
        if doing.stage in ("open camera", "idle"):  # so the model is loaded
            self._pose.count(model=doing.about)
            self._put(self._pose.enter("ok", self._clock.now()))

    def _keep(self, pose: Pose) -> None:
        self._put([pose, *self._movement.feed(pose)])
        now = self._clock.now()
        self._camera.count(pose.exposed, received=1, stamp=pose.stamp)
        self._pose.count(
            pose.exposed,
            received=1,
            device=pose.device,
            model=pose.model,
            inference_ms=round(pose.inference_ms, 2),
            finding=pose.state,
            rotation=pose.rotation,
        )
        self._rotation = pose.rotation
        self._put(self._camera.enter("ok", now))

    def _answer(self, seen: Seen) -> None:
        future = self._looks.get(seen.number)
        if future is not None and not future.done():
            future.set_result(seen)

    def _tell(self, failed: Literal["camera", "model"], cause: str) -> None:
        """Keep what happened; without a model the camera's stream stands as well."""
        now = self._clock.now()
        if failed == "model":
            self._put(self._pose.enter("lost", now, cause))
        if self._settings.camera.source != "none":
            self._put(self._camera.enter("lost", now, cause))


def moved(device: Device, now: BoxNs) -> Event:
    """Return the event that says where poses come from now."""
    where = "Edge TPU" if device == "tpu" else "CPU"
    cause = f"the pose model runs on the {where} from now on"
    return Event(now, None, "state", "pose", cause, {"device": device})


def start(orders: Orders) -> tuple[subprocess.Popen[bytes], Connection]:
    """
    Start a vision process and return it with our end of its pipe.

    :raises OSError: if that cannot be done now
    """
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, REST_WITHIN)
    try:
        with theirs:
            descriptor = theirs.fileno()
            process = subprocess.Popen(
                [sys.executable, "-m", "edge.vision", str(descriptor)],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
            )
    except OSError:
        ours.close()
        raise
    pipe = Connection(ours.detach())
    try:
        pipe.send(orders)
    except OSError:  # it has died already
        pipe.close()
        kill(process)
        raise
    return process, pipe


def hang_up(pipe: Connection) -> None:
    """
    Let go whoever writes into *pipe* at this moment.

    A process that a driver holds in the kernel keeps its end open, and reads nothing.
    """
    line = socket.socket(fileno=pipe.fileno())
    try:
        with suppress(OSError):  # the process has gone
            line.shutdown(socket.SHUT_RDWR)
    finally:
        line.detach()


def death(process: subprocess.Popen[bytes]) -> str:
    """Return by what *process* died, which has let go of its pipe."""
    try:
        code = process.wait(EXIT_WITHIN_S)
    except subprocess.TimeoutExpired:
        return "it hung while it ended"
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # of those for real time only the first and last have names
        return f"signal {-code}"


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill *process*; one that a driver holds in the kernel is left behind."""
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(EXIT_WITHIN_S)
