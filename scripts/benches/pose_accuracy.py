"""
How well the models see: our int8 one beside the published int8 one and the float one.

Measured on the pictures and the video beside the project (``../shared``), which no
model here was calibrated on. Without them there are no rows. The float model is what
``scripts/build-model`` leaves in ``var/models``; without it its rows are missing.
"""

import csv
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from edge.models import Model, find_model, load_model
from edge.pictures import read_picture_file
from edge.pose import PoseTracker, estimate
from edge.pose.crop import QUICK, Care, Cutter, whole
from edge.pose.eye import Eye, around
from edge.pose.noise import Light
from edge.records import KEYPOINTS, SURE_SCORE, Frame, MonotonicNs
from scripts.benches import Row

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
PUBLISHED = SHARED / "models/movenet_single_pose_lightning_ptq.tflite"
FLOAT = ROOT / "var/models/movenet_lightning_float.tflite"

CROWD = 442450
"""The one picture of the set without a main person."""

SIGMAS = np.array(
    [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]
) / 1000  # fmt: skip
"""How far apart people mark a keypoint: of COCO's evaluation (cocoeval)."""

DARK_LIGHT, DARK_NOISE = 0.25, 12.0
"""Of the light of the pictures, and the standard deviation of what is added, of 255."""

SHIFTS = [(0, 0), (7, 5), (3, 11), (10, 2)]  # pixels cut off left and above
MIRRORED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
"""The keypoint that each becomes in a mirror."""

Points = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]


class Labelled(NamedTuple):
    """A picture and where people say that the keypoints are."""

    pixels: NDArray[np.uint8]  # shape (height, width, 3), RGB
    points: Points  # shape (17, 2): x, y in pixels
    seen: NDArray[np.bool_]  # shape (17,): whether people said so
    area: float  # of the person, pixels


class Measure(NamedTuple):
    """One property of a model."""

    name: str
    unit: str
    larger_is_better: bool
    of: Callable[[Model], float]
    bar: str = ""
    holds: Callable[[float, float], bool] | None = None  # ours, ratio to published


def rows() -> list[Row]:
    """Return the figures against the published model, then against float."""
    if not (SHARED / "data").is_dir():
        print(f"skipped: no pictures beside the project at {SHARED}", file=sys.stderr)
        return []
    ours, published = load_model(find_model()), load_model(PUBLISHED)
    found = [row(measure, ours, published, "") for measure in measures()]
    if FLOAT.is_file():
        exact = load_model(FLOAT, sha256=sha256_of(FLOAT))
        unbarred = [measure._replace(bar="", holds=None) for measure in measures()]
        found += [row(measure, ours, exact, ", float") for measure in unbarred]
        found.append(row(distance_measure(exact), ours, published, ""))
    return [*found, dark_row(ours)]


def dark_row(model: Model) -> Row:
    """Return what it is worth to read the frames of a dark room more closely."""
    rng = np.random.default_rng(3)
    varied = [other for picture in photographs() for other in variants(picture)]
    dark = [picture._replace(pixels=darker(picture.pixels, rng)) for picture in varied]
    cares = [Light().care(picture.pixels, MonotonicNs(0)) for picture in dark]
    closely = [*map(partial(followed, model), dark, cares)]
    quickly = [followed(model, picture, QUICK) for picture in dark]
    one, other = float(np.mean(closely)), float(np.mean(quickly))
    return Row("OKS, dark video, beside reading quickly", one, other, one / other, "",
               1, "ratio >= 1", one >= other)  # fmt: skip


