"""
A camera that looks at a drawn patient, for laptops and tests.

The pictures come at a steady rate on the monotonic clock and are stamped in the middle
of their exposure; `SyntheticCamera.truth` says where the keypoints were at any
instant. What a real camera does wrong is in verbs that a test can call, or in the
configuration's ``device``, which is a line of words::

    seed=3 flash_period_s=5 freeze@20 run@25

``name=number`` is one of `OPTIONS`, ``verb@seconds`` calls the verb that long after
the opening.

Not reproduced: blur of motion, a rolling shutter, an exposure that adapts, jitter.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge import config
from edge.errors import ConfigError, SourceEnded, SourceLost
from edge.patient.picture import Pictures
from edge.pulses import NS_A_SECOND, Pulses, every, share
from edge.records import Frame, MonotonicNs
from edge.sources import FrameSource

READOUT_NS = 12_000_000  # from the end of an exposure to the frame's arrival

Verb = Literal["run", "freeze", "stall", "end", "unplug"]
VERBS: tuple[Verb, ...] = ("run", "freeze", "stall", "end", "unplug")


class SyntheticCamera(FrameSource):
    """
    A camera of *width* × *height* pixels that takes *rate_hz* pictures a second.

    *seed* makes the noise. The timetable of the patient (`edge.patient.timetable`)
    is *start_s* into its round when the camera is opened. The lamp flashes at *pulses*.
    *faults* are verbs with the seconds after the opening at which they are called.
    """

    def __init__(
        self,
        width: int = 640,
        height: int = 480,
        rate_hz: float = 15.0,
        *,
        seed: int = 1,
        start_s: float = 0.0,
        exposure_ms: float = 20.0,
        pulses: Pulses | None = None,
        faults: tuple[tuple[float, Verb], ...] = (),
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._pictures = Pictures(width, height, seed)
        self._period_ns = NS_A_SECOND / rate_hz
        self._exposure_ns = round(exposure_ms * 1_000_000)
        self._pulses = pulses
        self._clock = clock
        self._opened = clock()
        self._start_s = start_s
        self._faults = sorted(faults, reverse=True)
        self._verb: Verb = "run"
        self._closing = threading.Event()
        self._sequence = -1
        self._last: Frame | None = None

    # The product's side

    def read(self, timeout_s: float) -> Frame | None:
        """
        Return the next frame, or ``None`` if none came within *timeout_s*. A reader
        that is too slow misses frames; their sequence numbers are missing.

        :raises SourceLost: after `unplug`
        :raises SourceEnded: after `end`
        """
        now = self._clock()
        arrived = int((now - self._arrival(0)) // self._period_ns)
        sequence = max(self._sequence + 1, arrived)
        wait_s = max(0.0, (self._arrival(sequence) - now) / NS_A_SECOND)
        self._closing.wait(min(wait_s, timeout_s))
        verb = self._current_verb()
        if wait_s > timeout_s:
            return None
        if verb == "stall":
            self._closing.wait(timeout_s - wait_s)
            return None
        self._sequence = sequence
        if verb == "freeze" and self._last is not None:
            return self._last._replace(received=MonotonicNs(self._clock()))
        self._last = self._take(sequence)
        return self._last

    def close(self) -> None:
        """Wake a waiting `read`. Safe to call twice."""
        self._closing.set()

    # What a test may know

    @property
    def light_box(self) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of what the lamp lights, pixels."""
        return self._pictures.light

    def truth(self, exposed: int) -> NDArray[np.float32]:
        """
        Return where the keypoints were at *exposed*: float32 of shape (17, 3), x and y
        in pixels, and 1 where that is inside the picture, else 0.
        """
        return self._pictures.truth(self._second(exposed))

    def body_height_px(self, exposed: int) -> float:
        """Return how tall the patient, if upright, was in the picture at *exposed*."""
        return self._pictures.body_height_px(self._second(exposed))

    # The physical side

    def run(self) -> None:
        """Work as it should again."""
        self._verb = "run"

    def freeze(self) -> None:
        """Deliver the same picture with the same stamp again and again."""
        self._verb = "freeze"

    def stall(self) -> None:
        """Deliver nothing and raise nothing."""
        self._verb = "stall"

    def end(self) -> None:
        """Come to the end, as a recording does."""
        self._verb = "end"

    def unplug(self) -> None:
        """Pull the cable."""
        self._verb = "unplug"

    # Inside

    def _exposed(self, sequence: int) -> int:
        """Return the middle of the exposure of frame *sequence*."""
        return self._opened + self._exposure_ns // 2 + round(sequence * self._period_ns)

    def _arrival(self, sequence: int) -> int:
        return self._exposed(sequence) + self._exposure_ns // 2 + READOUT_NS

    def _second(self, exposed: int) -> float:
        return self._start_s + (exposed - self._opened) / NS_A_SECOND

    def _take(self, sequence: int) -> Frame:
        exposed = self._exposed(sequence)
        lamp = 0.0
        if self._pulses is not None:
            half = self._exposure_ns // 2
            lamp = share(self._pulses, exposed - half, exposed + half)
        pixels = self._pictures.picture(self._second(exposed), lamp)
        received = MonotonicNs(self._clock())
        return Frame(sequence, MonotonicNs(exposed), received, "sensor", pixels)

    def _current_verb(self) -> Verb:
        since_s = (self._clock() - self._opened) / NS_A_SECOND
        while self._faults and self._faults[-1][0] <= since_s:
            self._verb = self._faults.pop()[1]
        if self._verb == "end":
            raise SourceEnded("the synthetic recording is over")
        if self._verb == "unplug":
            raise SourceLost("the synthetic camera was unplugged")
        return self._verb


def open_source(camera: config.Camera) -> SyntheticCamera:
    """
    Return the camera that the configuration describes; its *device* holds options.

    :raises ConfigError: if it has an option that is none
    """
    numbers, faults = read_options(camera.device)
    period_s, epoch_ns = numbers["flash_period_s"], int(numbers["flash_epoch_ns"])
    return SyntheticCamera(
        camera.width_px,
        camera.height_px,
        camera.rate_hz,
        seed=int(numbers["seed"]),
        start_s=numbers["start_s"],
        exposure_ms=numbers["exposure_ms"],
        pulses=every(period_s, epoch_ns=epoch_ns),
        faults=tuple(faults),
    )


OPTIONS = {
    "seed": 1.0,
    "start_s": 0.0,
    "exposure_ms": 20.0,
    "flash_period_s": 0.0,
    "flash_epoch_ns": 0.0,
}
"""What may stand in the configuration's ``device``, and what is taken without."""


def read_options(words: str) -> tuple[dict[str, float], list[tuple[float, Verb]]]:
    """
    Return the numbers and the timed verbs in *words*.

    :raises ConfigError: if there is one that the camera does not know
    """
    numbers, faults = dict(OPTIONS), []
    for word in words.split():
        name, is_option, value = word.partition("=")
        verb, is_verb, second = word.partition("@")
        try:
            if is_option and name in OPTIONS:
                numbers[name] = finite(value)
            elif is_verb and verb in VERBS:
                faults.append((finite(second), verb))
            else:
                raise ValueError
        except ValueError:
            raise ConfigError(
                f"the synthetic camera does not understand {word!r}: it knows"
                f" {', '.join(OPTIONS)} as name=number and {', '.join(VERBS)} as"
                " verb@seconds"
            ) from None
    return numbers, faults


def finite(text: str) -> float:
    """
    Return the number *text*.

    :raises ValueError: if it is none that can be reckoned with
    """
    if not math.isfinite(value := float(text)):
        raise ValueError
    return value
