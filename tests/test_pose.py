"""Keypoints in pixels of the upright frame, in stills and in video."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pose_rig import Spots, body, drawn, frame

from edge import models, pose
from edge.pose import eye
from edge.pose.crop import Rotation, whole


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("passes", [1, 2, 4])
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1280, 720)])
def test_keypoints_are_pixels_of_the_upright_frame(
    size: tuple[int, int], passes: int, rotation: Rotation
) -> None:
    scale = max(size) // 32
    truth = body(x=300, y=250, scale=scale)
    source = np.rot90(drawn(truth, *size, spot=scale // 4), rotation // 90)

    found = pose.estimate(Spots(), source, rotation, passes)

    assert found.state == "pose"
    assert (found.width, found.height) == size
    assert found.rotation == rotation
    step = max(size) / 192
    assert np.abs(found.keypoints[:, :2] - truth).max() < step
    assert found.keypoints[:, 2] == pytest.approx(0.9)


def test_each_pass_looks_closer_at_what_was_found() -> None:
    network = Spots()
    pixels = drawn(body(x=500, y=300, scale=20), 640, 480, spot=5)

    pose.estimate(network, pixels, passes=1)
    pose.estimate(network, pixels, passes=2)

    whole_frame, _, closer = (np.count_nonzero(s[:, :, 0]) for s in network.squares)
    assert closer > 3 * whole_frame


def test_picture_without_a_body_is_no_pose() -> None:
    found = pose.estimate(Spots(), np.zeros((480, 640, 3), np.uint8))

    assert found.state == "no pose"
    assert found.keypoints.shape == (17, 3)


def test_tracker_follows_a_body_that_moves() -> None:
    network = Spots()
    tracker = pose.PoseTracker(network)
    for step in range(40):
        truth = body(x=150 + 8 * step, y=240 + step, scale=12)

        found = tracker.step(frame(drawn(truth, 640, 480, spot=3), step / 25))

        assert found.state == ("pose" if step else "no pose")
        assert np.abs(found.keypoints[:, :2] - truth).max() < 4
    areas = [np.count_nonzero(square[:, :, 0]) for square in network.squares]
    assert min(areas[1:]) > 2 * areas[0]


def test_looks_another_way_up_lose_no_frame() -> None:
    network = Spots()
    truth = body(x=150, y=240, scale=12)
    pixels = drawn(truth, 640, 480, spot=3)
    tracker = pose.PoseTracker(network)
    tracker.step(frame(pixels))
    for step in range(1, 200):
        found = tracker.step(frame(pixels, step / 2))

        assert (found.state, found.rotation) == ("pose", 0)
        assert np.abs(found.keypoints[:, :2] - truth).max() < 4, step
    assert len(network.squares) > 205


def test_tracker_looks_at_the_whole_frame_when_the_body_is_lost() -> None:
    network = Spots()
    tracker = pose.PoseTracker(network)
    left = drawn(body(x=100, y=240, scale=12), 640, 480, spot=3)
    right = drawn(body(x=540, y=240, scale=12), 640, 480, spot=3)

    states = [tracker.step(frame(p)).state for p in (left, left, right, right, right)]

    assert states == ["no pose", "pose", "no pose", "no pose", "pose"]


def test_few_sure_keypoints_keep_a_pose_but_make_none() -> None:
    points = body(x=320, y=240, scale=15)
    all_seen = drawn(points, 640, 480, spot=4)
    four_seen = drawn(points[:4], 640, 480, spot=4)

    fresh = pose.PoseTracker(Spots())
    assert {fresh.step(frame(four_seen)).state for _ in range(3)} == {"no pose"}
    tracker = pose.PoseTracker(Spots())
    shown = (all_seen, all_seen, four_seen, four_seen)
    states = [tracker.step(frame(p)).state for p in shown]
    assert states == ["no pose", "pose", "pose", "pose"]


class Afar(Spots):
    """A network to which a picture between bars along *axis* looks like a body."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self._axis = axis

    def infer(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        super().infer(square)
        points = body(x=0.5, y=0.5, scale=0.04)[:, ::-1]
        afar = not square.take(0, self._axis).any()
        scores = np.full((17, 1), 0.9 if afar else 0.1)
        return np.hstack([points, scores]).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1])
def test_what_looks_like_a_body_only_from_afar_is_none(axis: int) -> None:
    """Upright or turned: in some rooms furniture does in a third of the frames."""
    tracker = pose.PoseTracker(Afar(axis))
    bedding = np.full((480, 640, 3), 90, np.uint8)

    found = [tracker.step(frame(bedding, step / 4)) for step in range(80)]

    assert {(each.state, each.rotation) for each in found[:40]} == {("no pose", 0)}
    assert {(each.state, each.rotation) for each in found[40:]} == {("absent", 0)}


def test_body_that_is_there_for_one_frame_is_none() -> None:
    tracker = pose.PoseTracker(Spots())
    seen = drawn(body(x=320, y=240, scale=15), 640, 480, spot=4)
    empty = np.zeros_like(seen)

    states = [tracker.step(frame(p)).state for p in (seen, empty, seen, empty)]

    assert set(states) == {"no pose"}


def test_scores_of_noise_make_no_pose_and_move_no_region() -> None:
    """Noise scores up to 0.25, more than the published algorithm's 0.2."""
    network = Spots(blind=0.25)
    tracker = pose.PoseTracker(network)
    pixels = np.full((480, 640, 3), 40, np.uint8)

    states = {tracker.step(frame(pixels, i / 25)).state for i in range(20)}

    assert states == {"no pose"}
    assert all((square == network.squares[0]).all() for square in network.squares)