def darker(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return *pixels* as a camera at its limits shows them."""
    noise = rng.normal(0, DARK_NOISE, pixels.shape)
    return np.clip(pixels * DARK_LIGHT + noise, 0, 255).astype(np.uint8)


def followed(model: Model, picture: Labelled, care: Care) -> float:
    """Return how like the truth the second look at *picture* is, as video is read."""
    height, width = picture.pixels.shape[:2]
    eye = Eye(model, care)
    everything = whole(width, height)
    first, _ = eye.look(picture.pixels, everything, 0)
    closer = around(first, width, height) or everything
    second, _ = eye.look(picture.pixels, closer, 0)
    return likeness(np.array(second)[:, :2], picture)


def measures() -> list[Measure]:
    """Return what is measured, with the bars."""
    pictures = list(photographs())
    varied = [other for picture in pictures for other in variants(picture)]
    return [
        Measure("OKS, single pass", "", True, lambda m: mean_oks(m, pictures, 1),
                ">= 0.60, ratio >= 1", lambda ours, ratio: ours >= 0.60 and ratio >= 1),
        Measure("OKS, refined", "", True, lambda m: mean_oks(m, pictures, 3),
                ">= 0.85", lambda ours, _: ours >= 0.85),
        Measure("OKS, refined, shifted and mirrored", "", True,
                lambda m: mean_oks(m, varied, 3), "ratio >= 1", lambda _, r: r >= 1),
        Measure("stills, farthest keypoint", "px", False, still_error,
                "<= 21 px", lambda ours, _: ours <= 21),
        Measure("video, farthest keypoint", "px", False, video_error,
                "<= 60 px", lambda ours, _: ours <= 60),
    ]  # fmt: skip


def row(measure: Measure, ours: Model, peer: Model, suffix: str) -> Row:
    """Return *measure* of *ours* beside *peer*."""
    one, other = measure.of(ours), measure.of(peer)
    ratio = one / other if measure.larger_is_better else other / max(one, 1e-9)
    holds = measure.holds(one, ratio) if measure.holds else None
    name = measure.name + suffix
    return Row(name, one, other, ratio, measure.unit, 1, measure.bar, holds)


def mean_oks(model: Model, pictures: list[Labelled], passes: int) -> float:
    """Return the mean object keypoint similarity after so many *passes*."""
    return float(np.mean([oks(model, picture, passes) for picture in pictures]))


def oks(model: Model, picture: Labelled, passes: int) -> float:
    """Return how like the truth the keypoints are after so many *passes*."""
    found = estimate(model, picture.pixels, passes=passes).keypoints[:, :2]
    return likeness(found, picture)


def likeness(found: Floats, picture: Labelled) -> float:
    """Return COCO's object keypoint similarity: 1 where every keypoint is right."""
    squared = ((found - picture.points) ** 2).sum(axis=1)
    alike = np.exp(-squared / (2 * picture.area * (2 * SIGMAS) ** 2))
    return float(alike[picture.seen].mean())


def still_error(model: Model) -> float:
    """Return how far the farthest keypoint of two stills is off in a single pass."""
    folder = SHARED / "data/pose/tf_examples"
    with (folder / "pose_landmark_truth.csv").open() as file:
        truths = [
            np.array(line, float).reshape(17, 2) for line in [*csv.reader(file)][1:]
        ]
    errors = []
    for name, truth in zip(("image1.png", "image2.jpeg"), truths, strict=True):
        found = estimate(model, read_picture_file(folder / name), passes=1)
        errors.append(distances(found.keypoints[:, :2], truth).max())
    return float(max(errors))


def video_error(model: Model) -> float:
    """Return how far the farthest keypoint of a tracked video is off its reference."""
    references = json.loads((SHARED / "data/video/pose_1.json").read_text())
    tracker = PoseTracker(model)
    errors = []
    for frame, reference in zip(video_frames(), references, strict=True):
        points = [(reference[name]["x"], reference[name]["y"]) for name in KEYPOINTS]
        found = tracker.step(frame).keypoints[:, :2]
        errors.append(distances(found, np.array(points)).max())
    return float(max(errors))


def distance_measure(exact: Model) -> Measure:
    """Return how far a model's keypoints are from those of *exact*, as a measure."""
    cutter = Cutter(exact.size)
    squares = [
        cutter.cut(picture.pixels, whole(*picture.pixels.shape[1::-1])).copy()
        for original in photographs()
        for picture in variants(original)
    ]
    references = [exact.infer(square) for square in squares]

    def distance(model: Model) -> float:
        away = [
            distances(model.infer(square)[:, :2], reference[:, :2])[
                reference[:, 2] > SURE_SCORE
            ]
            for square, reference in zip(squares, references, strict=True)
        ]
        return float(np.median(np.concatenate(away))) * model.size

    return Measure("median keypoint from float", "px of 192", False, distance)


def distances(found: Floats, truth: Floats) -> Points:
    """Return how far apart the points *found* and *truth* are, each (17, 2)."""
    apart: Points = np.hypot(*(found - truth).T.astype(float))
    return apart


def photographs() -> Iterator[Labelled]:
    """Yield the COCO pictures with one main person, the largest one."""
    folder = SHARED / "data/pose/coco"
    coco = json.loads((folder / "annotations.json").read_text())
    for image in coco["images"]:
        if image["id"] == CROWD:
            continue
        people = [p for p in coco["annotations"] if p["image_id"] == image["id"]]
        person = max(people, key=lambda person: float(person["area"]))
        marks = np.array(person["keypoints"], float).reshape(17, 3)
        pixels = read_picture_file(folder / image["file_name"])
        yield Labelled(pixels, marks[:, :2], marks[:, 2] > 0, person["area"])


def variants(picture: Labelled) -> Iterator[Labelled]:
    """Yield *picture* with a little cut off, as it is and mirrored."""
    for (left, top), mirror in product(SHIFTS, (False, True)):
        pixels = picture.pixels[top:, left:]
        points, seen = picture.points - (left, top), picture.seen
        if mirror:
            pixels = pixels[:, ::-1]
            points = np.column_stack([pixels.shape[1] - points[:, 0], points[:, 1]])
            points, seen = points[MIRRORED], seen[MIRRORED]
        yield Labelled(pixels, points, seen, picture.area)


def video_frames() -> Iterator[Frame]:
    """Yield the frames of the video."""
    with av.open(str(SHARED / "data/video/pose_1.mp4")) as video:
        for number, picture in enumerate(video.decode(video=0)):
            instant = MonotonicNs(round(1e9 * picture.time))
            pixels = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
            yield Frame(number, instant, instant, "given", pixels)


def sha256_of(path: Path) -> str:
    """Return the sum of the file *path*: this model was built here."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
