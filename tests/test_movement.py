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
    assert instants == pytest.approx(range(1, 10))
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
    for number in range(3 * RATE_HZ):  # whole windows on either side
        found += movement.feed(pose(number / RATE_HZ, BODY * 100))
    for number in range(3 * RATE_HZ):
        found += movement.feed(pose(60 + number / RATE_HZ, BODY * 100 + 500))
    assert max(values(found)) < 1.0


def test_turn_of_the_picture_is_no_movement() -> None:
    """The way up is guessed anew at any frame, not between two windows."""
    lying = BODY * [300, 100] + 100
    upright = np.stack([lying[:, 1], 640 - lying[:, 0]], axis=1)
    for turned_at in range(60, 75):
        movement, found = Movement(), list[Vital]()
        for number in range(10 * RATE_HZ):
            one = pose(number / RATE_HZ, lying)
            if number >= turned_at:
                one = pose(number / RATE_HZ, upright)._replace(rotation=90)
            found += movement.feed(one)

        assert len(values(found)) >= 6
        assert max(values(found)) < 1.0, turned_at


def test_guessed_keypoints_are_no_movement() -> None:
    noise = np.random.default_rng(3)
    movement = Movement()
    found: list[Vital] = []
    for number in range(10 * RATE_HZ):
        one = pose(number / RATE_HZ, BODY * 100)
        one.keypoints[9:, :2] = noise.uniform(0, 480, (8, 2))
        one.keypoints[9:, 2] = 0.2
        found += movement.feed(one)

    assert len(values(found)) >= 8
    assert max(values(found)) < 1.0


@pytest.mark.parametrize("sure", [3, 4])
def test_few_keypoints_are_no_body(sure: int) -> None:
    movement = Movement()
    found: list[Vital] = []
    for number in range(5 * RATE_HZ):
        one = pose(number / RATE_HZ, BODY * 100)
        one.keypoints[sure:, 2] = 0.2
        found += movement.feed(one)

    assert bool(values(found)) == (sure >= 4)


@pytest.mark.parametrize("seen", [2, 3])
def test_body_or_keypoint_that_is_seldom_seen_is_not_averaged(seen: int) -> None:
    """One picture in a window jitters as much as the body moves."""
    for whole in (True, False):
        movement = Movement()
        found: list[Vital] = []
        for number in range(6 * 20):
            there = number % 10 < seen
            state: PoseState = "pose" if there or not whole else "no pose"
            one = pose(number / 20, BODY * 100, state)
            one.keypoints[:, 2] = 0.8 if there else 0.2
            found += movement.feed(one)
        assert bool(values(found)) == (seen >= 3), whole


def test_slow_second_is_not_told_of_the_next() -> None:
    movement = Movement()
    found: list[Vital] = []
    for number in range(8):
        found += movement.feed(pose(number / 4, BODY * 100))
    for number in range(4 * RATE_HZ):
        found += movement.feed(pose(2 + number / RATE_HZ, BODY * 100, "no pose"))

    assert [vital.reason for vital in found] == ["too_few_poses"] * 2 + ["no pose"] * 3


def test_body_of_no_size_moves_by_a_number() -> None:
    movement = Movement()
    found: list[Vital] = []
    for number in range(5 * RATE_HZ):
        found += movement.feed(pose(number / RATE_HZ, np.full((17, 2), 7.0)))

    assert values(found) == [0.0] * 3
