"""The drawn patient: its body, its pictures, and the camera that takes them."""

import time
from pathlib import Path

import numpy as np
import pytest

from edge.config import Camera
from edge.errors import ConfigError, ModelError, SourceEnded, SourceLost
from edge.models import Model, find_model, load_model
from edge.patient.bodies import FOREARM, SHIN, THIGH, UPPER_ARM, body
from edge.patient.picture import Pictures
from edge.patient.timetable import ROUND_S, doing, posture_at
from edge.pose import PoseTracker
from edge.pulses import Pulses
from edge.records import KEYPOINTS, Frame, MonotonicNs
from edge.sources import FrameSource, open_frames
from edge.sources.synthetic import SyntheticCamera

PUBLISHED = "models/movenet_single_pose_lightning_ptq.tflite"
BONES_M = {
    ("shoulder", "elbow"): UPPER_ARM,
    ("elbow", "wrist"): FOREARM,
    ("hip", "knee"): THIGH,
    ("knee", "ankle"): SHIN,
}


@pytest.fixture(scope="module", params=["published", "committed"])
def model(request: pytest.FixtureRequest) -> Model:
    if request.param == "published":
        return load_model(request.getfixturevalue("shared") / PUBLISHED)
    try:
        return load_model(find_model())
    except ModelError as error:
        pytest.skip(str(error))


# The body


def test_bones_keep_their_length_whatever_the_patient_does() -> None:
    for second in np.arange(0, ROUND_S, 0.37):
        joints = body(posture_at(second)).joints
        for (first, last), length in BONES_M.items():
            for side in ("left", "right"):
                bone = joints[f"{side}_{last}"] - joints[f"{side}_{first}"]
                assert np.linalg.norm(bone) == pytest.approx(length, rel=1e-6)


def test_nobody_sinks_into_the_floor_or_flies() -> None:
    for second in np.arange(0, ROUND_S, 0.37):
        joints = body(posture_at(second)).joints
        assert min(joint[1] for joint in joints.values()) > -0.08
        if doing(second) in ("stands", "raises arms", "walks"):
            ankles = [joints["left_ankle"][1], joints["right_ankle"][1]]
            assert min(ankles) == pytest.approx(0.068, abs=0.02)


def test_the_patient_moves_as_fast_as_a_person() -> None:
    step_s = 1 / 15
    at = [
        np.array([body(posture_at(second)).joints[name] for name in KEYPOINTS])
        for second in np.arange(0, ROUND_S, step_s)
    ]
    speed_m_s = np.linalg.norm(np.diff(at, axis=0), axis=2) / step_s

    assert speed_m_s.max() < 5.0


def test_the_timetable_shows_everything_and_somebody_from_the_start() -> None:
    seen = {doing(second) for second in np.arange(0, ROUND_S, 0.1)}

    assert {"stands", "raises arms", "walks", "lies", "absent"} <= seen
    assert doing(0.0) == doing(ROUND_S) == "stands"


# The pictures


def test_pictures_are_functions_of_the_time_and_the_seed(pictures: Pictures) -> None:
    again, other = Pictures(640, 480, seed=1), Pictures(640, 480, seed=2)

    assert (pictures.picture(3.5) == again.picture(3.5)).all()
    assert (pictures.truth(3.5) == other.truth(3.5)).all()
    assert 0.5 < (pictures.picture(3.5) != other.picture(3.5)).mean() < 1


def test_keypoints_lie_on_the_figure(pictures: Pictures) -> None:
    """The figure is what differs from the empty room."""
    room = pictures.picture(50.0).astype(int)
    for second in (2.0, 7.0, 10.0, 27.0, 32.0):
        differs = np.abs(pictures.picture(second).astype(int) - room).max(axis=2) > 40
        for x, y, inside in pictures.truth(second):
            if inside:
                left, top = int(x), int(y)
                assert differs[top - 3 : top + 4, left - 3 : left + 4].any()


def test_truth_tells_what_is_outside_the_picture(pictures: Pictures) -> None:
    assert pictures.truth(2.0)[:, 2].all()
    assert not pictures.truth(50.0)[:, 2].any()


@pytest.mark.parametrize(("width", "height"), [(320, 240), (480, 640), (641, 479)])
def test_pictures_of_any_size(width: int, height: int) -> None:
    pictures = Pictures(width, height, seed=1)

    assert pictures.picture(2.0).shape == (height, width, 3)


def test_a_lit_lamp_changes_its_box_alone(pictures: Pictures) -> None:
    dark, lit = pictures.picture(2.0), pictures.picture(2.0, lamp=1.0)
    left, top, right, bottom = pictures.light
    inside = np.zeros(dark.shape[:2], bool)
    inside[top:bottom, left:right] = True

    assert (lit[~inside] == dark[~inside]).all()
    assert lit[inside].mean() > dark[inside].mean() + 10


# The camera


def read(camera: FrameSource) -> Frame:
    frame = camera.read(1.0)
    assert frame is not None
    return frame


def test_frames_come_steadily_stamped_in_the_middle_of_their_exposure() -> None:
    opened = time.monotonic_ns()
    with SyntheticCamera(64, 48, rate_hz=50, exposure_ms=10) as camera:
        frames = [read(camera) for _ in range(8)]
    exposed = np.array([frame.exposed for frame in frames])
    received = np.array([frame.received for frame in frames])
    sequence = np.array([frame.sequence for frame in frames])

    assert (np.diff(sequence) >= 1).all()
    assert (exposed - exposed[0] == (sequence - sequence[0]) * 20_000_000).all()
    assert exposed[0] >= opened + 5_000_000
    assert (received - exposed >= 5_000_000).all()
    assert {frame.stamp for frame in frames} == {"sensor"}


