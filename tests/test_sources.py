"""
The contract of `edge.sources`, on every source there is.

Parts that are not on this machine are skipped with the reason. On a bench they are
found by EDGE_TEST_CAMERA (a number), EDGE_TEST_WEBCAM (/dev/video…) and EDGE_TEST_BOARD
(a port in /dev/serial/by-id) with EDGE_TEST_BOARD_KIND (its name in `edge.protocols`).
"""

import dataclasses
import itertools
import os
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sessions import BAUD, chunks, session

from edge import config
from edge.errors import ConfigError, SourceUnavailable
from edge.records import Frame
from edge.sources import ECG_SOURCES, FRAME_SOURCES, open_ecg, open_frames


def serial_settings(folder: Path) -> Iterator[config.Ecg]:
    """Yield a board that sends all the time, real or on a pseudo-terminal."""
    if real := os.environ.get("EDGE_TEST_BOARD"):
        yield config.Ecg(port=real, board=os.environ["EDGE_TEST_BOARD_KIND"])
        return
    far, near = os.openpty()
    tty.setraw(near)
    done = threading.Event()

    def send() -> None:
        while not done.wait(0.01):
            os.write(far, b"x" * 33)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield config.Ecg(port=os.ttyname(near))
    finally:
        done.set()
        sender.join()
        os.close(near)
        os.close(far)


def replay_settings(folder: Path) -> Iterator[config.Ecg]:
    sent = chunks(1, every_ns=10_000)
    session(folder / "session", [sent], recorder=os.getpid())
    yield config.Ecg("replay", port=str(folder / "session"), board="openbci-cyton")


ECG: dict[str, Callable[[Path], Iterator[config.Ecg]]] = {
    "serial": serial_settings,
    "replay": replay_settings,
}


def camera_settings(name: str, folder: Path) -> config.Camera:
    """Return a camera of this kind, or skip."""
    device = ""
    if name == "replay":
        made = session(folder / "session", [], pictures=30, recorder=os.getppid())
        device = str(made)
    elif name == "picamera":
        device = os.environ.get("EDGE_TEST_CAMERA", "")
    elif name == "video":
        device = os.environ.get("EDGE_TEST_WEBCAM", "/dev/video0")
    return config.Camera(source=name, device=device, rate_hz=30.0)


@pytest.fixture(params=sorted(ECG_SOURCES))
def ecg(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[config.Ecg]:
    yield from ECG[request.param](tmp_path)


@pytest.fixture(params=sorted(FRAME_SOURCES))
def camera(request: pytest.FixtureRequest, tmp_path: Path) -> config.Camera:
    return camera_settings(request.param, tmp_path)


# The contract


def test_ecg_source_gives_bytes_stamped_when_they_came(ecg: config.Ecg) -> None:
    with open_ecg(ecg, BAUD) as source:
        received = []
        for _ in range(50):
            chunk = source.read(5.0)
            assert chunk is not None
            assert chunk.data
            received.append(chunk.received)
        after = time.monotonic_ns()

    assert received == sorted(received)
    assert after - 20e9 < received[0] <= received[-1] <= after
    assert isinstance(source.identity, str)


def test_ecg_source_takes_a_command_and_closes_twice(ecg: config.Ecg) -> None:
    source = open_ecg(ecg, BAUD)
    source.write(b"s")
    source.close()
    source.close()


def test_ecg_source_can_be_opened_again(ecg: config.Ecg) -> None:
    for _ in range(3):
        with open_ecg(ecg, BAUD) as source:
            assert source.read(5.0) is not None


def test_absent_ecg_source_names_the_mend(ecg: config.Ecg, tmp_path: Path) -> None:
    absent = dataclasses.replace(ecg, port=str(tmp_path / "nothing"))
    with pytest.raises(SourceUnavailable, match="nothing.*: (plug|name)"):
        open_ecg(absent, BAUD)


def test_frame_source_gives_frames_in_order(camera: config.Camera) -> None:
    try:
        source = open_frames(camera)
    except (SourceUnavailable, ModuleNotFoundError) as error:
        pytest.skip(f"{camera.source}: {error}")
    with source:
        began = time.monotonic_ns()
        found: list[Frame] = []
        while len(found) < 5 and time.monotonic_ns() - began < 10e9:
            if frame := source.read(1.0):
                found.append(frame)

    assert len(found) == 5
    sequence = [frame.sequence for frame in found]
    assert sequence == sorted(set(sequence))
    for before, frame in itertools.pairwise(found):
        assert before.exposed < frame.exposed <= frame.received
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.shape == found[0].pixels.shape
        assert frame.pixels.shape[2] == 3
    source.close()


def test_unknown_source_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="no ECG source 'bluetooth'"):
        open_ecg(config.Ecg("bluetooth"), BAUD)
    with pytest.raises(ConfigError, match="no camera source 'mirror'"):
        open_frames(config.Camera("mirror"))
