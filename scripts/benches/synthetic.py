"""
How far from the truth the model finds the drawn patient, and what drawing costs.

The committed model follows the patient through one round of the timetable. The
error is the mean distance of the 17 keypoints from where they are drawn, as a share
of the body height upright.
"""

import numpy as np

from edge.models import Model, find_model, load_model
from edge.patient.picture import Pictures
from edge.patient.timetable import ROUND_S, doing
from edge.pose import PoseTracker
from edge.pose.crop import Cutter, whole
from edge.records import Frame, MonotonicNs
from scripts.benches import Row, side_by_side

RATE_HZ = 5.0
UPRIGHT = ("stands", "raises arms")
BAR = 0.03
DRAWN = 40  # pictures a run


def rows() -> list[Row]:
    """Return the errors, how often the state is right, and the cost of a picture."""
    model = load_model(find_model())
    pictures = Pictures(640, 480, seed=1)
    errors, right = follow(model, pictures)
    upright = [error for name in UPRIGHT for error in errors[name]]
    unit = "of height"
    return [
        Row("drawn patient, upright: keypoint error", float(np.mean(upright)), None,
            None, unit, 1, f"<= {BAR}", bool(np.mean(upright) <= BAR)),
        Row("drawn patient, in bed: keypoint error", float(np.mean(errors["lies"])),
            None, None, unit, 1),
        Row("drawn patient: state is right", right, None, None, "of frames", 1),
        cost(model, pictures),
    ]  # fmt: skip


def follow(model: Model, pictures: Pictures) -> tuple[dict[str, list[float]], float]:
    """
    Return the errors by what the patient does, and how often *pose* was said when
    the whole body was to be seen and not when nothing was.
    """
    tracker = PoseTracker(model)
    errors: dict[str, list[float]] = {}
    right = []
    for number in range(int(ROUND_S * RATE_HZ)):
        second = number / RATE_HZ
        stamp = MonotonicNs(round(second * 1e9))
        frame = Frame(number, stamp, stamp, "sensor", pictures.picture(second))
        found, truth = tracker.step(frame), pictures.truth(second)
        inside = truth[:, 2] > 0
        if inside.all():
            off = np.hypot(*(found.keypoints[:, :2] - truth[:, :2]).T).mean()
            height = pictures.body_height_px(0.0)
            errors.setdefault(doing(second), []).append(float(off / height))
        if inside.all() or not inside.any():
            right.append((found.state == "pose") == inside.all())
    return errors, float(np.mean(right))


def cost(model: Model, pictures: Pictures) -> Row:
    """Return milliseconds a picture beside those of one pass of the model."""
    square = Cutter(model.size).cut(pictures.picture(0.0), whole(640, 480)).copy()

    def draw() -> None:
        for number in range(DRAWN):
            pictures.picture(2.0 + 0.25 * number)

    def infer() -> None:
        for _ in range(DRAWN):
            model.infer(square)

    drawn_s, inferred_s, ratio = side_by_side(draw, infer, runs=7)
    name = "drawn patient: a picture, beside a pass of the model"
    ours_ms, peer_ms = 1000 * drawn_s / DRAWN, 1000 * inferred_s / DRAWN
    return Row(name, ours_ms, peer_ms, ratio, "ms", 7)
