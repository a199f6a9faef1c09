"""
A camera on the Pi's ribbon cable, through picamera2: the only door to that library.

Three of its habits shape this file. "BGR888" is what it calls R, G, B in memory. A
capture without a time limit hangs for ever when the sensor stops, and one that timed
out stays at the head of its list of jobs, so that stopping would wait for it. A small
picture makes it choose a sensor mode that sees only the middle of the scene.
"""

import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as CaptureTimeout
from importlib import import_module
from typing import Any, Self

from edge import config
from edge.errors import SourceLost, SourceUnavailable
from edge.records import Frame, MonotonicNs, Stamp
from edge.sources.frozen import Frozen

RGB = "BGR888"
"""libcamera names formats by little-endian words: B, G, R from the high byte down, so
R comes first in memory."""
BUFFERS = 4
OLDEST_STAMP_NS = 2_000_000_000
"""A frame's stamp further back than this, or ahead, is not on our clock."""
READOUT_NS = 33_000_000
"""From the first row to the last, at most: a rolling shutter at 30 frames a second."""


class PiCamera:
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
            with self._camera.captured_request(wait=timeout_s) as request:
                received = MonotonicNs(time.monotonic_ns())
                metadata = request.get_metadata()
                pixels = request.make_array("main")
        except CaptureTimeout:
            self._camera.cancel_all_and_flush()
            return None
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

    def close(self) -> None:
        """Release the camera. Safe to call twice."""
        if self._open:
            self._open = False
            self._camera.cancel_all_and_flush()
            self._camera.stop()
            self._camera.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


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
    except (RuntimeError, OSError) as error:
        opened.close()
        raise SourceUnavailable(f"{name} does not start: {error}") from error
    return PiCamera(opened, name)


def configuration(opened: Any, camera: config.Camera) -> dict[str, Any]:
    """Return the video configuration of *opened*: small pictures of the whole scene."""
    shortest_us = round(1e6 / camera.rate_hz)
    longest_us = max(shortest_us, round(1e6 / camera.slowest_rate_hz))
    mode = whole_scene(opened.sensor_modes, camera)
    made: dict[str, Any] = opened.create_video_configuration(
        main={"size": (camera.width_px, camera.height_px), "format": RGB},
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
    """
    sensor_modes = [mode for mode in modes if "crop_limits" in mode]
    widest = max(area(mode["crop_limits"][2:]) for mode in sensor_modes)
    whole = [mode for mode in sensor_modes if area(mode["crop_limits"][2:]) == widest]
    fast = [mode for mode in whole if mode["fps"] >= camera.rate_hz] or whole
    large = [mode for mode in fast if mode["size"][0] >= camera.width_px] or fast
    return min(large, key=lambda mode: area(mode["size"]))


def area(size: tuple[int, ...]) -> int:
    """Return width × height."""
    return size[0] * size[1]
