"""Which way is up: found in video and in stills, and never by noise."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.models import Model, find_model, load_model
from edge.patient.picture import Pictures
from edge.patient.timetable import ROUND_S
from edge.pose import ROTATIONS, Estimate, PoseTracker, changed, estimate
from edge.pose.crop import STILL, Cutter, Region, Rotation, upright_size, whole
from edge.pose.eye import Box, Eye, Points
from edge.pose.orientation import (
    CONFIRM_NS,
    OFTEN_NS,
    SELDOM_NS,
    Orientation,
    stands,
    turned,
)
from edge.records import Frame, MonotonicNs

SECOND = 1_000_000_000
EMPTY_S = 50.0
"""Then the patient of the timetable is out of the room."""

Picture = NDArray[np.uint8]


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


def at(second: float) -> MonotonicNs:
    return MonotonicNs(round(second * SECOND))


def watched(
    tracker: PoseTracker, pictures: Iterator[Picture], rate_hz: float
) -> list[Estimate]:
    """Return what *tracker* finds in *pictures*."""
    stamps = (at(number / rate_hz) for number in range(10**9))
    return [
        tracker.step(Frame(0, stamp, stamp, "given", pixels))
        for stamp, pixels in zip(stamps, pictures, strict=False)
    ]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(find_model())


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return Pictures(640, 480, seed=1)


# The decision


def looked(orientation: Orientation, second: float, score: float, other: float) -> bool:
    """Tell *orientation* of a look: *score*, and *other* for each way it asks for."""
    others = dict.fromkeys(orientation.others, other)
    return orientation.compare(at(second), score, others)


def test_turns_after_two_looks_in_a_row_that_agree() -> None:
    orientation = Orientation(0)

    assert not looked(orientation, 2, 0.4, 0.6)
    assert looked(orientation, 3, 0.4, 0.6)
    assert orientation.rotation == 90


def test_one_lucky_look_does_not_turn() -> None:
    orientation = Orientation(0)
    for second in range(0, 300, 3):
        assert not looked(orientation, second, 0.4, 0.6)
        assert not looked(orientation, second + 1, 0.5, 0.5)

    assert orientation.rotation == 0


def test_after_a_turn_all_is_asked_anew_and_longer() -> None:
    orientation = Orientation(0)
    looked(orientation, 0, 0.6, 0.3)
    assert [looked(orientation, s, 0.4, 0.6) for s in (2, 3, 4)] == [
        *(False, False, True)  # one of those that are alike
    ]
    assert (orientation.rotation, orientation.others) == (90, (180,))

    assert [looked(orientation, s, 0.4, 0.6) for s in (6, 7, 8)] == [
        *(False, False, True)
    ]
    assert (orientation.rotation, orientation.others) == (180, (270,))


def test_the_best_of_all_ways_is_turned_to() -> None:
    """Upside down, a quarter of a turn is better too, and is looked at first."""
    scores: dict[Rotation, float] = {0: 0.3, 90: 0.45, 180: 0.63, 270: 0.46}
    orientation = Orientation(0)
    turned = []
    for second in (2, 3, 4):
        asked = {way: scores[way] for way in orientation.others}
        turned.append(
            orientation.compare(at(second), scores[orientation.rotation], asked)
        )

    assert (turned, orientation.rotation) == ([False, False, True], 180)


def test_ways_that_are_best_by_turns_do_not_turn() -> None:
    orientation = Orientation(0)
    for second in range(100):
        best = (90, 270)[second % 2]
        others = {way: 0.6 if way == best else 0.5 for way in orientation.others}
        assert not orientation.compare(at(second), 0.3, others)


def test_what_hardly_looks_like_a_body_does_not_turn() -> None:
    orientation = Orientation(0)

    assert not any(looked(orientation, s, 0.15, 0.30) for s in range(100))


def test_a_lead_within_the_margin_does_not_turn() -> None:
    orientation = Orientation(180)

    assert not any(looked(orientation, s, 0.50, 0.54) for s in range(100))


def test_compares_with_each_other_way_in_turn() -> None:
    orientation = Orientation(270)
    tried = []
    for second in range(6):
        tried += orientation.others
        looked(orientation, second, 0.6, 0.3)

    assert set(tried[:3]) == {0, 90, 180}
    assert tried[3:] == tried[:3]


def body(score: float, turned_by: Rotation) -> Points:
    """Return a body a hundred pixels long, all of it seen with *score*."""
    x, y = {0: (0, 1), 90: (-1, 0), 180: (0, -1), 270: (1, 0)}[turned_by]
    return [(6.0 * x * number, 6.0 * y * number, score) for number in range(17)]


def test_looks_often_in_doubt_and_seldom_while_well() -> None:
    orientation = Orientation(0)
    assert not orientation.due(at(0), body(0.9, 90))

    assert not orientation.due(MonotonicNs(OFTEN_NS - 1), body(0.3, 90))
    assert orientation.due(MonotonicNs(OFTEN_NS), body(0.3, 90))
    for _ in range(3):
        looked(orientation, 0, 0.7, 0.3)
    assert not orientation.due(MonotonicNs(SELDOM_NS - 1), body(0.7, 90))
    assert orientation.due(MonotonicNs(SELDOM_NS), body(0.7, 90))
    looked(orientation, 0, 0.6, 0.7)
    assert orientation.due(MonotonicNs(CONFIRM_NS), body(0.7, 90))


def looked_after_s(points: Points) -> int:
    """Return after how many seconds a body with *points* is first looked at again."""
    orientation = Orientation(0)
    return next(second for second in range(60) if orientation.due(at(second), points))


def test_looks_seldom_at_a_body_that_stands() -> None:
    often_s, seldom_s = OFTEN_NS // SECOND, SELDOM_NS // SECOND

    assert looked_after_s(body(0.45, 0)) == seldom_s
    assert looked_after_s(body(0.3, 0)) == often_s  # hardly seen
    assert looked_after_s(body(0.45, 90)) == often_s
    assert looked_after_s(body(0.45, 180)) == often_s


def test_doubt_is_noticed_soon() -> None:
    orientation = Orientation(0)
    for second in range(7):
        assert not orientation.due(at(second), body(0.7, 0))

    assert any(orientation.due(at(second), body(0.7, 90)) for second in range(7, 10))


def test_doubt_after_a_look_at_a_body_that_was_well_is_noticed_soon() -> None:
    orientation = Orientation(0)
    for second in range(14):
        assert not orientation.due(at(second), body(0.7, 0))
    looked(orientation, 14, 0.7, 0.3)

    assert orientation.due(MonotonicNs(at(14) + OFTEN_NS), body(0.3, 90))


def test_turns_become_harder_up_to_a_limit() -> None:
    orientation, seconds, looks = Orientation(0), iter(range(10**6)), list[int]()
    for _ in range(9):
        looks.append(1)
        while not looked(orientation, next(seconds), 0.4, 0.6):
            looks[-1] += 1
    assert looks == [2, 3, 4, 5, 6, 7, 8, 8, 8]


def test_equal_ways_settle() -> None:
    """Where chance decides each look, an hour has few turns."""
    rng = np.random.default_rng(5)
    orientation = Orientation(0)
    turns = sum(
        orientation.compare(
            at(second),
            rng.normal(0.4, 0.08),
            {way: rng.normal(0.4, 0.08) for way in orientation.others},
        )
        for second in range(0, 3600, 2)
    )

    assert 1 <= turns <= 15


def test_box_turns_with_its_frame() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        left, top = rng.integers(0, 30, 2).tolist()
        width, height = rng.integers(1, 20, 2).tolist()
        frame = np.zeros((60, 80), bool)
        frame[top : top + height, left : left + width] = True
        for rotation in ROTATIONS:
            rows, columns = np.nonzero(np.rot90(frame, -rotation // 90))

            found = turned(Box(left, top, width, height), 80, 60, rotation)

            assert found == (
                columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
            )  # fmt: skip


def test_region_shows_the_same_when_it_is_turned_with_the_frame() -> None:
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 256, (120, 160, 3), np.uint8)
    for _ in range(20):
        x, y = rng.integers(-40, 100, 2).tolist()
        region = Region(x, y, int(rng.integers(20, 120)))
        for before in ROTATIONS:
            seen = np.rot90(Cutter(32).cut(pixels, region, before), before // 90)
            for after in ROTATIONS:
                other = changed(region, pixels, before, after)
                again = np.rot90(Cutter(32).cut(pixels, other, after), after // 90)

                assert (again == seen).all()


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
