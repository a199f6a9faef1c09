"""When a vision process must be ended: told what it said and what time it is."""

import numpy as np
import pytest

from edge import config
from edge.records import BoxNs, Pose
from edge.vision.life import (
    LOOK_UP_S,
    NO_FRAME_S,
    STAGE_LIMITS_S,
    TPU_WINDOW_S,
    Device,
    Ladder,
    Life,
    first_frame_s,
    limit_s,
    no_frame_s,
)
from edge.vision.messages import Doing, Over, Stage

POSE = Pose(
    BoxNs(0), 0, "sensor", "camera", "pose", np.zeros((17, 3), np.float32),
    640, 480, 0, "model", "cpu", 1.0,
)  # fmt: skip
NEVER = Ladder(lambda: False)


@pytest.mark.parametrize("device", ["cpu", "tpu"])
@pytest.mark.parametrize("stage", list(STAGE_LIMITS_S))
def test_each_stage_may_take_its_time_and_no_longer(
    stage: Stage, device: Device
) -> None:
    life = Life(device, NEVER, 0.0)
    life.hear(Doing("infer"), 10.0)
    life.hear(Doing(stage), 10.0)
    most_s = limit_s(stage, device)
    short_s = most_s if stage in ("infer", "look at upload") else NO_FRAME_S
    assert life.verdict(10.0 + min(most_s, short_s)) is None
    end = life.verdict(10.1 + most_s)
    assert end is not None
    assert "hung" in end.cause
    assert end.part == ("camera" if "camera" in stage else "model")


def test_a_stuck_edge_tpu_is_seen_within_two_seconds_a_slow_cpu_may_work() -> None:
    devices: dict[Device, bool] = {"tpu": False, "cpu": True}
    for device, fine in devices.items():
        life = Life(device, NEVER, 0.0)
        life.hear(Doing("infer"), 10.0)
        assert (life.verdict(12.0) is None) == fine


@pytest.mark.parametrize(
    ("rate_hz", "slowest_hz", "most_s"),
    [(15.0, 10.0, NO_FRAME_S), (15.0, 0.2, 12.5), (0.1, 10.0, 25.0)],
)
def test_open_camera_that_sends_nothing_is_reopened_a_slow_one_later(
    rate_hz: float, slowest_hz: float, most_s: float
) -> None:
    camera = config.Camera(rate_hz=rate_hz, slowest_rate_hz=slowest_hz)
    life = Life("cpu", NEVER, 0.0, no_frame_s(camera))
    for at in np.arange(0.0, most_s, 0.25):
        life.hear(Doing("read camera"), float(at))
        assert life.verdict(float(at)) is None
    life.hear(Doing("read camera"), most_s + 0.3)
    end = life.verdict(most_s + 0.3)
    assert end is not None
    assert "no frames" in end.cause
    assert not end.worked


def test_camera_may_send_its_first_frame_as_long_after_it_was_opened() -> None:
    """Opening one takes a Raspberry Pi seconds: they are not the camera's silence."""
    life = Life("cpu", NEVER, 0.0)
    life.hear(Doing("open camera"), 1.0)
    opened_s = 1.0 + STAGE_LIMITS_S["open camera"]
    assert life.verdict(opened_s) is None
    for at in np.arange(opened_s, opened_s + NO_FRAME_S, 0.25):
        life.hear(Doing("read camera"), float(at))
        assert life.verdict(float(at)) is None
    life.hear(Doing("read camera"), opened_s + NO_FRAME_S + 0.3)
    end = life.verdict(opened_s + NO_FRAME_S + 0.3)
    assert end is not None
    assert "no frames" in end.cause


@pytest.mark.parametrize("rate_hz", [2.0, 1.0, 0.1])
def test_slow_camera_may_keep_its_first_frames(rate_hz: float) -> None:
    """A Pi camera sends its eighth frame first; later on such a silence is none."""
    camera = config.Camera(rate_hz=rate_hz)
    life = Life("cpu", NEVER, 0.0, no_frame_s(camera), first_frame_s(camera))
    life.hear(Doing("open camera"), 0.0)
    first_s = 1.0 + 8 / rate_hz
    for at in np.arange(1.0, first_s, 0.25):
        life.hear(Doing("read camera"), float(at))
        assert life.verdict(float(at)) is None
    life.hear(POSE, first_s)
    life.hear(Doing("read camera"), first_s + no_frame_s(camera) + 0.1)
    assert life.verdict(first_s + no_frame_s(camera) + 0.2) is not None


def test_uploads_do_not_hide_a_camera_that_sends_nothing() -> None:
    life = Life("cpu", NEVER, 0.0)
    life.hear(Doing("infer"), 1.0)
    life.hear(POSE, 1.0)
    for at in np.arange(1.0, 1.0 + NO_FRAME_S, 0.5):
        life.hear(Doing("read camera"), float(at))
        life.hear(Doing("look at upload"), float(at))
        assert life.verdict(float(at)) is None
    life.hear(Doing("read camera"), NO_FRAME_S + 1.3)
    end = life.verdict(NO_FRAME_S + 1.3)
    assert end is not None
    assert (end.part, end.worked) == ("camera", True)


def test_frames_keep_it_alive() -> None:
    life = Life("cpu", NEVER, 0.0)
    for at in range(100):
        life.hear(Doing("read camera"), at * 1.0)
        life.hear(Doing("infer"), at + 0.5)
        life.hear(POSE, at + 0.6)
        assert life.verdict(at + 0.9) is None


def test_death_is_blamed_on_what_it_was_doing() -> None:
    life = Life("tpu", NEVER, 0.0)
    life.hear(Doing("infer"), 1.0)
    end = life.died("SIGABRT")
    assert (end.part, end.worked, end.paused) == ("model", True, False)
    assert "SIGABRT" in end.cause


def test_announced_end_keeps_its_reason() -> None:
    life = Life("cpu", NEVER, 0.0)
    life.hear(Over("camera", False, "cable pulled"), 1.0)
    end = life.died("exit code 0")
    assert (end.part, end.cause, end.paused) == ("camera", "cable pulled", True)


def test_cpu_makes_room_when_the_tpu_may_be_tried_again() -> None:
    ladder = Ladder(lambda: True)
    for at in (1.0, 2.0, 3.0):
        ladder.failed("tpu", at)
    life = Life("cpu", ladder, 4.0)
    for at in np.arange(4.0, TPU_WINDOW_S + 1.0, 1.0):
        life.hear(POSE, float(at))
        assert life.verdict(float(at)) is None
    life.hear(POSE, TPU_WINDOW_S + 1.1 + LOOK_UP_S)
    end = life.verdict(TPU_WINDOW_S + 1.2 + LOOK_UP_S)
    assert end is not None
    assert "tried again" in end.cause
