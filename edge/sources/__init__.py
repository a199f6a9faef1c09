"""
Where frames and ECG bytes come from: the contracts, and the tables of names.

Implementations are imported only when asked for, so that a laptop needs no camera
library and a box no synthetic patient.
"""

from typing import Protocol, Self

from edge.records import Frame, SerialChunk


class FrameSource(Protocol):
    """Where camera frames come from."""

    def read(self, timeout_s: float) -> Frame | None:
        """
        Return the next frame, or ``None`` if none came within *timeout_s*.

        :raises SourceLost: if the device disappeared
        :raises SourceEnded: if a recording is over
        """

    def close(self) -> None:
        """Release the device. Safe to call twice."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class EcgSource(Protocol):
    """Where ECG bytes come from."""

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

    def close(self) -> None:
        """Release the device. Safe to call twice."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
