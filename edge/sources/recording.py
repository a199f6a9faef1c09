"""
A recorded session on disk: what arrived on the serial port and when, and pictures.

A folder with ``session.json`` (the settings), ``serial-1.bin``, ``serial-2.bin`` … (one
for each time the port was opened) and, if they were asked for, ``frames.csv`` and
``frames/``. Plain on purpose: any program can read it.
"""

import json
import struct
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from edge.errors import SourceUnavailable
from edge.records import Frame, MonotonicNs, SerialChunk, Stamp
from edge.sources import Closing

SETTINGS = "session.json"
FRAMES = "frames"
FRAME_LIST = "frames.csv"
FRAME_HEADER = "sequence,exposed_ns,received_ns,stamp,uncertainty_ns,file\n"
FORMAT = 1

MAGIC = b"edge serial 1\n"
CHUNK = struct.Struct("<qI")
"""
q  received   ns on the kernel's clock since boot, right after the read returned
I  length     of the bytes that follow
"""
LONGEST_CHUNK_BYTES = 1 << 24
"""A longer one is a damaged file: no source hands over so many bytes at once."""


class SerialLog(Closing):
    """Writes what arrives until it is closed; a cut at any place costs one chunk."""

    def __init__(self, path: Path) -> None:
        """
        Begin the file *path*, which must not exist.

        :raises OSError: if it does, or cannot be written
        """
        self._file: BinaryIO = path.open("xb", buffering=0)
        self._file.write(MAGIC)

    def append(self, chunk: SerialChunk) -> None:
        """Write *chunk* through to the kernel."""
        self._file.write(CHUNK.pack(chunk.received, len(chunk.data)) + chunk.data)

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()


def read_serial(path: Path) -> Generator[SerialChunk, None, None]:
    """
    Yield the chunks of a file that `SerialLog` wrote, up to one that was cut off.

    :raises SourceUnavailable: if it cannot be read or is no such file
    """
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise SourceUnavailable(
                    f"{path} is no recorded serial port: name one made by "
                    "edge record-session"
                )
            while len(head := file.read(CHUNK.size)) == CHUNK.size:
                received, length = CHUNK.unpack(head)
                data = file.read(length) if length <= LONGEST_CHUNK_BYTES else b""
                if len(data) < length or length > LONGEST_CHUNK_BYTES:
                    return
                yield SerialChunk(MonotonicNs(received), data)
    except OSError as error:
        if isinstance(error, SourceUnavailable):
            raise
        raise SourceUnavailable(f"cannot read {path}: {error.strerror}") from error


def serial_path(folder: Path, part: int) -> Path:
    """Return the file of the *part*-th opening of the port, from 1."""
    return folder / f"serial-{part}.bin"


def write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write what a replay needs to know."""
    text = json.dumps({"format": FORMAT, **settings}, indent=1)
    (folder / SETTINGS).write_text(text + "\n")


def read_settings(folder: Path) -> dict[str, Any]:
    """
    Return what `write_settings` wrote.

    :raises SourceUnavailable: if *folder* is no recorded session
    """
    try:
        settings = json.loads((folder / SETTINGS).read_text())
        if settings["format"] != FORMAT:
            raise ValueError(f"format {settings['format']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceUnavailable(
            f"{folder} is no recorded session ({error}): name a folder made by "
            "edge record-session"
        ) from error
    return dict(settings)


class FrameLog(Closing):
    """Writes pictures as they are, and a line for each."""

    def __init__(self, folder: Path) -> None:
        (folder / FRAMES).mkdir()
        self._folder = folder
        self._list = (folder / FRAME_LIST).open("x", buffering=1)
        self._list.write(FRAME_HEADER)

    def append(self, frame: Frame) -> None:
        """Write *frame* as a portable pixmap (PPM, P6)."""
        name = f"{frame.sequence:08d}.ppm"
        height, width, _ = frame.pixels.shape
        head = f"P6\n{width} {height}\n255\n".encode()
        (self._folder / FRAMES / name).write_bytes(head + frame.pixels.tobytes())
        self._list.write(
            f"{frame.sequence},{frame.exposed},{frame.received},{frame.stamp},"
            f"{frame.uncertainty_ns},{name}\n"
        )

    def close(self) -> None:
        """Close the list. Safe to call twice."""
        self._list.close()


def read_frames(folder: Path) -> Generator[Frame, None, None]:
    """
    Yield the frames that `FrameLog` wrote.

    :raises SourceUnavailable: if there are none, or one cannot be read
    """
    try:
        with (folder / FRAME_LIST).open() as lines:
            next(lines)
            for line in lines:
                if not line.endswith("\n"):
                    return  # cut off while it was written
                *numbers, stamp, uncertainty, name = line.strip().split(",")
                sequence, exposed, received = map(int, numbers)
                yield Frame(
                    sequence,
                    MonotonicNs(exposed),
                    MonotonicNs(received),
                    cast(Stamp, stamp),
                    read_pixmap(folder / FRAMES / name),
                    int(uncertainty),
                )
    except (OSError, ValueError, StopIteration) as error:
        raise SourceUnavailable(
            f"no pictures to replay in {folder} ({error}): they are kept only by "
            "edge record-session --pictures"
        ) from error


def read_pixmap(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """
    Return the pixels of a binary portable pixmap: uint8, shape (height, width, 3), RGB.

    :raises ValueError: if it is none
    """
    data = path.read_bytes()
    kind, width, height, depth = data[:40].split(maxsplit=4)[:4]
    begin = len(b"\n".join([kind, width + b" " + height, depth])) + 1
    if (kind, depth) != (b"P6", b"255"):
        raise ValueError(f"{path.name} is no pixmap")
    pixels = np.frombuffer(data, np.uint8, offset=begin)
    return pixels.reshape(int(height), int(width), 3)
