"""Which way is up: found in video and in stills, and never by noise."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pose_rig import EMPTY_S, Picture, watched

from edge.models import Model
from edge.patient.picture import Pictures
from edge.patient.timetable import ROUND_S
from edge.pose import PoseTracker, estimate
from edge.pose.crop import ROTATIONS, STILL, Rotation, upright_size, whole
from edge.pose.eye import Eye
from edge.pose.orientation import stands


class Slope:
    """
    A network for pictures that darken downwards when they are upright.

    It finds a body that fills each square and scores what *scores* says for the
    degrees by which the square is turned counter-clockwise from upright, as its body
    is.
    """

    size = 64

    def __init__(self, scores: dict[int, float]) -> None:
        self.scores = scores
        self.looks = 0

    def infer(self, square: Picture) -> NDArray[np.float32]:
        self.looks += 1
        light = square.astype(float).mean(axis=2)
        down, right = light[-20:].mean() - light[:20].mean(), light[:, -20:].mean()
        right -= light[:, :20].mean()
        if abs(down) > abs(right):
            degrees = 0 if down < 0 else 180
        else:
            degrees = 90 if right < 0 else 270
        along, middle = np.linspace(0.1, 0.9, 17), np.full(17, 0.5)
        y, x = {
            0: (along, middle),
            90: (middle, along),
            180: (along[::-1], middle),
            270: (middle, along[::-1]),
        }[degrees]
        scores = np.full(17, self.scores[degrees])
        return np.column_stack([y, x, scores]).astype(np.float32)


def sloping(rotation: Rotation) -> Picture:
    """Return a picture for `Slope` that must be turned by *rotation* to be upright."""
    upright = np.zeros((240, 240, 3), np.uint8)
    upright[:] = np.linspace(250, 10, 240)[:, np.newaxis, np.newaxis]
    return np.rot90(upright, rotation // 90)


# Video

BEST_UPRIGHT = {0: 0.7, 90: 0.45, 180: 0.35, 270: 0.45}


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("begin", ROTATIONS)
def test_tracker_settles_on_the_way_that_scores_best(
    begin: Rotation, rotation: Rotation
) -> None:
    network = Slope(BEST_UPRIGHT)
    tracker = PoseTracker(network, begin)
    frames = 15 * 60

    found = watched(tracker, iter([sloping(rotation)] * frames), 15)

    settled = [estimate.rotation for estimate in found[15 * 12 :]]
    assert set(settled) == {rotation}
    assert network.looks - frames <= 0.05 * frames


def test_fixed_rotation_stays_and_costs_nothing() -> None:
    network = Slope({0: 0.7, 90: 0.4, 180: 0.4, 270: 0.4})
    tracker = PoseTracker(network, 90, find=False)

    found = watched(tracker, iter([sloping(0)] * 60), 1)

    assert {estimate.rotation for estimate in found} == {90}
    assert network.looks <= 60 + 12  # for a second person, every five seconds


def test_upright_patient_stays_upright(model: Model, pictures: Pictures) -> None:
    """Standing, walking, lying, leaving and coming back."""
    round_of = (pictures.picture(number / 3) for number in range(int(3 * ROUND_S)))

    found = watched(PoseTracker(model), round_of, 3)

    assert {estimate.rotation for estimate in found} == {0}
    assert not any(estimate.another for estimate in found)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_turned_patient_is_turned_back(
    model: Model, rotation: Rotation, seed: int
) -> None:
    pictures = Pictures(640, 480, seed=seed)
    shown = (
        np.rot90(pictures.picture(number / 2), rotation // 90) for number in range(40)
    )

    found = watched(PoseTracker(model), shown, 2)

    after = found[2 * 12 :]
    assert {(f.rotation, f.width, f.height) for f in after} == {(rotation, 640, 480)}
    standing = found[2 * 13].keypoints[:, :2] - pictures.truth(13.0)[:, :2]
    assert np.hypot(*standing.T).mean() < 20


def test_noise_and_empty_rooms_do_not_turn(model: Model, pictures: Pictures) -> None:
    rng = np.random.default_rng(6)
    empty = pictures.picture(EMPTY_S)
    noise = [rng.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(20)]
    dark = [rng.poisson(3, (480, 640, 3)).astype(np.uint8) for _ in range(20)]

    for shown in (noise, dark, [empty] * 20):
        found = watched(PoseTracker(model), iter(shown), 1)

        assert {estimate.rotation for estimate in found} == {0}


# Stills


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("second", [2.0, 10.0, 27.0])  # stands, arms raised, lies
def test_still_is_turned_upright(
    model: Model, pictures: Pictures, second: float, rotation: Rotation
) -> None:
    pixels = np.rot90(pictures.picture(second), rotation // 90)

    found = estimate(model, pixels, None)
    given = estimate(model, pixels, rotation)

    assert (found.state, found.rotation) == ("pose", rotation)
    assert (found.keypoints == given.keypoints).all()
    assert (found.width, found.height) == upright_size(pixels, rotation)


def test_standing_body_is_not_searched_for_another_way_up(
    model: Model, pictures: Pictures
) -> None:
    looks: list[int] = []

    class Counted:
        size = model.size

        def infer(self, square: Picture) -> NDArray[np.float32]:
            looks.append(1)
            return model.infer(square)

    found = estimate(Counted(), pictures.picture(2.0), None, passes=4)

    assert (found.state, found.rotation, len(looks)) == ("pose", 0, 4)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_no_turned_body_stands(
    model: Model, pictures: Pictures, rotation: Rotation
) -> None:
    for second in np.arange(0.0, ROUND_S, 2.0):
        pixels = np.rot90(pictures.picture(float(second)), rotation // 90)
        points, _ = Eye(model, STILL).look(pixels, whole(*upright_size(pixels, 0)), 0)
        assert not stands(points), f"turned by {rotation}° at {second} s"


def test_still_without_a_body_is_not_turned(model: Model) -> None:
    rng = np.random.default_rng(8)
    for _ in range(5):
        noise = rng.integers(0, 256, (300, 400, 3), np.uint8)

        found = estimate(model, noise, None)

        assert (found.state, found.rotation) == ("no pose", 0)
        assert (found.width, found.height) == (400, 300)
