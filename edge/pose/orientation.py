"""
Which way is up: how a camera's frames must be turned so that the body is upright.

MoveNet was made for upright people. On somebody who lies across the frame, or under a
camera mounted sideways, it scores less than on the same picture turned. So now and
then the square that is followed is looked at once more, turned another way, and the
two scores are compared. If the other way was better by a margin, all ways are looked at
a second later: the guess changes to one that was the best twice in a row. Each change
makes the next one harder for a while: it settles.

It can only see what scores show: a quarter of a turn or a half, not the degrees
between, and nothing while nobody is in the picture.
"""

from collections.abc import Mapping
from typing import Literal

from edge.pose.crop import Region, Rotation, turn
from edge.pose.eye import HIPS, SHOULDERS, Box, Points, mean_score
from edge.records import MonotonicNs

QUARTERS: tuple[Literal[90, 270, 180], ...] = (90, 270, 180)
"""The other ways from the present one, the likely ones first."""

MARGIN = 0.05
"""Of the mean score: a body upright leads by 0.05 to 0.3, the other ways are alike."""
BODY = 0.35
"""Another way scores more if a body is there: a drawn one upright 0.37 and more,
furniture where a patient was up to 0.30."""
AGREEING = 2
"""Looks in a row that must find the same other way best."""
MOST_AGREEING = 8
QUIET_NS = 600_000_000_000
"""Each turn asks for one look more the next time, each so long without a turn for one
less."""

WELL = 0.5
"""A higher mean score is typical of a body that is upright. So is one that stands."""
OFTEN_NS = 2_000_000_000
SELDOM_NS = 15_000_000_000
CONFIRM_NS = 1_000_000_000
"""From one look to the next: in doubt, while well, and when another way was better."""

PLAIN = 0.4
LEAN = 0.84
"""The first look at a still that scores more than this and leans less, by 40°, shows
the way up: those at bodies turned by a quarter or a half do not."""
NOSE = 0


class Orientation:
    """The present guess, *rotation* at first, which stays if not to *find* it."""

    def __init__(self, rotation: Rotation, find: bool = True) -> None:
        self.rotation = rotation
        self._find = find
        self._looked: MonotonicNs | None = None
        self._wait_ns = OFTEN_NS  # from then until it is asked whether all is well
        self._turned: MonotonicNs | None = None
        self._looks = 0  # since the start or the last turn, confirmations not counted
        self._agreeing = 0
        self._best: Rotation = rotation
        self._patience = AGREEING

    @property
    def others(self) -> tuple[Rotation, ...]:
        """The ways to compare with next: one in turn, in doubt all."""
        ways = [turn(self.rotation, quarter) for quarter in QUARTERS]
        return tuple(ways) if self._agreeing else (ways[self._looks % len(ways)],)

    def due(self, exposed: MonotonicNs, points: Points) -> bool:
        """
        Return whether to look the other way in the frame *exposed* then, in which
        *points* were found.
        """
        if not self._find:
            return False
        if self._looked is None:
            self._looked = exposed
        waited_ns = exposed - self._looked
        if self._agreeing:
            return waited_ns >= CONFIRM_NS
        if waited_ns < self._wait_ns:
            return False
        if waited_ns >= SELDOM_NS or not self._well(points):
            return True
        self._wait_ns = min(waited_ns + OFTEN_NS, SELDOM_NS)
        return False

    def _well(self, points: Points) -> bool:
        """Return whether *points* look as they do on a body that is upright."""
        compared = self._looks >= len(QUARTERS)
        return stands(points) or (compared and mean_score(points) > WELL)

    def compare(
        self, exposed: MonotonicNs, score: float, others: Mapping[Rotation, float]
    ) -> bool:
        """
        Return whether to turn: `rotation` is the new one then.

        *score* and *others* are the mean scores of one square, the present way up and
        the others that were asked for; 0 where no body was found.
        """
        self._looked, self._wait_ns = exposed, OFTEN_NS
        best = max(others, key=others.__getitem__)
        if others[best] <= max(score + MARGIN, BODY):
            self._agreeing = 0
            self._looks += 1
            return False
        self._agreeing = self._agreeing + 1 if best == self._best else 1
        self._best = best
        needed = self._needed(exposed)
        if self._agreeing < needed:
            return False
        self.rotation, self._turned = best, exposed
        self._looks = self._agreeing = 0
        self._patience = min(needed + 1, MOST_AGREEING)
        return True

    def _needed(self, exposed: MonotonicNs) -> int:
        """Return how many looks in a row must agree, at *exposed*."""
        quiet = 0 if self._turned is None else (exposed - self._turned) // QUIET_NS
        return max(AGREEING, self._patience - quiet)


def stands(points: Points) -> bool:
    """
    Return whether *points*, of one look at the whole picture, are surely those of a
    body that is upright: well seen, its trunk nearly plumb, its head on top.
    """
    (across, top), (hips_across, bottom) = (
        middle(points, SHOULDERS),
        middle(points, HIPS),
    )
    plumb = abs(hips_across - across) < LEAN * (bottom - top)
    return plumb and points[NOSE][1] < top and mean_score(points) > PLAIN


def middle(points: Points, pair: list[int]) -> tuple[float, float]:
    """Return x and y halfway between the *pair* of *points*."""
    (x, y, _), (other_x, other_y, _) = (points[number] for number in pair)
    return (x + other_x) / 2, (y + other_y) / 2


def turned(box: Box, width: int, height: int, rotation: Rotation) -> Box:
    """
    Return *box* of a frame of *width* and *height* after that frame was turned
    clockwise by *rotation*.
    """
    left, top, wide, high = box
    if rotation == 90:
        return Box(height - top - high, left, high, wide)
    if rotation == 180:
        return Box(width - left - wide, height - top - high, wide, high)
    if rotation == 270:
        return Box(top, width - left - wide, high, wide)
    return box


def turned_region(
    region: Region, width: int, height: int, rotation: Rotation
) -> Region:
    """Return *region* likewise."""
    x, y, side = region
    left, top, _, _ = turned(Box(x, y, side, side), width, height, rotation)
    return Region(left, top, side)
