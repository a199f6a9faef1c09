"""
The life of a vision process: what it said so far, and when it must end.

Pure: what is heard and what time it is are told, so every failure can be tried without
a process. `supervision` does what is decided here.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from edge import config, edgetpu
from edge.records import Pose
from edge.vision.messages import Doing, Message, Over, Stage

Device = Literal["cpu", "tpu"]

STAGE_LIMITS_S: dict[Stage, float] = {
    "load model": 20.0,  # an Edge TPU takes its firmware and comes back first: ~3 s
    "open camera": 10.0,
    "read camera": 2.0,
    "infer": 1.5,  # a stuck Edge TPU is seen within 2 s, also by a busy processor
    "look at upload": 1.5,
    "idle": 2.0,
}
CPU_LIMIT_S = 15.0
"""For the stages in which the model works, on the CPU: it cannot be stuck as a USB
device can, only slow, and a process that is started afresh is slower still."""
NO_FRAME_S = 2.5
NO_FRAME_PERIODS = 2.5
"""A camera that is open and sends nothing for so long is opened anew: seen in 3 s, or
in the time of three pictures where it takes them more slowly than one a second."""
FIRST_FRAME_PERIODS = 10.0
"""Until it has sent one: a Pi camera keeps the first seven to itself, while its
exposure settles (libcamera 0.7, src/ipa/rpi/common/ipa_base.cpp: six convergence frames
of agc_channel.cpp and one that is mistrusted; picamera2 drops them)."""
BETWEEN_FRAMES = ("read camera", "look at upload")
TPU_FAILURES = 3
TPU_WINDOW_S = 600.0
LOOK_UP_S = 5.0
"""How often a process on the CPU is asked to make room for the Edge TPU."""


class Ladder:
    """
    Which device to use next: the Edge TPU while *wanted* says so, until it failed
    three times in ten minutes; then the CPU, until the first failure is that old.
    """

    def __init__(self, wanted: Callable[[], bool]) -> None:
        self._wanted = wanted
        self._failures: list[float] = []

    def device(self, now_s: float) -> Device:
        """Return what the next process should use."""
        recent = [at for at in self._failures if now_s - at < TPU_WINDOW_S]
        self._failures = recent
        return "tpu" if len(recent) < TPU_FAILURES and self._wanted() else "cpu"

    def failed(self, device: Device, now_s: float) -> None:
        """Say that a process on *device* failed."""
        if device == "tpu":
            self._failures.append(now_s)

    def rises(self, device: Device, now_s: float) -> bool:
        """Return whether a process on *device* should make room for a better one."""
        return device == "cpu" and self.device(now_s) == "tpu"


def tpu_wanted(pose: config.Pose) -> Callable[[], bool]:
    """Return the question whether the Edge TPU should be tried."""
    if pose.device == "auto":
        return edgetpu.present
    return lambda: pose.device == "tpu"


def limit_s(stage: Stage, device: Device) -> float:
    """Return how long a process on *device* may stay in *stage*, in seconds."""
    working = stage in ("infer", "look at upload")
    return CPU_LIMIT_S if working and device == "cpu" else STAGE_LIMITS_S[stage]


def no_frame_s(camera: config.Camera) -> float:
    """Return how long *camera*, once it is open, may send nothing, in seconds."""
    return max(NO_FRAME_S, NO_FRAME_PERIODS / slowest_hz(camera))


def first_frame_s(camera: config.Camera) -> float:
    """Return how long *camera* may take from its opening to a frame, in seconds."""
    return max(NO_FRAME_S, FIRST_FRAME_PERIODS / slowest_hz(camera))


def slowest_hz(camera: config.Camera) -> float:
    """Return how few frames a second *camera* may be taking."""
    return min(camera.rate_hz, camera.slowest_rate_hz)


class End(NamedTuple):
    """How one vision process ended."""

    part: Literal["camera", "model"]
    cause: str
    worked: bool  # it made a pose, or was ready to
    paused: bool = False  # it served uploads for a while before it ended


class Life:
    """
    One vision process on *device*, begun at *now_s* (monotonic seconds), whose camera
    may send nothing for *silence_s*, and for *first_s* once it is opened.
    """

    def __init__(
        self,
        device: Device,
        ladder: Ladder,
        now_s: float,
        silence_s: float = NO_FRAME_S,
        first_s: float = 0.0,
    ) -> None:
        self._device = device
        self._ladder = ladder
        self._silence_s = silence_s
        self._may_be_silent_s = max(silence_s, first_s)  # at the moment
        self._stage: Stage = "load model"
        self._moved_s = now_s
        self._last_frame_s = now_s
        self._look_up_s = now_s + LOOK_UP_S
        self._worked = False
        self._over: Over | None = None

    def hear(self, message: Message, now_s: float) -> None:
        """Take note of what the process said."""
        self._moved_s = now_s
        # Asked of the stage that ends now: opening a camera may take its own time.
        if isinstance(message, Pose) or self._stage not in BETWEEN_FRAMES:
            self._last_frame_s = now_s
        if isinstance(message, Pose):
            self._may_be_silent_s = self._silence_s
        if isinstance(message, Doing):
            self._stage = message.stage
            self._worked = self._worked or message.stage in ("infer", "look at upload")
        elif isinstance(message, Over):
            self._over = message

    def verdict(self, now_s: float) -> End | None:
        """Return why the process must be ended now, ``None`` if it need not be."""
        if now_s - self._moved_s > limit_s(self._stage, self._device):
            return self._end(f"'{self._stage}' hung; restarted")
        reading = self._stage == "read camera"
        if reading and now_s - self._last_frame_s > self._may_be_silent_s:
            return self._end("the camera sends no frames; reopened")
        if now_s > self._look_up_s:
            self._look_up_s = now_s + LOOK_UP_S
            if self._ladder.rises(self._device, now_s):
                return End("model", "the Edge TPU is tried again", True)
        return None

    def died(self, how: str) -> End:
        """Return how the process ended that died by itself, *how* says by what."""
        if self._over is not None:
            over = self._over
            return End(over.part, over.cause, self._worked, over.part == "camera")
        return self._end(
            f"the vision process died ({how}) in '{self._stage}'; restarted"
        )

    def _end(self, cause: str) -> End:
        """Return an end for *cause*, blamed on what the stage depends on."""
        camera = self._stage in ("open camera", "read camera")
        return End("camera" if camera else "model", cause, self._worked)
