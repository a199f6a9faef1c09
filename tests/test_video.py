"""Video files as a camera: whole, damaged, and none at all."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box import wait_for
from supervision_rig import Watched

from edge import config
from edge.errors import SourceEnded, SourceLost, SourceUnavailable
from edge.sources import open_frames
from edge.sources.video import Video

av: Any = pytest.importorskip("av", reason="PyAV (the extra 'video') is not installed")

PICTURES = 12
JPEG_BEGINS = b"\xff\xd8\xff"
CHUNK_HEAD = 8  # bytes before each picture in an AVI file


def video(path: Path, damaged: int | None = None) -> config.Camera:
    """Return a camera that is a video in *path*, one picture of it *damaged*."""
    rng = np.random.default_rng(1)
    with av.open(str(path), "w", format="avi") as file:
        stream = file.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for _ in range(PICTURES):
            pixels = rng.integers(0, 256, (48, 64, 3), np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        file.mux(stream.encode(None))
    if damaged is not None:
        before, *pictures = path.read_bytes().split(JPEG_BEGINS)
        size = len(pictures[damaged]) - CHUNK_HEAD
        pictures[damaged] = bytes(size) + pictures[damaged][size:]
        path.write_bytes(JPEG_BEGINS.join([before, *pictures]))
    return config.Camera(source="video", device=str(path))


def played(camera: config.Camera) -> dict[int, int]:
    """
    Return the numbers of the pictures that were seen until the video was over, each
    with how many were damaged before it.
    """
    seen: dict[int, int] = {}
    with open_frames(camera) as source, suppress(SourceEnded):
        while frame := source.read(10.0):
            seen[frame.sequence] = frame.damaged
        raise AssertionError(f"nothing came after {seen}")
    return seen


def test_video_is_played_to_its_end(tmp_path: Path) -> None:
    seen = played(video(tmp_path / "whole.avi"))
    assert PICTURES - 1 in seen
    assert set(seen) <= set(range(PICTURES))
    assert not any(seen.values())


def test_damaged_picture_is_left_out_and_counted(tmp_path: Path) -> None:
    seen = played(video(tmp_path / "damaged.avi", damaged=5))
    assert PICTURES - 1 in seen
    assert 5 not in seen
    assert sum(seen.values()) == 1


def test_camera_tells_of_its_damaged_pictures(tmp_path: Path) -> None:
    damaged = video(tmp_path / "damaged.avi", damaged=5)
    with Watched(damaged, config.Pose(device="cpu")) as box:
        wait_for(lambda: "is over" in box.camera.state.cause or None)
        assert box.camera.state.damaged == 1


@pytest.mark.parametrize("content", [b"", b"no video" * 1000], ids=["empty", "text"])
def test_file_that_is_no_video_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "some").write_bytes(content)
    camera = config.Camera(source="video", device=str(tmp_path / "some"))
    with pytest.raises(SourceUnavailable, match=r"Invalid data.*a whole video\?"):
        open_frames(camera)


class Failing:
    """A webcam, as PyAV has it, that fails at once with *error*."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.closed = False

    def demux(self, video: int) -> Iterator[object]:
        raise self._error

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("name", ["InvalidDataError", "OSError", "ExternalError"])
def test_webcam_that_fails_is_lost_and_let_go(name: str) -> None:
    container = Failing(getattr(av.error, name)(1, "damaged"))
    lost = pytest.raises(SourceLost, match="/dev/video0 failed: .*damaged")
    with Video(container, "/dev/video0", True, 1) as webcam, lost:
        webcam.read(10.0)
    assert container.closed
