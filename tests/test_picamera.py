"""The Pi camera's source on a fake that is held against the real package."""

import ast
import importlib.util
import inspect
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from rigs.camera.fakepicamera2 import FakeJob, FakePicamera2, FakeRequest

from edge import config
from edge.errors import SourceLost, SourceUnavailable
from edge.records import Frame, MonotonicNs
from edge.sources import picamera

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


def test_frames_that_outlast_a_read_still_come(source: picamera.PiCamera) -> None:
    for _ in range(2):
        reads = (source.read(0.005) for _ in range(400))
        assert any(frame is not None for frame in reads)


def test_frame_that_comes_as_a_read_ends_is_no_buffer_lost(
    source: picamera.PiCamera,
) -> None:
    """picamera2 has four: a few hours at two pictures a second, and none was left."""
    assert source.read(1.0) is not None
    for _ in range(2 * picamera.BUFFERS):
        fake(source).late()
        assert source.read(0.005) is not None
    assert fake(source).held == 0


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
    ],
)
def test_camera_that_cannot_be_opened_says_why(
    camera: config.Camera, says: str
) -> None:
    with pytest.raises(SourceUnavailable, match=says):
        picamera.start(FakePicamera2, camera)


def test_camera_that_does_not_start_is_released() -> None:
    closed: list[FakePicamera2] = []

    class Dying(FakePicamera2):
        def start(self, config: object = None, show_preview: bool = False) -> None:
            raise RuntimeError("Failed to start camera: Input/output error")

        def close(self) -> None:
            closed.append(self)

    with pytest.raises(SourceUnavailable, match="does not start: Failed"):
        picamera.start(Dying, CAMERA)
    assert len(closed) == 1


@pytest.mark.parametrize(
    ("scene", "asked", "size"),
    [
        ((4608, 2592), (640, 480), (640, 360)),  # IMX708, of a Camera Module 3
        ((4608, 2592), (1280, 720), (1280, 720)),
        ((1280, 800), (640, 480), (640, 400)),  # OV9281
        ((3280, 2464), (640, 480), (640, 480)),  # IMX219, OV5647, IMX477: 4:3
        ((2592, 1944), (640, 480), (640, 480)),
        ((4056, 3040), (640, 480), (640, 480)),
        ((2592, 1944), (640, 360), (480, 360)),
    ],
)
def test_nothing_of_the_scene_is_cut_off(
    scene: tuple[int, int], asked: tuple[int, int], size: tuple[int, int]
) -> None:
    class Camera(FakePicamera2):
        sensor_modes = (
            {
                "size": scene,
                "fps": 30.0,
                "bit_depth": 10,
                "crop_limits": (0, 0, *scene),
            },
        )

    camera = config.Camera(rate_hz=20.0, width_px=asked[0], height_px=asked[1])
    with picamera.start(Camera, camera) as source:
        frame = source.read(2.0)
    assert frame is not None
    assert frame.pixels.shape == (size[1], size[0], 3)


def test_webcam_in_the_place_of_a_pi_camera_is_named() -> None:
    opened: list[FakePicamera2] = []

    class Webcam(FakePicamera2):
        sensor_modes = ({"format": "YUYV"}, {"format": "MJPEG"})

        def close(self) -> None:
            opened.append(self)

    with pytest.raises(SourceUnavailable, match='source = "video"'):
        picamera.start(Webcam, CAMERA)
    assert len(opened) == 1  # released


def test_picamera2_of_an_old_image_is_refused_with_the_mend() -> None:
    """Raspberry Pi OS of October 2023 has 0.3.12, which lacks what is called here."""

    class Old:
        def __init__(self, camera_num: int = 0, tuning: object = None) -> None:
            self.sensor_modes = FakePicamera2.sensor_modes

        def configure(self, camera_config: object) -> None: ...
        def start(self) -> None: ...
        def create_video_configuration(self, **wanted: object) -> object: ...

    with pytest.raises(SourceUnavailable, match="apt-get install python3-picamera2"):
        picamera.start(Old, CAMERA)


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


def real_methods(
    file: str = "picamera2.py", name: str = "Picamera2"
) -> dict[str, ast.FunctionDef]:
    """Return the methods of the real class *name*, read, not imported."""
    spec = importlib.util.find_spec("picamera2")
    if spec is None or spec.origin is None:
        pytest.skip("the package picamera2 is not installed")
    tree = ast.parse((Path(spec.origin).parent / file).read_text())
    (body,) = [
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == name
    ]
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(
    "name",
    [
        "__init__", "load_tuning_file", "configure", "start", "capture_request",
        "cancel_all_and_flush", "stop", "close",
    ],
)  # fmt: skip
def test_fake_takes_the_arguments_of_the_real_one(name: str) -> None:
    real = real_methods()[name].args
    method: Callable[..., object] = getattr(FakePicamera2, name)
    ours = list(inspect.signature(method).parameters)
    assert ours == [argument.arg for argument in real.args]


@pytest.mark.parametrize(
    ("fake_class", "file", "name", "method"),
    [
        (FakeJob, "job.py", "Job", "get_result"),
        (FakeRequest, "request.py", "CompletedRequest", "get_metadata"),
        (FakeRequest, "request.py", "CompletedRequest", "make_array"),
        (FakeRequest, "request.py", "CompletedRequest", "release"),
    ],
)
def test_what_a_capture_gives_has_the_methods_of_the_real_one(
    fake_class: type, file: str, name: str, method: str
) -> None:
    real = real_methods(file, name)[method].args
    ours = list(inspect.signature(getattr(fake_class, method)).parameters)
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
