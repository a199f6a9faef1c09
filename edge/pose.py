"""
Where the body is in a picture: MoveNet's keypoints in pixels of the upright frame.

A still is looked at whole and then again on the region around what was found. Video
follows the body from frame to frame as MoveNet's authors publish it, with the state
held by hysteresis, since noise alone scores 0.25.
"""

import time
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.crop import Cutter, Region, Rotation, upright_size, whole
from edge.records import Frame, MonotonicNs, PoseState

SHOULDERS, HIPS = [5, 6], [11, 12]
TORSO = SHOULDERS + HIPS

# From "determine_crop_region" of the MoveNet tutorial of TensorFlow Hub.
SEEN = 0.2
"""A keypoint that scores more counts for the region."""
TORSO_MARGIN = 1.9
BODY_MARGIN = 1.2

SURE = 0.3
"""A keypoint that scores more was seen: the model card's threshold. Noise: 0.25."""
ENTER, STAY = 5, 3
"""Sure keypoints that make a pose out of none, and that keep one."""
ABSENT_AFTER_NS = 10_000_000_000
"""Nobody for that long is *absent*, not just *no pose*."""


class Network(Protocol):
    """What is needed of a model: `edge.models.Model`, or a stand-in."""

    size: int

    def infer(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return shape (17, 3): y and x as fractions of *square*, score 0 to 1."""


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


class PoseTracker:
    """Follows one body through the frames of a video."""

    def __init__(self, network: Network, rotation: Rotation = 0) -> None:
        self._eye = Eye(network, rotation, stride=2)
        self._region: Region | None = None
        self._state: PoseState = "no pose"
        self._seen: MonotonicNs | None = None

    def step(self, frame: Frame) -> Estimate:
        """
        Return where the body is in *frame*, looking where the last frame had it.

        :raises ModelError: if the device fails
        """
        size = upright_size(frame.pixels, self._eye.rotation)
        region = self._region or whole(*size)
        keypoints, spent_ms = self._eye.look(frame.pixels, region)
        self._state = self._judge(keypoints, frame.exposed)
        follows = self._state == "pose"
        self._region = around(keypoints, *size) if follows else None
        return Estimate(self._state, keypoints, *size, self._eye.rotation, spent_ms)

    def _judge(self, keypoints: NDArray[np.float32], exposed: MonotonicNs) -> PoseState:
        """Return the state after a frame with *keypoints*, *exposed* then."""
        if self._seen is None:
            self._seen = exposed
        if is_pose(keypoints, held=self._state == "pose"):
            self._seen = exposed
            return "pose"
        return "absent" if exposed - self._seen >= ABSENT_AFTER_NS else "no pose"


def estimate(
    network: Network,
    pixels: NDArray[np.uint8],
    rotation: Rotation = 0,
    passes: int = 4,
) -> Estimate:
    """
    Return where the body is in a still picture.

    *pixels* is uint8 of shape (height, width, 3), RGB. The first pass looks at all of
    it, each further one at the region around what the one before found.

    :raises ModelError: if the device fails
    """
    eye = Eye(network, rotation, stride=1)
    size = upright_size(pixels, rotation)
    region, total_ms = whole(*size), 0.0
    for _ in range(passes):
        keypoints, spent_ms = eye.look(pixels, region)
        region, total_ms = around(keypoints, *size), total_ms + spent_ms
    state: PoseState = "pose" if is_pose(keypoints, held=False) else "no pose"
    return Estimate(state, keypoints, *size, rotation, total_ms)


class Eye:
    """One look of a network at one region of a frame."""

    def __init__(self, network: Network, rotation: Rotation, stride: int) -> None:
        self.rotation = rotation
        self._network = network
        self._cutter = Cutter(network.size, stride)

    def look(
        self, pixels: NDArray[np.uint8], region: Region
    ) -> tuple[NDArray[np.float32], float]:
        """
        Return the keypoints in *region*, and the milliseconds the model took.

        The keypoints have the shape (17, 3): x and y in pixels of the upright frame,
        score. The network says y first.
        """
        square = self._cutter.cut(pixels, region, self.rotation)
        began = time.perf_counter_ns()
        found = self._network.infer(square)
        spent_ms = (time.perf_counter_ns() - began) / 1e6
        keypoints = found[:, [1, 0, 2]]
        keypoints[:, :2] *= region.side
        keypoints[:, :2] += (region.x, region.y)
        return keypoints, spent_ms


def is_pose(keypoints: NDArray[np.float32], held: bool) -> bool:
    """Return whether *keypoints* are a body's; fewer do where one was *held*."""
    sure = int(np.count_nonzero(keypoints[:, 2] > SURE))
    return sure >= (STAY if held else ENTER)


def around(keypoints: NDArray[np.float32], width: int, height: int) -> Region:
    """
    Return the region to look at for a body with *keypoints* in a frame of *width* and
    *height*: around the hips, as wide as torso and limbs ask for; all of the frame
    where the torso is not seen or fills it.
    """
    seen = keypoints[:, 2] > SEEN
    if not (seen[SHOULDERS].any() and seen[HIPS].any()):
        return whole(width, height)
    x, y = keypoints[HIPS, :2].mean(axis=0).tolist()
    reach = np.abs(keypoints[:, :2] - (x, y)).max(axis=1)
    half = max(
        TORSO_MARGIN * float(reach[TORSO].max()), BODY_MARGIN * float(reach[seen].max())
    )
    half = min(half, max(x, width - x, y, height - y))
    if half > max(width, height) / 2:
        return whole(width, height)
    return Region(x - half, y - half, 2 * half)
