"""The Pi camera's source on a fake that is held against the real package."""

import ast
import importlib.util
import inspect
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge import config
from edge.errors import SourceLost, SourceUnavailable
from edge.records import Frame, MonotonicNs
from edge.sources import picamera
from edge.sources.fakepicamera2 import FakePicamera2

CAMERA = config.Camera(rate_hz=50.0)


@pytest.fixture
def source() -> Iterator[picamera.PiCamera]:
    with picamera.start(FakePicamera2, CAMERA) as source:
        yield source


def fake(source: picamera.PiCamera) -> FakePicamera2:
    camera = source._camera
    assert isinstance(camera, FakePicamera2)
    return camera


def test_frames_come_in_order_at_mid_exposure(source: picamera.PiCamera) -> None:
    frames = [source.read(1.0) for _ in range(5)]
    for number, frame in enumerate(frames):
        assert frame is not None
        assert frame.sequence == number
        assert frame.stamp == "sensor"
        assert frame.pixels.shape == (480, 640, 3)
        assert 20e6 <= frame.received - frame.exposed < 1e9
    instants = [frame.exposed for frame in frames if frame]
    assert instants == sorted(instants)


def test_configuration_sees_the_whole_scene_in_rgb(source: picamera.PiCamera) -> None:
    made = fake(source).configured
    assert made["main"] == {"size": (640, 480), "format": "BGR888"}
    assert made["sensor"]["output_size"] == (1640, 1232)
    assert made["queue"] is False
    assert made["controls"]["FrameDurationLimits"] == (20_000, 100_000)


def test_covered_camera_gives_nothing_and_can_still_be_closed(
    source: picamera.PiCamera,
) -> None:
    fake(source).cover()
    assert source.read(0.01) is None
    assert source.read(0.01) is None
    fake(source).cover(False)
    assert source.read(1.0) is not None
    fake(source).cover()
    assert source.read(0.01) is None
    source.close()
    source.close()
    assert fake(source).calls[-2:] == ["stop", "close"]


def test_frozen_camera_is_lost_within_a_second(source: picamera.PiCamera) -> None:
    first = source.read(1.0)
    assert first is not None
    fake(source).freeze()
    began = time.monotonic()
    kept: list[Frame] = []
    with pytest.raises(SourceLost, match="same picture"):
        kept.extend(frame for frame in iter(lambda: source.read(1.0), 0) if frame)
    print(f"noticed after {time.monotonic() - began:.2f} s")
    assert len(kept) <= 1


def test_failing_camera_is_lost(source: picamera.PiCamera) -> None:
    fake(source).unplug()
    with pytest.raises(SourceLost, match="failed"):
        source.read(1.0)


@pytest.mark.parametrize(
    ("camera", "says"),
    [
        (config.Camera(device="3"), "is its cable in"),
        (config.Camera(tuning="nonsense"), "cannot be opened"),
        (config.Camera(width_px=641), "does not start"),
    ],
)
def test_camera_that_cannot_be_opened_says_why(
    camera: config.Camera, says: str
) -> None:
    with pytest.raises(SourceUnavailable, match=says):
        picamera.start(FakePicamera2, camera)


@pytest.mark.parametrize(
    ("sensor_ns", "instant", "stamp"),
    [
        (9_000, 9_000 - 2_000, "sensor"),
        (10_001, 10_000, "arrival"),  # in the future
        (-5_000_000_000, 10_000, "arrival"),  # too old
    ],
)
def test_stamp_that_cannot_be_is_replaced_and_flagged(
    sensor_ns: int, instant: int, stamp: str
) -> None:
    got = picamera.mid_exposure(sensor_ns, 4_000, MonotonicNs(10_000))
    assert got == (instant, stamp)


def real_methods() -> dict[str, ast.FunctionDef]:
    """Return the methods of the real Picamera2, read, not imported."""
    spec = importlib.util.find_spec("picamera2")
    if spec is None or spec.origin is None:
        pytest.skip("the package picamera2 is not installed")
    tree = ast.parse((Path(spec.origin).parent / "picamera2.py").read_text())
    (body,) = [
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Picamera2"
    ]
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(
    "name",
    [
        "__init__", "load_tuning_file", "configure", "start", "captured_request",
        "cancel_all_and_flush", "stop", "close",
    ],
)  # fmt: skip
def test_fake_takes_the_arguments_of_the_real_one(name: str) -> None:
    real = real_methods()[name].args
    method: Callable[..., object] = getattr(FakePicamera2, name)
    ours = list(inspect.signature(method).parameters)
    assert ours == [argument.arg for argument in real.args]


def test_configuration_is_asked_for_in_words_of_the_real_one() -> None:
    real = real_methods()["create_video_configuration"].args
    camera = FakePicamera2()
    wanted = picamera.configuration(camera, CAMERA)
    assert set(wanted) <= {argument.arg for argument in real.args}


def test_byte_order_is_red_green_blue() -> None:
    """picamera2's own table says what PIL calls each format's bytes in memory."""
    spec = importlib.util.find_spec("picamera2")
    if spec is None or spec.origin is None:
        pytest.skip("the package picamera2 is not installed")
    text = (Path(spec.origin).parent / "request.py").read_text()
    assert f'"{picamera.RGB}": "RGB"' in text


def test_without_the_library_the_mend_is_named() -> None:
    if importlib.util.find_spec("libcamera") is not None:
        pytest.skip("libcamera is installed here")
    with pytest.raises(SourceUnavailable, match="python3-picamera2"):
        picamera.open_source(CAMERA)


def test_pixels_are_a_copy(source: picamera.PiCamera) -> None:
    one, two = source.read(1.0), source.read(1.0)
    assert one is not None
    assert two is not None
    assert not np.shares_memory(one.pixels, two.pixels)
