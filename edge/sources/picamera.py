"""
A camera on the Pi's ribbon cable, through picamera2: the only door to that library.

Four of its habits shape this file. "BGR888" is what it calls R, G, B in memory. A
capture without a time limit hangs for ever when the sensor stops, and one that timed
out stays at the head of its list of jobs, so that stopping would wait for it. A small
picture makes it choose a sensor mode that sees only the middle of the scene, and one
of another shape than the sensor is cut out of the middle again.
"""

import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as CaptureTimeout
from importlib import import_module
from typing import Any

from edge import config
from edge.errors import SourceLost, SourceUnavailable
from edge.records import Frame, MonotonicNs, Stamp
from edge.sources import FrameSource
from edge.sources.frozen import Frozen

RGB = "BGR888"
"""libcamera names formats by little-endian words: B, G, R from the high byte down, so
R comes first in memory."""
BUFFERS = 4
LATE_S = 0.1
"""How long a job that was done may take to say so (picamera2's process_requests)."""
OLDEST_STAMP_NS = 2_000_000_000
"""A frame's stamp further back than this, or ahead, is not on our clock."""
READOUT_NS = 33_000_000
"""From the first row to the last, at most: a rolling shutter at 30 frames a second."""

SAME_SHAPE = 0.01
"""Share of the scene that may be cut off for a picture of exactly the asked size."""


class PiCamera(FrameSource):
    """A started *camera* (a Picamera2)."""

    def __init__(self, camera: Any, name: str) -> None:
        self._camera = camera
        self._name = name
        self._frozen = Frozen(name)
        self._sequence = 0
        self._last_sensor_ns = -1
        self._open = True

    def read(self, timeout_s: float) -> Frame | None:
        """
        Return the next frame, ``None`` if none came within *timeout_s*.

        :raises SourceLost: if the camera failed, or repeats one picture
        """
        try:
            request = self._next_request(timeout_s)
            if request is None:
                return None
            try:
                received = MonotonicNs(time.monotonic_ns())
                metadata = request.get_metadata()
                pixels = request.make_array("main")
            finally:
                request.release()
        except (RuntimeError, OSError) as error:
            raise SourceLost(f"{self._name} failed: {error}") from error
        sensor_ns = int(metadata.get("SensorTimestamp", 0))
        self._frozen.check(pixels, received, sensor_ns)
        if sensor_ns == self._last_sensor_ns:
            return None  # the same frame once more
        self._last_sensor_ns = sensor_ns
        exposure_ns = round(1000 * metadata.get("ExposureTime", 0))
        exposed, stamp = mid_exposure(sensor_ns, exposure_ns, received)
        uncertainty_ns = exposure_ns // 2 + READOUT_NS
        frame = Frame(self._sequence, exposed, received, stamp, pixels, uncertainty_ns)
        self._sequence += 1
        return frame

    def _next_request(self, timeout_s: float) -> Any:
        """Return the next request, to be released; ``None`` if none came in time."""
        job = self._camera.capture_request(wait=False)
        try:
            return job.get_result(timeout=timeout_s)
        except CaptureTimeout:
            self._camera.cancel_all_and_flush()
        try:  # a job done at the last moment holds one of the few buffers
            return job.get_result(timeout=LATE_S)
        except (CancelledError, CaptureTimeout):
            return None

    def close(self) -> None:
        """Release the camera. Safe to call twice."""
        if self._open:
            self._open = False
            self._camera.cancel_all_and_flush()
            self._camera.stop()
            self._camera.close()


