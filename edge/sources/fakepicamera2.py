"""
Picamera2 without a camera: the calls that `edge.sources.picamera` makes, with the same
names and arguments, failing as the real ones fail. A test holds the signatures against
those of the real package.

Not reproduced: libcamera's controls, colour, exposure that follows the light, any
stream but "main".

Verbs for the physical side: `cover` (no more frames, as after libcamera's frontend
timeout), `freeze` (one picture for ever), `unplug`.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as CaptureTimeout
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXPOSURE_US = 10_000
READOUT_TO_USER_NS = 20_000_000
TEN_BITS = {"bit_depth": 10}
MIDDLE = {"crop_limits": (1000, 752, 1280, 960)}
WHOLE = {"crop_limits": (0, 0, 3280, 2464)}


class FakeRequest:
    """One completed request."""

    def __init__(self, pixels: NDArray[np.uint8], metadata: dict[str, Any]) -> None:
        self._pixels = pixels
        self._metadata = metadata

    def get_metadata(self) -> dict[str, Any]:
        """Return stamps and exposure."""
        return self._metadata

    def make_array(self, name: str) -> NDArray[np.uint8]:
        """Return a copy of the stream's pixels."""
        assert name == "main"
        return self._pixels.copy()


class FakePicamera2:
    """A camera that sees noise, at the rate it was configured for."""

    sensor_modes = (
        {"size": (640, 480), "fps": 206.65, **TEN_BITS, **MIDDLE},
        {"size": (1640, 1232), "fps": 41.85, **TEN_BITS, **WHOLE},
        {"size": (3280, 2464), "fps": 21.19, **TEN_BITS, **WHOLE},
    )
    """Those of an IMX219, as its driver lists them: the first crops."""

    def __init__(
        self,
        camera_num: int = 0,
        verbose_console: Any = None,
        tuning: Any = None,
        allocator: Any = None,
    ) -> None:
        if camera_num > 0:
            raise IndexError("list index out of range")
        self.tuning = tuning
        self.configured: dict[str, Any] = {}
        self.calls: list[str] = []
        self._stuck_job = False
        self._covered = threading.Event()
        self._frozen: FakeRequest | None = None
        self._lost = False
        self._chance = np.random.default_rng(1)

    @staticmethod
    def load_tuning_file(tuning_file: str, dir: Any = None) -> dict[str, Any]:
        """Return a tuning, or fail as for a name that is not there."""
        if not tuning_file.endswith(".json"):
            raise RuntimeError("Tuning file not found")
        return {"version": 2.0, "file": tuning_file}

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        """Return a configuration with the streams *wanted*."""
        return wanted

    def configure(self, camera_config: Any = None) -> None:
        """Take a configuration; odd sizes are refused as by the real one."""
        width, height = camera_config["main"]["size"]
        if width % 2 or height % 2:
            raise RuntimeError("width and height should be even")
        self.configured = camera_config

    def start(self, config: Any = None, show_preview: bool = False) -> None:
        """Begin to make frames."""
        self.calls.append("start")

    @contextmanager
    def captured_request(
        self, wait: Any = None, flush: Any = None
    ) -> Iterator[FakeRequest]:
        """Yield the next frame; a wait that ends leaves its job at the head."""
        assert wait, "a capture without a time limit hangs for ever"
        assert not self._stuck_job, "the job that timed out is still at the head"
        if self._lost:
            raise RuntimeError("Camera is not available")
        period_s = self.configured["controls"]["FrameDurationLimits"][0] / 1e6
        if self._covered.wait(0) or period_s > wait:
            time.sleep(wait)
            self._stuck_job = True
            raise CaptureTimeout
        time.sleep(period_s)
        yield self._frozen or self._frame()

    def cancel_all_and_flush(self) -> None:
        """Drop the jobs that wait."""
        self.calls.append("cancel_all_and_flush")
        self._stuck_job = False

    def stop(self) -> None:
        """End; a job at the head would make the real one wait for ever."""
        assert not self._stuck_job, "stop() hangs behind a job that timed out"
        self.calls.append("stop")

    def close(self) -> None:
        """Release the camera."""
        self.calls.append("close")

    def cover(self, covered: bool = True) -> None:
        """Let no more frames come, as after libcamera's frontend timeout."""
        (self._covered.set if covered else self._covered.clear)()

    def freeze(self) -> None:
        """Give one picture and one stamp for ever."""
        self._frozen = self._frame()

    def unplug(self) -> None:
        """Fail each call from now on."""
        self._lost = True

    def _frame(self) -> FakeRequest:
        width, height = self.configured["main"]["size"]
        pixels = self._chance.integers(0, 256, (height, width, 3), np.uint8)
        stamp = time.monotonic_ns() - READOUT_TO_USER_NS
        return FakeRequest(
            pixels, {"SensorTimestamp": stamp, "ExposureTime": EXPOSURE_US}
        )
