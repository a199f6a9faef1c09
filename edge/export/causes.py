"""
What the manifest says of the events of a stretch, which are taken one by one: after
weeks of a bad radio link there are millions, and no memory holds them.
"""

from bisect import bisect_left, bisect_right
from collections import Counter

from edge.export.recording import Recording
from edge.export.tally import Coverage
from edge.records import BoxNs, Event

LEFT = (
    "the recording was full: what was recorded then, or what was said of it, has left"
)
"""The cause of a gap before all that is left: an export of weeks lasts for hours."""


class Causes:
    """Why the listed gaps of *coverage* are there, by the gaps told of *streams*."""

    def __init__(self, coverage: Coverage, *streams: str) -> None:
        self._streams = streams
        self._firsts = [gap.first for gap in coverage.listed]
        self._untils = [gap.until for gap in coverage.listed]
        self.told: list[list[str]] = [[] for _ in coverage.listed]
        """The causes of each, in the order of time, one that repeats itself once."""

    def take(self, event: Event) -> None:
        """Name *event* with the gaps that it has part in."""
        if event.kind != "gap" or event.stream not in self._streams:
            return
        place = bisect_right(self._untils, event.began)
        stop = bisect_left(self._firsts, event.ended or event.began)
        for told in self.told[place:stop]:
            if event.cause not in told[-1:]:
                told.append(event.cause)

    def close(self, left_before: BoxNs) -> None:
        """Name the gaps that begin before *left_before* and nothing is told of."""
        for first, told in zip(self._firsts, self.told, strict=True):
            if first < left_before and not told:
                told.append(LEFT)


class Found:
    """The events of *recording*, of which everything else was tallied before."""

    def __init__(self, recording: Recording) -> None:
        """Take all events of *recording*."""
        ecg, poses = recording.tally_ecg, recording.tally_poses
        self.kinds: Counter[str] = Counter()
        self.ecg = {
            source: Causes(coverage, "", "ecg")
            for source, coverage in (ecg.coverage if ecg else {}).items()
        }
        self.poses = {
            source: Causes(coverage, "", "pose", "camera")
            for source, coverage in (poses.coverage if poses else {}).items()
        }
        all_causes = (*self.ecg.values(), *self.poses.values())
        for event in recording.events():
            self.kinds[event.kind] += 1
            for causes in all_causes:
                causes.take(event)
        if left_before := recording.history.left_before():
            for causes in all_causes:
                causes.close(left_before)
