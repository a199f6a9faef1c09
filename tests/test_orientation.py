"""Which way is up: when the guess changes, and how often it is asked."""

import numpy as np
from pose_rig import at

from edge.pose import changed
from edge.pose.crop import ROTATIONS, Cutter, Region, Rotation
from edge.pose.eye import Box, Points
from edge.pose.orientation import (
    CONFIRM_NS,
    OFTEN_NS,
    SELDOM_NS,
    Orientation,
    turned,
)
from edge.records import MonotonicNs


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
    tried: list[Rotation] = []
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
    often_s, seldom_s = OFTEN_NS // at(1), SELDOM_NS // at(1)

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

            assert found[:2] == (float(columns.min()), float(rows.min()))
            assert found[2:] == (float(np.ptp(columns) + 1), float(np.ptp(rows) + 1))


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
