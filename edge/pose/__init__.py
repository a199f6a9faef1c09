"""
Where the body is in a picture: MoveNet's keypoints in pixels of the upright frame.

A still is looked at whole and then again on the region around what was found. Video
follows the body from frame to frame as MoveNet's authors publish it, with the state
held by hysteresis, since noise alone scores 0.25. Now and then a frame is looked at
once more: turned another way, or for a second person.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.pose.bed import Bed
from edge.pose.company import Company
from edge.pose.crop import (
    QUICK,
    ROTATIONS,
    STILL,
    Region,
    Rotation,
    turn,
    upright_size,
    whole,
)
from edge.pose.eye import (
    Box,
    Eye,
    Network,
    Points,
    around,
    body_box,
    is_pose,
    mean_score,
)
from edge.pose.noise import Light
from edge.pose.orientation import Orientation, stands, turned_region
from edge.records import Frame, MonotonicNs, PoseState

ABSENT_AFTER_NS = 10_000_000_000
"""Nobody for that long is *absent*, not just *no pose*."""
STEADY = 0.03
"""A region is kept while the body asks for one that is no further off than this, of
its side, and no more than twice this wider or narrower: keypoints shake less so."""


class Estimate(NamedTuple):
    """Where the body is in one picture, or that none was found."""

    state: PoseState
    keypoints: NDArray[np.float32]
    """Shape (17, 3): x and y in pixels of the upright frame, score 0 to 1. Points of
    a body that reaches out of the frame may lie outside it."""
    width: int  # of the upright frame, pixels
    height: int
    rotation: Rotation  # degrees the frame was turned clockwise to be upright
    inference_ms: float  # spent in the model, all passes
    another: bool = False  # video: a second person was found lately


class PoseTracker:
    """
    Follows one body through the frames of a video.

    *rotation* makes the frames upright; not to *find* it leaves it as it is. *region*
    is the patient's part of the source frame: `Bed`.
    """

    def __init__(
        self,
        network: Network,
        rotation: Rotation = 0,
        find: bool = True,
        region: tuple[float, ...] = (),
    ) -> None:
        self._eye = Eye(network, QUICK)
        self._careful_eye = Eye(network, STILL)  # for what is looked at seldom
        self._light = Light()
        self._orientation = Orientation(rotation, find)
        self._bed = Bed(region)
        self._company = Company()
        self._region: Region | None = None
        self._found = False  # what looks like the patient, in the last frame
        self._state: PoseState = "no pose"
        self._seen: MonotonicNs | None = None

    def step(self, frame: Frame) -> Estimate:
        """
        Return where the body is in *frame*, looking where the last frame had it.

        :raises ModelError: if the device fails
        """
        rotation, region = self._orientation.rotation, self._region
        size = upright_size(frame.pixels, rotation)
        self._eye.read_with(self._light.care(frame.pixels, frame.exposed))
        points, spent_ms = self._look(frame.pixels, region, rotation)
        self._state = self._judge(points, frame)
        self._region = held(region, around(points, *size)) if self._found else None
        more_ms = self._look_again(frame, points, region)
        return Estimate(
            self._state,
            np.array(points, np.float32),
            *size,
            rotation,
            spent_ms + more_ms,
            self._company.present,
        )

    def _look(
        self, pixels: NDArray[np.uint8], region: Region | None, rotation: Rotation
    ) -> tuple[Points, float]:
        """Return what is in *region*, or where the patient is looked for first."""
        if region is None:
            return self._bed.look(self._eye, pixels, rotation)
        return self._eye.look(pixels, region, rotation)

    def _judge(self, points: Points, frame: Frame) -> PoseState:
        """
        Return the state after *frame* with *points*.

        A body is one only when the look closer at where it was found, in the next
        frame, finds it too: furniture and bedding look like one from afar.
        """
        if self._seen is None:
            self._seen = frame.exposed
        before, rotation = self._found, self._orientation.rotation
        self._found = is_pose(points, held=self._state == "pose") and self._bed.holds(
            points, frame.pixels, rotation
        )
        if before and self._found:
            self._seen = frame.exposed
            return "pose"
        absent = frame.exposed - self._seen >= ABSENT_AFTER_NS
        return "absent" if absent else "no pose"

    def _look_again(self, frame: Frame, points: Points, region: Region | None) -> float:
        """
        Look at *frame* once more if it is time to, and return the milliseconds the
        model took. *points* were found in *region*.
        """
        if self._state == "absent":
            self._company.forget()
        if self._orientation.due(frame.exposed, points):
            return self._try_other_ways(frame, points, region)
        if self._state == "pose" and self._company.due(frame.exposed):
            return self._look_for_another(frame, points)
        return 0.0

    def _try_other_ways(
        self, frame: Frame, points: Points, region: Region | None
    ) -> float:
        """Compare *points* with those other ways up, and turn if one is better."""
        orientation, spent_ms = self._orientation, 0.0
        found, scores = dict[Rotation, Points](), dict[Rotation, float]()
        for other in orientation.others:
            found[other], scores[other], more_ms = self._turned_look(
                frame.pixels, region, other
            )
            spent_ms += more_ms
        if orientation.compare(frame.exposed, mean_score(points), scores):
            way = orientation.rotation
            self._region = around(found[way], *upright_size(frame.pixels, way))
        return spent_ms

    def _turned_look(
        self, pixels: NDArray[np.uint8], region: Region | None, other: Rotation
    ) -> tuple[Points, float, float]:
        """
        Return what is in *region* the *other* way up, its mean score or 0 where that
        is no patient, and the milliseconds the model took.
        """
        before = self._orientation.rotation
        found, spent_ms = self._look(
            pixels, region and changed(region, pixels, before, other), other
        )
        score = mean_score(found)
        if region is None:
            found, more_ms = closer(self._eye, pixels, other, found)
            score, spent_ms = min(score, mean_score(found)), spent_ms + more_ms
        body = is_pose(found, held=False) and self._bed.holds(found, pixels, other)
        return found, score if body else 0.0, spent_ms

    def _look_for_another(self, frame: Frame, points: Points) -> float:
        """Look for a second person beside the one with *points*."""
        rotation, hidden = self._orientation.rotation, body_box(points)
        region = whole(*upright_size(frame.pixels, rotation))
        found, spent_ms = self._careful_eye.look(frame.pixels, region, rotation, hidden)
        found, more_ms = closer(
            self._careful_eye, frame.pixels, rotation, found, hidden
        )
        self._company.note(frame.exposed, found, hidden)
        return spent_ms + more_ms


def closer(
    eye: Eye,
    pixels: NDArray[np.uint8],
    rotation: Rotation,
    found: Points,
    hidden: Box | None = None,
) -> tuple[Points, float]:
    """
    Return what *eye* sees looking closer at what was *found* from afar, and the
    milliseconds that took; *found* where there is nothing to look closer at.

    :raises ModelError: if the device fails
    """
    region = around(found, *upright_size(pixels, rotation))
    if region is None or not is_pose(found, held=False):
        return found, 0.0
    return eye.look(pixels, region, rotation, hidden)


def held(region: Region | None, wanted: Region | None) -> Region | None:
    """Return *region* if *wanted* is nearly the same, else *wanted*."""
    if region is None or wanted is None:
        return wanted
    wider = (wanted.side - region.side) / 2
    right, down = wanted.x - region.x + wider, wanted.y - region.y + wider
    steady = max(abs(right), abs(down), abs(wider)) <= STEADY * region.side
    return region if steady else wanted


def changed(
    region: Region, pixels: NDArray[np.uint8], before: Rotation, after: Rotation
) -> Region:
    """
    Return *region* of the frame *pixels* turned by *before* in pixels of the same
    frame turned by *after*.
    """
    quarter = turn(after, -before)
    return turned_region(region, *upright_size(pixels, before), quarter)


def estimate(
    network: Network,
    pixels: NDArray[np.uint8],
    rotation: Rotation | None = 0,
    passes: int = 3,
) -> Estimate:
    """
    Return where the body is in a still picture.

    *pixels* is uint8 of shape (height, width, 3), RGB. The first pass looks at all of
    it, each further one at the region around what the one before found; of these the
    median is taken, since each sees a keypoint a little elsewhere. Without a *rotation*
    it begins with all four, unless the first one shows a body that stands, and each
    pass leaves the better half.

    :raises ModelError: if the device fails
    """
    eye = Eye(network, STILL)
    ways = ROTATIONS if rotation is None else (rotation,)
    views = [View(eye, pixels, way) for way in ways]
    views[0].look()
    left = views[:1] if stands(views[0].points) else views
    for view in left[1:]:
        view.look()
    for _ in range(passes - 1):
        left = better_half(left)
        for view in left:
            view.look()
    left = better_half(left)
    found = is_pose(left[0].points, held=False)
    best = left[0] if found else views[0]
    spent_ms = sum(view.spent_ms for view in views)
    state: PoseState = "pose" if found else "no pose"
    return Estimate(
        state, np.array(best.points, np.float32), *best.size, best.rotation, spent_ms
    )


class View:
    """A still picture one way up, and what was seen in it."""

    def __init__(self, eye: Eye, pixels: NDArray[np.uint8], rotation: Rotation) -> None:
        self.rotation = rotation
        self.size = upright_size(pixels, rotation)
        self.score = self.spent_ms = 0.0  # sums over the looks
        self._looks: list[Points] = []
        self._eye, self._pixels = eye, pixels
        self._region = whole(*self.size)

    def look(self) -> None:
        """Look closer than before."""
        found, spent_ms = self._eye.look(self._pixels, self._region, self.rotation)
        self._looks.append(found)
        self.score += mean_score(found)
        self.spent_ms += spent_ms
        self._region = around(found, *self.size) or whole(*self.size)

    @property
    def points(self) -> Points:
        """The median of the closer looks, or what the only one saw."""
        closer_looks = np.array(self._looks[1:] or self._looks, np.float32)
        return [(x, y, s) for x, y, s in np.median(closer_looks, axis=0).tolist()]


def better_half(views: list[View]) -> list[View]:
    """Return those of *views* in which more was seen, one at least, the best first."""
    return sorted(views, key=lambda view: -view.score)[: (len(views) + 1) // 2]