def test_a_slow_reader_misses_frames_and_sees_it() -> None:
    with SyntheticCamera(64, 48, rate_hz=100) as camera:
        first = read(camera)
        time.sleep(0.2)
        second = read(camera)

    assert second.sequence - first.sequence >= 15


def test_no_frame_within_the_timeout_is_none() -> None:
    with SyntheticCamera(64, 48, rate_hz=0.01) as camera:
        assert camera.read(1.0) is not None
        assert camera.read(0.02) is None


def test_a_frozen_camera_repeats_itself_until_it_runs_again() -> None:
    with SyntheticCamera(64, 48, rate_hz=100) as camera:
        first = read(camera)
        camera.freeze()
        frozen = [read(camera) for _ in range(3)]
        camera.run()
        thawed = read(camera)

    assert {frame.exposed for frame in frozen} == {first.exposed}
    assert all((frame.pixels == first.pixels).all() for frame in frozen)
    assert frozen[2].received > frozen[0].received
    assert thawed.sequence >= first.sequence + 4


def test_a_stalled_camera_gives_nothing_and_raises_nothing() -> None:
    with SyntheticCamera(64, 48, rate_hz=100) as camera:
        camera.stall()
        assert camera.read(0.05) is None
        camera.run()
        assert camera.read(1.0) is not None


def test_end_and_unplugging_are_told_apart() -> None:
    with SyntheticCamera(64, 48, rate_hz=100) as camera:
        camera.end()
        with pytest.raises(SourceEnded):
            camera.read(1.0)
        camera.unplug()
        with pytest.raises(SourceLost):
            camera.read(1.0)


def test_the_lamp_is_as_bright_as_the_exposure_saw_of_the_pulse() -> None:
    """A pulse that begins in the middle of an exposure lights half of it."""

    class Clock:
        now = 10_000_000_000

        def __call__(self) -> int:
            return self.now

    clock = Clock()
    exposed = clock.now + 10_000_000  # the middle of the first exposure of 20 ms
    means = []
    for begins in (exposed + 10_000_000, exposed, exposed - 10_000_000):
        pulses = Pulses(1_000_000_000, 200_000_000, MonotonicNs(begins))
        camera = SyntheticCamera(320, 240, pulses=pulses, clock=clock)
        frame = read(camera)
        left, top, right, bottom = camera.light_box
        means.append(frame.pixels[top:bottom, left:right].mean())

    dark, half, full = means
    assert frame.exposed == exposed
    assert half - dark == pytest.approx(full - half, rel=0.2)
    assert full - dark > 10


def test_truth_of_the_camera_is_that_of_its_frames() -> None:
    with SyntheticCamera(rate_hz=100, start_s=26.0) as camera:
        frame = read(camera)
        truth = camera.truth(frame.exposed)
        expected = Pictures(640, 480, 1).truth(26.0 + 0.01 + frame.sequence * 0.01)

    assert np.abs(truth - expected).max() < 0.1


def test_the_configuration_opens_it_with_its_options() -> None:
    settings = Camera(source="synthetic", width_px=64, height_px=48, rate_hz=100)
    with open_frames(settings) as camera:
        assert read(camera).pixels.shape == (48, 64, 3)
    ends = Camera(source="synthetic", width_px=64, height_px=48, device="seed=3 end@0")
    with open_frames(ends) as camera, pytest.raises(SourceEnded):
        camera.read(1.0)


@pytest.mark.parametrize("words", ["sed=3", "seed=x", "melt@3", "freeze@", "what"])
def test_unknown_options_are_refused_by_name(words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_frames(Camera(source="synthetic", device=words))


# What the model makes of it


def test_the_model_finds_the_patient_where_it_is_drawn(
    model: Model, pictures: Pictures
) -> None:
    """Upright within 3 % of the body height; in bed within 4 %; nobody is no pose."""
    upright, in_bed = list[float](), list[float]()
    states: dict[str, list[str]] = {}
    tracker = PoseTracker(model)
    for number in range(int(ROUND_S * 3)):
        second = number / 3
        stamp = MonotonicNs(round(second * 1e9))
        picture = pictures.picture(second)
        seen = tracker.step(Frame(number, stamp, stamp, "sensor", picture))
        off = seen.keypoints[:, :2] - pictures.truth(second)[:, :2]
        error = float(np.hypot(*off.T).mean()) / pictures.body_height_px(2.0)
        states.setdefault(doing(second), []).append(seen.state)
        if doing(second) in ("stands", "raises arms"):
            upright.append(error)
        elif doing(second) == "lies":
            in_bed.append(error)
    print(f"upright {np.mean(upright):.4f}, in bed {np.mean(in_bed):.4f}")

    assert np.mean(upright) <= 0.03
    assert np.mean(in_bed) <= 0.04
    assert states["stands"].pop(0) == "no pose"  # one frame makes no pose
    assert set(states["stands"]) == set(states["lies"]) == {"pose"}
    assert states["absent"][-1] != "pose"


def test_the_whole_picture_is_enough_for_the_model(
    model: Model, pictures: Pictures
) -> None:
    """Also in a single pass, without following the body, upright within 3 %."""
    errors = []
    for second in np.arange(0.3, 13, 0.6):
        tracker = PoseTracker(model)
        frame = Frame(
            0, MonotonicNs(0), MonotonicNs(0), "sensor", pictures.picture(second)
        )
        off = tracker.step(frame).keypoints[:, :2] - pictures.truth(second)[:, :2]
        errors.append(np.hypot(*off.T).mean() / pictures.body_height_px(second))
    print(f"single pass {np.mean(errors):.4f}")

    assert np.mean(errors) <= 0.03


def test_no_picture_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with SyntheticCamera(64, 48, rate_hz=100) as camera:
        camera.read(1.0)

    assert list(tmp_path.iterdir()) == []
