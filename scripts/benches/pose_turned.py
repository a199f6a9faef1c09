"""
How well the way up is found, in stills and in video, and what that costs.

The annotated pictures beside the project (``../shared``) are turned by a quarter either
way; without them their rows are missing. The video is the drawn patient turned by a
quarter. Thunder has rows where ``scripts/build-model --thunder`` has built it.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.models import Model, find_model, load_model
from edge.patient.picture import Pictures
from edge.patient.timetable import ROUND_S
from edge.pictures import read_picture
from edge.pose import Estimate, PoseTracker, estimate
from edge.pose.crop import Cutter, Rotation, whole
from edge.records import Frame, MonotonicNs
from edge.vision.process import UPLOAD_LOOKS
from scripts.benches import Row, side_by_side
from scripts.benches.pose_accuracy import (
    SHARED,
    Floats,
    Labelled,
    likeness,
    photographs,
    variants,
)

SIDEWAYS: tuple[Rotation, ...] = (90, 270)
AWAY = 0.05
"""How far from the upright value the turned one may be."""
RATE_HZ = 15.0
MOST_SETTLING_S, MOST_EXTRA = 15.0, 0.05
UPLOAD = SHARED / "data/pose/coco/000000000785.jpg"
MOST_UPLOAD_MS = 30.0
THUNDER = "movenet_thunder_int8.tflite"


class Counted:
    """A model whose looks are counted."""

    def __init__(self, model: Model) -> None:
        self.size, self.looks = model.size, 0
        self._model = model

    def infer(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the model says."""
        self.looks += 1
        return self._model.infer(square)


def rows() -> list[Row]:
    """Return the figures of stills, then of video, then of Thunder."""
    model = load_model(find_model())
    found = video_rows(model)
    if not (SHARED / "data").is_dir():
        print(f"skipped: no pictures beside the project at {SHARED}", file=sys.stderr)
        return found
    pictures = list(photographs())
    varied = [other for picture in pictures for other in variants(picture)]
    found += [
        turned_row("turned by 90° and 270°", model, pictures),
        turned_row("likewise, shifted and mirrored", model, varied),
        kept_row(model, varied),
        upload_row(model),
    ]
    try:
        thunder = load_model(find_model(THUNDER))
    except ModelError as error:
        print(f"skipped: {error}", file=sys.stderr)
        return found
    return [*found, *thunder_rows(thunder, model, pictures)]


def turned_row(name: str, model: Model, pictures: list[Labelled]) -> Row:
    """Return the mean OKS of *pictures* turned, beside that without the choice."""
    upright = mean_oks(model, pictures, (0,), 0)
    chosen = mean_oks(model, pictures, SIDEWAYS, None)
    without = mean_oks(model, pictures, SIDEWAYS, 0)
    bar = f">= {upright:.2f} (upright) - {AWAY}"
    holds = chosen >= upright - AWAY
    return Row(f"OKS, {name}", chosen, without, chosen / without, "", 1, bar, holds)


def mean_oks(
    model: Model,
    pictures: list[Labelled],
    turns: tuple[Rotation, ...],
    rotation: Rotation | None,
) -> float:
    """Return the mean OKS of *pictures* that *turns* would make upright again."""
    return float(
        np.mean(
            [
                likeness(seen(model, picture.pixels, turn, rotation), picture)
                for picture in pictures
                for turn in turns
            ]
        )
    )


