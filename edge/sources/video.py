"""
USB webcams (V4L2) and video files, through PyAV: the only door to that library.

A thread reads, since a read of a dead webcam hangs; `read` always has the newest
frame. A webcam's frames carry the driver's monotonic stamp. A file is played at its
own pace, so that the rest of the box cannot tell it from a camera.
"""

import math
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from edge import config
from edge.errors import SourceEnded, SourceError, SourceLost, SourceUnavailable
from edge.records import Frame, MonotonicNs, Stamp
from edge.sources import FrameSource
from edge.sources.frozen import Frozen

OLDEST_STAMP_NS = 2_000_000_000
"""A stamp further back than this, or ahead, is not on our clock."""


class Video(FrameSource):
    """An opened *container* (of PyAV) that is a webcam if *live*, else a file."""

    def __init__(self, container: Any, name: str, live: bool, period_ns: int) -> None:
        self._container = container
        self._name = name
        self._live = live
        self._uncertainty_ns = period_ns // 2 if live else 0
        self._frozen = Frozen(name) if live else None
        self._fresh = threading.Condition()
        self._newest: Frame | None = None
        self._damaged = 0  # pictures since the last `read`
        self._failure: SourceError | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._play, name=name, daemon=True)
        self._thread.start()

    def read(self, timeout_s: float) -> Frame | None:
        """
        Return the newest frame not returned yet, ``None`` if there was none in time.

        :raises SourceLost: if the webcam has gone or repeats one picture
        :raises SourceEnded: if the file is over
        """
        with self._fresh:
            self._fresh.wait_for(lambda: self._newest or self._failure, timeout_s)
            frame, self._newest = self._newest, None
            if frame is None and self._failure is not None:
                raise self._failure
            if frame is not None:
                frame = frame._replace(damaged=self._damaged)
                self._damaged = 0
            return frame

    def close(self) -> None:
        """Release the device, unless its driver hangs. Safe to call twice."""
        self._closing.set()
        self._thread.join(1.0)

    def _play(self) -> None:
        failure: SourceError = SourceEnded(f"{self._name} is over")
        try:
            self._decode()
        except SourceError as error:
            failure = error
        except video_errors() as error:
            failure = SourceLost(f"{self._name} failed: {error}")
        self._container.close()
        with self._fresh:
            self._failure = failure
            self._fresh.notify_all()

    def _decode(self) -> None:
        began = MonotonicNs(time.monotonic_ns())
        for sequence, picture in enumerate(self._pictures()):
            if picture is None:
                continue
            media_ns = round(1e9 * (picture.time or 0.0))
            if not self._live:
                wait_s = (began + media_ns - time.monotonic_ns()) / 1e9
                if self._closing.wait(max(0.0, wait_s)):
                    return
            received = MonotonicNs(time.monotonic_ns())
            pixels = picture.to_ndarray(format="rgb24")
            if self._frozen is not None:
                self._frozen.check(pixels, received, media_ns)
            exposed, stamp = self._instant(media_ns, began, received)
            frame = Frame(
                sequence, exposed, received, stamp, pixels, self._uncertainty_ns
            )
            with self._fresh:
                self._newest = frame
                self._fresh.notify_all()

    def _pictures(self) -> Iterator[Any]:
        """Yield each picture until closed, ``None`` for one that cannot be decoded."""
        for packet in self._container.demux(video=0):
            if self._closing.is_set():
                return
            try:
                pictures = packet.decode()
            except video_errors():  # a cable or a disk damages one now and then
                pictures = [None]
                with self._fresh:
                    self._damaged += 1
            yield from pictures

    def _instant(
        self, media_ns: int, began: MonotonicNs, received: MonotonicNs
    ) -> tuple[MonotonicNs, Stamp]:
        """Return when a frame was taken; a driver's stamp that cannot be is flagged."""
        if not self._live:
            return MonotonicNs(began + media_ns), "given"
        if 0 <= received - media_ns < OLDEST_STAMP_NS:
            return MonotonicNs(media_ns), "sensor"
        return received, "arrival"


def open_source(camera: config.Camera) -> Video:
    """
    Return the webcam (``/dev/video…``) or the video file *camera.device*.

    :raises SourceUnavailable: if PyAV is not installed, or it cannot be opened
    """
    name = camera.device or "/dev/video0"
    try:
        av = import_module("av")
    except ImportError as error:
        raise SourceUnavailable(
            f"video needs PyAV ({error}): install the extra 'video' of ecg-pose-edge"
        ) from error
    live = Path(name).is_char_device()
    options = {
        "video_size": f"{camera.width_px}x{camera.height_px}",
        "framerate": f"{camera.rate_hz:g}",
    }
    try:
        container = (
            av.open(name, format="v4l2", options=options) if live else av.open(name)
        )
    except video_errors() as error:
        mend = (
            "is it a whole video?"
            if Path(name).is_file()
            else "is it plugged in, and is this user in the group video?"
        )
        raise SourceUnavailable(
            f"{name} cannot be opened: {error.strerror or error}; {mend}"
        ) from error
    if not container.streams.video:
        container.close()
        raise SourceUnavailable(f"{name} has no pictures in it: name a video")
    return Video(container, name, live, math.ceil(1e9 / camera.rate_hz))


def video_errors() -> tuple[type[Any], ...]:
    """Return what PyAV raises: not all of its errors are OSErrors."""
    return OSError, import_module("av").FFmpegError