def test_body_on_one_point_is_looked_for_in_the_whole_frame() -> None:
    """So a device answers that gives back its memory of zeros."""
    network = Spots(blind=0.9)
    tracker = pose.PoseTracker(network)
    pixels = np.full((480, 480, 3), 40, np.uint8)  # alike whichever way is up

    for i in range(40):
        tracker.step(frame(pixels, i / 2))

    assert all((square == network.squares[0]).all() for square in network.squares)


def test_nobody_for_ten_seconds_is_absent() -> None:
    tracker = pose.PoseTracker(Spots())
    empty = np.zeros((480, 640, 3), np.uint8)
    seen = drawn(body(x=320, y=240, scale=15), 640, 480, spot=4)
    tracker.step(frame(seen))
    times = [(seen, 1), (empty, 2), (empty, 10.9), (empty, 11), (empty, 61)]
    times += [(seen, 62), (seen, 63)]

    states = [tracker.step(frame(pixels, at)).state for pixels, at in times]

    nobody = ["no pose", "no pose", "absent", "absent", "absent"]
    assert states == ["pose", *nobody, "pose"]


def reference_region(
    keypoints: NDArray[np.float32], width: int, height: int
) -> tuple[float, float, float]:
    """
    Return left, top and side by the published description, step by step: hips are
    11 and 12, shoulders 5 and 6, a point is seen above 0.2.
    """
    side = max(width, height)
    letterbox = ((width - side) / 2, (height - side) / 2, side)
    point = dict(enumerate(keypoints.tolist()))
    if point[11][2] <= 0.2 and point[12][2] <= 0.2:
        return letterbox
    if point[5][2] <= 0.2 and point[6][2] <= 0.2:
        return letterbox
    x = (point[11][0] + point[12][0]) / 2
    y = (point[11][1] + point[12][1]) / 2
    torso_x = max(abs(point[i][0] - x) for i in (5, 6, 11, 12))
    torso_y = max(abs(point[i][1] - y) for i in (5, 6, 11, 12))
    body_x = max(abs(px - x) for px, _, score in point.values() if score > 0.2)
    body_y = max(abs(py - y) for _, py, score in point.values() if score > 0.2)
    half = max(torso_x * 1.9, torso_y * 1.9, body_x * 1.2, body_y * 1.2)
    half = min(half, max(x, width - x, y, height - y))
    if half > side / 2:
        return letterbox
    return (x - half, y - half, 2 * half)


def test_region_is_the_published_one() -> None:
    rng = np.random.default_rng(11)
    closer = 0
    for _ in range(300):
        width, height = rng.integers(100, 1000, 2).tolist()
        centre = rng.uniform(0, 1, 2) * (width, height)
        spread = rng.uniform(0.02, 0.4) * min(width, height)
        points = rng.normal(centre, spread, (17, 2))
        scored = np.column_stack([points, rng.uniform(0, 0.6, 17)])
        keypoints = scored.astype(np.float32)

        found = [(x, y, score) for x, y, score in keypoints.tolist()]
        region = eye.around(found, width, height) or whole(width, height)

        assert region == pytest.approx(
            reference_region(keypoints, width, height), rel=1e-5, abs=1e-3
        )
        closer += region != whole(width, height)
    assert 50 < closer < 250


def smoke(shared: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Return keypoints of squat.bmp and their published reference, both (17, 3): y, x as
    fractions of the picture, score. Done as the model's makers do it.
    """
    pictures = pytest.importorskip("PIL.Image")
    with pictures.open(shared / "models" / "squat.bmp") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    model = models.load_model(
        shared / "models" / "movenet_single_pose_lightning_ptq.tflite"
    )
    reference = np.genfromtxt(
        shared / "models" / "movenet_single_pose_lightning_ptq_reference.csv",
        delimiter=",",
        names=True,
    )
    published = np.column_stack(
        [reference[f"keypoint_{name}"] for name in ("y", "x", "score")]
    )
    return model.infer(stretched(pixels, 192)), published


def stretched(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return *pixels* bilinear in a square: half-pixel centres, no antialiasing."""
    for axis in (0, 1):
        length = pixels.shape[axis]
        places = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        low = np.floor(places).astype(int)
        weight = (places - low).reshape((size, 1, 1) if axis == 0 else (1, size, 1))
        one = np.take(pixels, low, axis)
        other = np.take(pixels, np.minimum(low + 1, length - 1), axis)
        pixels = one * (1 - weight) + other * weight
    return np.rint(pixels).astype(np.uint8)


def test_published_model_gives_its_published_keypoints(shared: Path) -> None:
    keypoints, published = smoke(shared)

    both = (keypoints[:, 2] > 0.4) & (published[:, 2] > 0.4)
    assert np.count_nonzero(both) >= 8
    assert np.abs(keypoints - published)[both, :2].max() <= 0.04


@pytest.mark.parametrize("seed", range(6))
def test_noise_is_no_pose_for_the_real_model(seed: int, model: models.Model) -> None:
    rng = np.random.default_rng(seed)
    tracker = pose.PoseTracker(model)
    black = np.zeros((480, 640, 3), np.uint8)
    noise = [rng.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(3)]

    states = {tracker.step(frame(pixels)).state for pixels in (black, *noise)}

    assert states == {"no pose"}
    assert pose.estimate(model, noise[0]).state == "no pose"
