"""
Where frames and ECG bytes come from: the contracts, and the tables of names.

Implementations are imported only when asked for, so that a laptop needs no camera
library and a box no synthetic patient.
"""

from importlib import import_module
from typing import Protocol, Self

from edge import config
from edge.errors import ConfigError
from edge.records import Frame, SerialChunk


class Closing(Protocol):
    """What is closed at the end of a ``with``, if not before."""

    def close(self) -> None:
        """Release the device or the files. Safe to call twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class FrameSource(Closing, Protocol):
    """Where camera frames come from."""

    def read(self, timeout_s: float) -> Frame | None:
        """
        Return the next frame, or ``None`` if none came within *timeout_s*.

        :raises SourceLost: if the device disappeared
        :raises SourceEnded: if a recording is over
        """


class EcgSource(Closing, Protocol):
    """Where ECG bytes come from."""

    identity: str  # what the board says it is, "" where it does not

    def read(self, timeout_s: float) -> SerialChunk | None:
        """
        Return the bytes that arrived, or ``None`` if none came within *timeout_s*.

        :raises SourceLost: if the device disappeared
        :raises SourceEnded: if a recording is over
        """

    def write(self, data: bytes) -> None:
        """
        Send a board its start-up command.

        :raises SourceLost: if the device disappeared
        """


FRAME_SOURCES: dict[str, str] = {
    "picamera": "edge.sources.picamera",
    "video": "edge.sources.video",
    "synthetic": "edge.sources.synthetic",
    "replay": "edge.sources.framereplay",
}
"""Name in the configuration to module; each has ``open_source(camera)``."""

ECG_SOURCES: dict[str, str] = {
    "serial": "edge.sources.usbserial",
    "replay": "edge.sources.replay",
}
"""Name in the configuration to module, with ``open_source(ecg, baud, identity)``."""


def open_frames(camera: config.Camera) -> FrameSource:
    """
    Return the opened camera that the configuration names.

    :raises ConfigError: if there is no such source
    :raises SourceUnavailable: if it cannot be opened
    """
    if camera.source not in FRAME_SOURCES:
        raise ConfigError(f"no camera source {camera.source!r} in this version")
    source: FrameSource
    source = import_module(FRAME_SOURCES[camera.source]).open_source(camera)
    return source


def open_ecg(ecg: config.Ecg, baud: int, identity: str = "") -> EcgSource:
    """
    Return the opened ECG source that the configuration names; *baud* is the board's
    own speed, which the configuration's goes before. *identity* is that of the board
    which was there before: another one in its place is refused.

    :raises ConfigError: if there is no such source
    :raises SourceUnavailable: if it cannot be opened
    """
    if ecg.source not in ECG_SOURCES:
        raise ConfigError(f"no ECG source {ecg.source!r} in this version")
    source: EcgSource
    module = import_module(ECG_SOURCES[ecg.source])
    source = module.open_source(ecg, ecg.baud or baud, identity)
    return source