def seen(
    model: Model, pixels: NDArray[np.uint8], turn: Rotation, rotation: Rotation | None
) -> Floats:
    """Return the keypoints of *pixels* turned back by *turn*, in pixels of *pixels*."""
    found = estimate(model, np.rot90(pixels, turn // 90), rotation, UPLOAD_LOOKS)
    x, y = found.keypoints[:, :2].T
    width, height = found.width, found.height
    for _ in range((turn - found.rotation) % 360 // 90):
        x, y, width, height = height - y, x, height, width
    return np.column_stack([x, y])


def kept_row(model: Model, pictures: list[Labelled]) -> Row:
    """Return the share of upright pictures that are left so."""
    kept = np.mean(
        [estimate(model, p.pixels, None, UPLOAD_LOOKS).rotation == 0 for p in pictures]
    )
    name = "upright pictures kept upright"
    share = float(kept)
    return Row(name, share, None, None, "", len(pictures), ">= 0.98", share >= 0.98)


def upload_row(model: Model) -> Row:
    """Return milliseconds from a file's bytes to keypoints, beside no choice."""
    content = UPLOAD.read_bytes()

    def ours() -> Estimate:
        return estimate(model, read_picture(content), None, UPLOAD_LOOKS)

    def peer() -> Estimate:
        return estimate(model, read_picture(content), 0, UPLOAD_LOOKS)

    ours_s, peer_s, ratio = side_by_side(ours, peer, runs=25)
    ms = 1000 * ours_s
    bar = f"<= {MOST_UPLOAD_MS:g} ms"
    name = "upload, file to keypoints, beside no choice"
    return Row(
        name, ms, 1000 * peer_s, ratio, "ms", 25, bar, bool(ms <= MOST_UPLOAD_MS)
    )


def video_rows(model: Model) -> list[Row]:
    """Return how soon a camera turned by a quarter is found out, and at what cost."""
    settled, extra = watch(model, 90)
    steady, upright_extra = watch(model, 0)
    name = "drawn patient"
    return [
        Row(f"{name} turned by 90°, until settled", settled, None, None, "s", 1,
            f"<= {MOST_SETTLING_S:g} s", settled <= MOST_SETTLING_S),
        Row(f"{name} turned by 90°, extra passes", extra, None, None, "share", 1,
            f"<= {MOST_EXTRA}", extra <= MOST_EXTRA),
        Row(f"{name} upright, first frame turned", steady, None, None, "s", 1,
            "0 (never)", steady == 0),
        Row(f"{name} upright, extra passes", upright_extra, None, None, "share", 1,
            f"<= {MOST_EXTRA}", upright_extra <= MOST_EXTRA),
    ]  # fmt: skip


def watch(model: Model, turn: Rotation) -> tuple[float, float]:
    """
    Return the second from which on the drawn patient, turned back by *turn*, is seen
    upright to the end of a round, and the share of passes beside one a frame.
    """
    pictures, counted = Pictures(640, 480, seed=1), Counted(model)
    tracker = PoseTracker(counted)
    frames, settled = int(ROUND_S * RATE_HZ), 0.0
    for number in range(frames):
        second = number / RATE_HZ
        pixels = np.rot90(pictures.picture(second), turn // 90)
        stamp = MonotonicNs(round(second * 1e9))
        found = tracker.step(Frame(number, stamp, stamp, "given", pixels))
        if found.rotation != turn:
            settled = second + 1 / RATE_HZ
    return settled, counted.looks / frames - 1


def thunder_rows(
    thunder: Model, lightning: Model, pictures: list[Labelled]
) -> list[Row]:
    """Return how well Thunder sees beside Lightning, and how long a pass takes."""
    found = []
    for name, turns in (("upright", (0,)), ("turned by 90° and 270°", SIDEWAYS)):
        one, other = (
            mean_oks(model, pictures, turns, None) for model in (thunder, lightning)
        )
        title = f"Thunder, OKS, {name}, beside Lightning"
        found.append(Row(title, one, other, one / other, "", 1))
    squares = [
        Cutter(model.size).cut(pictures[0].pixels, whole(640, 427)).copy()
        for model in (thunder, lightning)
    ]
    one_s, other_s, ratio = side_by_side(
        lambda: thunder.infer(squares[0]), lambda: lightning.infer(squares[1]), 25
    )
    title = "Thunder, a pass, beside Lightning"
    return [*found, Row(title, 1000 * one_s, 1000 * other_s, ratio, "ms", 25)]
