"""Who is the patient: the region of interest, and a second person in view."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pose_rig import EMPTY_S, Spots, body, drawn, frame, watched

from edge.models import Model
from edge.patient.picture import Pictures
from edge.pose import Estimate, PoseTracker
from edge.pose.crop import ROTATIONS, STILL, Region, Rotation
from edge.pose.eye import Box, Eye
from edge.records import BoxNs
from edge.vision import process

RIGHT_HALF = (0.5, 0.0, 0.5, 1.0)
BRIGHT = 255


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_patient_in_the_region_is_found_where_it_is(rotation: Rotation) -> None:
    truth = body(x=480, y=240, scale=12)
    upright = drawn(truth, 640, 480, spot=3)
    sources: dict[int, tuple[float, ...]] = {  # the right half of the upright frame
        0: (0.5, 0.0, 0.5, 1.0),
        90: (0.0, 0.0, 1.0, 0.5),
        180: (0.0, 0.0, 0.5, 1.0),
        270: (0.0, 0.5, 1.0, 0.5),
    }
    tracker = PoseTracker(Spots(), rotation, False, sources[rotation])

    for number in range(3):  # the first look is at the region, the others follow
        found = tracker.step(frame(np.rot90(upright, rotation // 90), number / 25))

        state = "pose" if number else "no pose"
        assert (found.state, found.width, found.height) == (state, 640, 480)
        assert np.abs(found.keypoints[:, :2] - truth).max() < 5


def test_somebody_outside_the_region_is_not_the_patient() -> None:
    network = Spots()
    tracker = PoseTracker(network, region=RIGHT_HALF)
    outside = drawn(body(x=150, y=240, scale=12), 640, 480, spot=3)

    assert tracker.step(frame(outside)).state == "no pose"
    assert network.squares[0].max() == 0


def test_patient_who_leaves_the_region_is_no_longer_followed() -> None:
    tracker = PoseTracker(Spots(), region=RIGHT_HALF)
    way = [
        drawn(body(x=x, y=240, scale=12), 640, 480, spot=3)
        for x in (440, 400, 340, 290)
    ]

    states = [tracker.step(frame(pixels, i / 25)).state for i, pixels in enumerate(way)]

    assert states == ["no pose", "pose", "pose", "no pose"]


def test_what_is_hidden_is_painted_over_with_the_mean_colour() -> None:
    network = Spots()
    pixels = np.full((480, 640, 3), 40, np.uint8)
    pixels[100:200, 300:400] = BRIGHT
    region = Region(200, 50, 192)

    for hidden in (None, Box(295, 95, 110, 110)):
        Eye(network, STILL).look(pixels, region, 0, hidden)

    shown, painted = network.squares
    assert shown.max() >= BRIGHT - 3  # as rounding goes
    assert 40 < painted.max() < 55
    assert (painted[:, :90] == shown[:, :90]).all()


def two(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return two pictures side by side."""
    return np.concatenate([left, right], axis=1)


def test_second_person_comes_and_leaves(model: Model) -> None:
    pictures = Pictures(400, 480, seed=1)
    patient, empty = pictures.picture(2.0), pictures.picture(EMPTY_S)
    visitor = Pictures(400, 480, seed=2).picture(8.0)
    alone, both = two(patient, empty), two(patient, visitor)
    shown = [alone] * 20 + [both] * 20 + [alone] * 20

    found = watched(PoseTracker(model), iter(shown), 1)

    seen = [estimate.another for estimate in found]
    assert not any(seen[:20])
    assert all(seen[30:40])
    assert not any(seen[50:])


class Wall(Spots):
    """Where it finds no spot, a whole frame looks like a body on the left."""

    def infer(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = super().infer(square)
        letterbox = not square[0].any()
        if found[0, 2] == self.score or not letterbox:
            return found
        points = body(x=0.2, y=0.5, scale=0.02)[:, ::-1]
        return np.column_stack([points, np.full(17, 0.9)]).astype(np.float32)


def test_what_looks_like_a_body_only_from_afar_is_no_second_person() -> None:
    patient = drawn(body(x=480, y=240, scale=12), 640, 480, spot=3)

    found = watched(PoseTracker(Wall()), iter([np.maximum(patient, 40)] * 40), 1)

    assert {each.state for each in found[1:]} == {"pose"}
    assert not any(each.another for each in found)


def test_changes_become_events() -> None:
    keypoints = np.zeros((17, 3), np.float32)
    before = Estimate("pose", keypoints, 640, 480, 0, 1.0)
    after = Estimate("pose", keypoints, 480, 640, 90, 1.0, another=True)
    at = BoxNs(7)

    turned, came = process.changes(before, after, at)
    (left,) = process.changes(after, after._replace(another=False), at)

    assert not [*process.changes(None, before, at), *process.changes(after, after, at)]
    assert {(e.kind, e.stream, e.began) for e in (turned, came, left)} == {
        ("state", "pose", at)
    }
    assert turned.detail == {"rotation": 90}
    assert came.detail == {"another_person": True}
    assert "left" in left.cause
