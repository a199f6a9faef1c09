"""How much the body moves: still, moving, jittering, near, far, absent."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.movement import Movement
from edge.records import BoxNs, Pose, PoseState, Vital

RATE_HZ = 15
BODY = np.random.default_rng(1).uniform(0, 1, (17, 2))  # of size 1, anywhere


def pose(at_s: float, points: NDArray[np.float64], state: PoseState = "pose") -> Pose:
    scores = np.full((17, 1), 0.8)
    keypoints = np.hstack([points, scores]).astype(np.float32)
    return Pose(
        BoxNs(round(at_s * 1e9)), 0, "sensor", "camera", state, keypoints,
        640, 480, 0, "m", "cpu", 3.0,
    )  # fmt: skip


def record(seconds: int, size: float, speed: float, jitter: float = 0.0) -> list[Vital]:
    """A body of *size* pixels that slides at *speed* body sizes a second."""
    noise = np.random.default_rng(2)
    movement = Movement()
    vitals: list[Vital] = []
    height = np.ptp(BODY, axis=0).max()
    for number in range(seconds * RATE_HZ):
        at_s = number / RATE_HZ
        points = BODY / height * size + noise.normal(0, 1, (17, 2)) * jitter * size
        points[:, 0] += speed * at_s * size
        vitals += movement.feed(pose(at_s, points))
    return vitals


def values(vitals: list[Vital]) -> list[float]:
    return [vital.value for vital in vitals if vital.value is not None]


@pytest.mark.parametrize("size", [60.0, 300.0])
def test_sliding_body_moves_by_its_speed_however_far_away(size: float) -> None:
    moved = values(record(10, size, speed=0.2))
    assert len(moved) >= 8
    assert moved == pytest.approx([20.0] * len(moved), rel=0.1)


def test_still_body_with_jitter_hardly_moves() -> None:
    still = values(record(20, 200.0, 0.0, jitter=0.01))
    moving = values(record(20, 200.0, 0.1, jitter=0.01))
    assert max(still) < 2.0
    assert min(moving) > 4 * max(still)


def test_one_number_a_second_flagged_as_derived() -> None:
    vitals = record(10, 100.0, 0.0)
    instants = [vital.sampled / 1e9 for vital in vitals]
    assert np.diff(instants) == pytest.approx(1.0)
    assert all(vital.derived and vital.name == "movement" for vital in vitals)


def test_nobody_there_is_no_value_with_the_reason() -> None:
    movement = Movement()
    found = [
        vital
        for number in range(60)
        for vital in movement.feed(pose(number / RATE_HZ, BODY, "no pose"))
    ]
    assert found
    assert {(vital.value, vital.reason) for vital in found} == {(None, "no pose")}


@pytest.mark.parametrize("rate_hz", [0.3, 1, 2, 4, 5])
@pytest.mark.parametrize(
    ("state", "reason"), [("pose", "too_few_poses"), ("no pose", "no pose")]
)
def test_slow_camera_is_told_as_the_reason_where_somebody_is_there(
    state: PoseState, reason: str, rate_hz: float
) -> None:
    movement = Movement()
    found = [
        vital
        for number in range(30)
        for vital in movement.feed(pose(number / rate_hz, BODY, state))
    ]
    assert found
    assert {(vital.value, vital.reason) for vital in found} == {(None, reason)}


def test_pause_of_the_camera_is_no_jump() -> None:
    movement = Movement()
    found: list[Vital] = []
    for number in range(40):
        found += movement.feed(pose(number / RATE_HZ, BODY * 100))
    for number in range(40):
        found += movement.feed(pose(60 + number / RATE_HZ, BODY * 100 + 500))
    assert max(values(found)) < 1.0