def mid_exposure(
    sensor_ns: int, exposure_ns: int, received: MonotonicNs
) -> tuple[MonotonicNs, Stamp]:
    """
    Return the middle of the exposure of the first row, and where it comes from.

    The sensor's stamp is taken on CLOCK_MONOTONIC when the first row is read out,
    which is the end of its exposure (kernel: rp1-cfe and bcm2835-unicam). One that
    cannot be on that clock is replaced by the arrival, and flagged.
    """
    if 0 < received - sensor_ns < OLDEST_STAMP_NS:
        return MonotonicNs(sensor_ns - exposure_ns // 2), "sensor"
    return received, "arrival"


def open_source(camera: config.Camera) -> PiCamera:
    """
    Return the Pi camera number *camera.device* ("" for the first), started.

    :raises SourceUnavailable: if picamera2 is not installed or the camera is not there
    """
    try:
        library = import_module("picamera2")
    except ImportError as error:
        raise SourceUnavailable(
            f"picamera2 cannot be used ({error}): on Raspberry Pi OS install it with "
            "'apt install python3-picamera2', elsewhere choose another camera source"
        ) from error
    return start(library.Picamera2, camera)


def start(picamera2: Any, camera: config.Camera) -> PiCamera:
    """
    Return a camera of the class *picamera2*, configured and started.

    :raises SourceUnavailable: if it is not there or another program has it
    """
    name = f"Pi camera {camera.device or 0}"
    if not hasattr(picamera2, "cancel_all_and_flush"):
        raise SourceUnavailable(
            f"{name} needs picamera2 0.3.20 of August 2024 or later: 'sudo apt-get "
            "update && sudo apt-get install python3-picamera2', then restart the box"
        )
    number = int(camera.device) if camera.device.isdigit() else 0
    try:
        tuning = picamera2.load_tuning_file(camera.tuning) if camera.tuning else None
        opened = picamera2(camera_num=number, tuning=tuning)
    except (RuntimeError, IndexError, OSError) as error:
        raise SourceUnavailable(
            f"{name} cannot be opened ({error}): is its cable in, and does no other "
            "program use it? 'rpicam-hello --list-cameras' shows what there is"
        ) from error
    try:
        opened.configure(configuration(opened, camera))
        opened.start()
    except (RuntimeError, OSError, SourceUnavailable) as error:
        opened.close()
        raise SourceUnavailable(f"{name} does not start: {error}") from error
    return PiCamera(opened, name)


def configuration(opened: Any, camera: config.Camera) -> dict[str, Any]:
    """Return the video configuration of *opened*: small pictures of the whole scene."""
    shortest_us = round(1e6 / camera.rate_hz)
    longest_us = max(shortest_us, round(1e6 / camera.slowest_rate_hz))
    mode = whole_scene(opened.sensor_modes, camera)
    made: dict[str, Any] = opened.create_video_configuration(
        main={"size": uncut(camera, mode["crop_limits"][2:]), "format": RGB},
        raw=None,
        buffer_count=BUFFERS,
        queue=False,
        display=None,
        encode=None,
        controls={"FrameDurationLimits": (shortest_us, longest_us)},
        sensor={"output_size": mode["size"], "bit_depth": mode["bit_depth"]},
    )
    return made


def whole_scene(
    modes: Sequence[dict[str, Any]], camera: config.Camera
) -> dict[str, Any]:
    """
    Return the smallest of the sensor's *modes* that sees the whole scene, is large
    and fast enough, or the best there is.

    :raises SourceUnavailable: if it is a webcam: libcamera lists them too, after the
        cameras on the ribbon, and picamera2 knows but the formats of their modes
    """
    sensor_modes = [mode for mode in modes if "crop_limits" in mode]
    if not sensor_modes:
        raise SourceUnavailable(
            "it is a USB webcam, and none is on the ribbon; for the webcam set "
            '[camera] source = "video"'
        )
    widest = max(area(mode["crop_limits"][2:]) for mode in sensor_modes)
    whole = [mode for mode in sensor_modes if area(mode["crop_limits"][2:]) == widest]
    fast = [mode for mode in whole if mode["fps"] >= camera.rate_hz] or whole
    large = [mode for mode in fast if mode["size"][0] >= camera.width_px] or fast
    return min(large, key=lambda mode: area(mode["size"]))


def uncut(camera: config.Camera, scene: tuple[int, int]) -> tuple[int, int]:
    """
    Return the largest size within the configured one that has the shape of *scene*,
    which is cut to that of the picture else (libcamera: boundedToAspectRatio in
    pipeline/rpi/vc4 and pisp): 640 × 360 for the 16:9 of a Camera Module 3.
    """
    scale = min(camera.width_px / scene[0], camera.height_px / scene[1])
    width, height = (2 * round(side * scale / 2) for side in scene)
    fits = max(camera.width_px / width, camera.height_px / height) < 1 + SAME_SHAPE
    return (camera.width_px, camera.height_px) if fits else (width, height)


def area(size: tuple[int, ...]) -> int:
    """Return width × height."""
    return size[0] * size[1]
