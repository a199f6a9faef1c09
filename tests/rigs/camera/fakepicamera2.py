"""
Picamera2 without a camera: the calls that `edge.sources.picamera` makes, with the same
names and arguments, failing as the real ones fail. A test holds the signatures against
those of the real package.

Not reproduced: libcamera's controls, colour, exposure that follows the light, any
stream but "main".

Verbs for the physical side: `cover` (no more frames, as after libcamera's frontend
timeout), `freeze` (one picture for ever), `late` (a frame just after a wait), `unplug`.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as CaptureTimeout
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXPOSURE_US = 10_000
READOUT_TO_USER_NS = 20_000_000
BUFFERS = 4
STARTUP_FRAMES = 7
"""Kept back while the exposure settles (libcamera 0.7, src/ipa/rpi/common/ipa_base.cpp:
`startupFrameCount`; picamera2's `process_requests` drops them)."""
TEN_BITS = {"bit_depth": 10}
MIDDLE = {"crop_limits": (1000, 752, 1280, 960)}
WHOLE = {"crop_limits": (0, 0, 3280, 2464)}


class FakeRequest:
    """One completed request."""

    def __init__(self, pixels: NDArray[np.uint8], metadata: dict[str, Any]) -> None:
        self._pixels = pixels
        self._metadata = metadata
        self.released: Callable[[], None] = lambda: None

    def get_metadata(self) -> dict[str, Any]:
        """Return stamps and exposure."""
        return self._metadata

    def make_array(self, name: str) -> NDArray[np.uint8]:
        """Return a copy of the stream's pixels."""
        assert name == "main"
        return self._pixels.copy()

    def release(self) -> None:
        """Give the buffer back to the camera."""
        self.released()


class FakeJob:
    """A capture that was asked for; done by *camera* while somebody waits for it."""

    def __init__(self, camera: "FakePicamera2") -> None:
        self._camera = camera
        self.cancelled = False
        self.request: FakeRequest | None = None

    def get_result(self, timeout: float | None = None) -> FakeRequest:
        """Return the request; a wait that ends leaves the job at the head."""
        assert timeout, "a capture without a time limit hangs for ever"
        if self.cancelled:
            raise CancelledError
        if self.request is None:
            self.request = self._camera.next_request(timeout)
        return self.request


class FakePicamera2:
    """A camera that sees noise, at the rate it was configured for."""

    sensor_modes: tuple[dict[str, object], ...] = (
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
        if camera_num > 0:  # until 0.3.36: IndexError
            raise RuntimeError(f"No camera number {camera_num} found")
        self.tuning = tuning
        self.configured: dict[str, Any] = {}
        self.calls: list[str] = []
        self.held = 0  # requests that were not released
        self._job: FakeJob | None = None
        self._late = False
        self._began_s = 0.0
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
        """Return a configuration with the streams *wanted*, their sides made even."""
        width, height = wanted["main"]["size"]
        wanted["main"]["size"] = (width - width % 2, height - height % 2)
        return wanted

    def configure(self, camera_config: Any = None) -> None:
        """Take a configuration."""
        self.configured = camera_config

    def start(self, config: Any = None, show_preview: bool = False) -> None:
        """Begin to make frames."""
        self.calls.append("start")
        self._began_s = time.monotonic()

    def capture_request(
        self, wait: Any = None, signal_function: Any = None, flush: Any = None
    ) -> FakeJob:
        """Return the job of capturing the next frame."""
        assert wait is False, "waiting here would lose a frame that comes late"
        assert self._job is None, "the job that timed out is still at the head"
        self._job = FakeJob(self)
        return self._job

    def next_request(self, timeout: float) -> FakeRequest:
        """Do the job at the head within *timeout* seconds."""
        if self._lost:
            self._job = None
            raise RuntimeError("Camera is not available")
        next_s = self._next_frame_s()
        if self._covered.is_set() or self.held == BUFFERS or next_s > timeout:
            time.sleep(timeout)
            if self._late and (job := self._job):
                self._late, job.request = False, self._hand_over()
            raise CaptureTimeout
        time.sleep(next_s)
        return self._hand_over()

    def _hand_over(self) -> FakeRequest:
        self._job = None
        request = self._frozen or self._frame()
        request.released = self._take_back
        self.held += 1
        return request

    def _take_back(self) -> None:
        self.held -= 1

    def cancel_all_and_flush(self) -> None:
        """Drop the jobs that wait, not those that are done."""
        self.calls.append("cancel_all_and_flush")
        if self._job:
            self._job.cancelled = True
            self._job = None

    def stop(self) -> None:
        """End; a job at the head would make the real one wait for ever."""
        assert self._job is None, "stop() hangs behind a job that timed out"
        self.calls.append("stop")

    def close(self) -> None:
        """Release the camera."""
        self.calls.append("close")

    def cover(self, covered: bool = True) -> None:
        """Let no more frames come, as after libcamera's frontend timeout."""
        (self._covered.set if covered else self._covered.clear)()

    def late(self) -> None:
        """Let the next frame come just after a wait for it has ended."""
        self._late = True

    def freeze(self) -> None:
        """Give one picture and one stamp for ever."""
        self._frozen = self._frame()

    def unplug(self) -> None:
        """Fail each call from now on."""
        self._lost = True

    def _next_frame_s(self) -> float:
        """Return how long it takes from now to the next frame that is handed on."""
        period_s: float = self.configured["controls"]["FrameDurationLimits"][0] / 1e6
        since_s = time.monotonic() - self._began_s
        number = max(STARTUP_FRAMES + 1, int(since_s / period_s) + 1)
        return number * period_s - since_s

    def _frame(self) -> FakeRequest:
        width, height = self.configured["main"]["size"]
        pixels = self._chance.integers(0, 256, (height, width, 3), np.uint8)
        stamp = time.monotonic_ns() - READOUT_TO_USER_NS
        return FakeRequest(
            pixels, {"SensorTimestamp": stamp, "ExposureTime": EXPOSURE_US}
        )
