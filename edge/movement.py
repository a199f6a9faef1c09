"""
How much the body moves, each second: like an actigraph, without a strap.

Poses jitter by a hundredth of the body from frame to frame though nobody moves. So the
keypoints are averaged over half a second, and the way from one average to the next is
what counts, in body sizes, so that near and far patients compare.
"""

import numpy as np
from numpy.typing import NDArray

from edge.records import SURE_SCORE, BoxNs, Pose, Vital

NAME = "movement"
WINDOW_NS = 500_000_000
STATED_WINDOWS = 2
"""One number a second: the sum of two windows' ways."""
FEWEST_POSES = 3
"""Fewer in a window average too little: there are, below 6 pictures a second."""
FEWEST_KEYPOINTS = 4


class Movement:
    """Turns the poses of one camera into a vital a second."""

    def __init__(self) -> None:
        self._window = -1
        self._frames = 0  # in this window
        self._poses: list[Pose] = []
        self._few = False  # frames in a window of this second
        self._before: NDArray[np.float64] | None = None
        self._before_rotations: set[int] = set()
        self._ways: list[float | None] = []

    def feed(self, pose: Pose) -> list[Vital]:
        """Return the vital that *pose* completes: usually none, else one."""
        window = pose.exposed // WINDOW_NS
        vitals: list[Vital] = []
        if window != self._window:
            if self._window >= 0:
                vitals = self._close(following=window == self._window + 1)
            self._window, self._frames, self._poses = window, 0, []
        self._frames += 1
        if pose.state == "pose":
            self._poses.append(pose)
        return vitals

    def _close(self, following: bool) -> list[Vital]:
        """Add the way of the window that ended; state the sum when it is due."""
        mean = mean_keypoints(self._poses)
        rotations = {pose.rotation for pose in self._poses}
        # Also not against a mean of both: the turn would count as movement.
        turned = len(rotations | self._before_rotations) > 1
        self._ways.append(None if turned else way(self._before, mean))
        self._few |= bool(self._poses) and self._frames < FEWEST_POSES
        self._before = mean if following else None
        self._before_rotations = rotations
        if len(self._ways) < STATED_WINDOWS:
            return []
        ways, self._ways = self._ways, []
        known = [way for way in ways if way is not None]
        at = BoxNs((self._window + 1) * WINDOW_NS)
        value = sum(known) if len(known) == STATED_WINDOWS else None
        doubt = "too_few_poses" if self._few else "no pose"
        self._few = False
        reason = "" if value is not None else doubt
        return [Vital(at, NAME, value, reason, "camera", True)]


def mean_keypoints(poses: list[Pose]) -> NDArray[np.float64] | None:
    """
    Return the mean of the keypoints of *poses* where they are sure, else NaN: shape
    (17, 2), x and y in pixels; ``None`` without poses.
    """
    if not poses:
        return None
    keypoints = np.stack([pose.keypoints for pose in poses]).astype(np.float64)
    sure = keypoints[:, :, 2] > SURE_SCORE
    often = sure.sum(axis=0) >= FEWEST_POSES
    weights = np.where(sure, 1.0, 0.0)
    total = np.einsum("nk,nkc->kc", weights, keypoints[:, :, :2])
    means = total / np.maximum(weights.sum(axis=0), 1.0)[:, np.newaxis]
    return np.where(often[:, np.newaxis], means, np.nan)


def way(
    before: NDArray[np.float64] | None, now: NDArray[np.float64] | None
) -> float | None:
    """
    Return the mean way of the keypoints from *before* to *now* in per cent of the
    body's size; ``None`` if too few keypoints are known in both.
    """
    if before is None or now is None:
        return None
    ways = np.hypot(*(now - before).T)
    if np.isfinite(ways).sum() < FEWEST_KEYPOINTS:
        return None
    return float(100 * np.nanmean(ways) / body_size(now))


def body_size(keypoints: NDArray[np.float64]) -> float:
    """Return the larger side of the box around the known *keypoints*, pixels."""
    known = keypoints[np.isfinite(keypoints[:, 0])]
    return float(max(np.ptp(known, axis=0).max(), 1.0))
