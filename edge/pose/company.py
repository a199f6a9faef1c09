"""
Whether a second person is in view, as far as a model for one person can tell.

The frame is looked at once more with the first person painted over, and what is found
there once closer. So a second one who touches or covers the first is not seen, one far
away or cut off by the frame's edge seldom, and which of the two is the patient is not
known from this. "Nobody else" means nobody was found, not that nobody is there.
"""

from edge.pose.eye import Box, Points, is_pose, torso_centre
from edge.records import MonotonicNs

EVERY_NS = 5_000_000_000
CONFIRM_NS = 1_000_000_000
"""From one look to the next, and when the last one disagreed with the state."""
COMES, LEAVES = 2, 3
"""Looks in a row that must find somebody, or nobody."""


class Company:
    """The state, held by hysteresis."""

    def __init__(self) -> None:
        self.present = False
        self._looked: MonotonicNs | None = None
        self._disagreeing = 0

    def due(self, exposed: MonotonicNs) -> bool:
        """Return whether to look for a second person in the frame *exposed* then."""
        if self._looked is None:
            self._looked = exposed
        wait_ns = CONFIRM_NS if self._disagreeing else EVERY_NS
        return exposed - self._looked >= wait_ns

    def note(self, exposed: MonotonicNs, points: Points, hidden: Box) -> None:
        """Take in what was found in a frame in which *hidden* was painted over."""
        self._looked = exposed
        # What is left of the first person scores like a few keypoints of a second.
        found = is_pose(points, held=False)
        found = found and not hidden.holds(*torso_centre(points))
        self._disagreeing = self._disagreeing + 1 if found != self.present else 0
        if self._disagreeing >= (LEAVES if self.present else COMES):
            self.present, self._disagreeing = found, 0

    def forget(self) -> None:
        """Begin anew: the first person has gone."""
        self.present, self._disagreeing = False, 0
