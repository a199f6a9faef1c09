"""The sync test as the recorder runs it: picture from vision, ECG from the card."""

import math
import threading
import time
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from edge.errors import ControlError
from edge.history import History
from edge.join import Times, sample_times
from edge.recorder import Recorder
from edge.records import MISSING, BoxNs, EcgChunk, Event, Segment
from edge.synctest import Comparison, Spots, compare, ecg_pulses

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000
LONGEST_S = 600.0
SHORTEST_S = 5.0
ON_CARD_NS = 3 * SECOND_NS
"""So long after the last frame its ECG is surely on the card."""


class SyncTest:
    """One test at a time."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._watched: Future[Spots] | None = None
        self._number = 0
        self._until_s = 0.0

    def begin(self, seconds: float) -> int:
        """
        Begin to watch the picture; return the number of the test.

        :raises ControlError: if a test runs, there is no picture, or *seconds* is not
            5 to 600
        """
        if not SHORTEST_S <= seconds <= LONGEST_S:
            raise ControlError(f"a sync test lasts 5 to 600 s, not {seconds:g}")
        with self._lock:
            if self._watched is not None and not self._watched.done():
                left_s = max(1, math.ceil(self._until_s - time.monotonic()))
                raise ControlError(
                    f"a sync test is running already, for {left_s} s more"
                )
            self._watched = self._recorder.vision.watch(seconds)
            self._until_s = time.monotonic() + seconds
            self._number += 1
            return self._number

    def cancel(self, number: int) -> None:
        """Give up the test *number*, if it is that which runs."""
        with self._lock:
            if self._watched is not None and number == self._number:
                self._watched.cancel()
                self._watched = None

    def result(self) -> Event | None:
        """
        Return what the test found, ``None`` while it lasts.

        :raises ControlError: if none was begun, or the picture was lost meanwhile
        :raises InputError: if there was no light in the picture, or no pulse
        """
        with self._lock:
            if self._watched is None:
                raise ControlError("no sync test was begun")
            if not self._watched.done():
                return None
            spots = self._watched.result()
            if self._recorder.clock.now() < spots.exposed[-1] + ON_CARD_NS:
                return None
            self._watched = None
        return self._compared(spots)

    def _compared(self, spots: Spots) -> Event:
        begin, end = BoxNs(int(spots.exposed[0])), BoxNs(int(spots.exposed[-1]))
        with History(self._recorder.settings.database) as history:
            segments = history.segments()
            chunks = [
                chunk
                for chunk in history.chunks(begin, end)
                if segments[chunk.segment].source == "serial"
            ]
        times, millivolts = ecg_of(chunks, segments)
        found = compare(spots, ecg_pulses(times, millivolts))
        unsure_ns = np.median([chunk.uncertainty_ns for chunk in chunks])
        return event_of(found, begin, end, float(unsure_ns) / MS_NS)


def ecg_of(
    chunks: list[EcgChunk], segments: dict[int, Segment]
) -> tuple[Times, NDArray[np.float64]]:
    """
    Return the instants and millivolts of *chunks*, of the segment that most of them
    are of; NaN where there is no value.
    """
    if not chunks:
        return np.zeros(0, np.int64), np.zeros((0, 1))
    ids = [chunk.segment for chunk in chunks]
    main = segments[max(set(ids), key=ids.count)]
    kept = [chunk for chunk in chunks if chunk.segment == main.id]
    counts = np.concatenate([chunk.counts for chunk in kept])
    millivolts = (counts - np.array(main.baseline)) / np.array(main.gain)
    millivolts[counts == MISSING] = np.nan
    return np.concatenate([sample_times(chunk) for chunk in kept]), millivolts


def event_of(found: Comparison, begin: BoxNs, end: BoxNs, unsure_ms: float) -> Event:
    """Return *found* as it is kept: shown among the events, and in each export."""
    by_ms = abs(found.offset_ms)
    later = "later" if found.offset_ms > 0 else "earlier"
    return Event(
        began=begin,
        ended=end,
        kind="sync test",
        stream="clock",
        cause=f"the picture is stamped {by_ms:.1f} ms {later} than the ECG",
        detail={
            **{name: round(value, 3) for name, value in found._asdict().items()},
            "ecg_uncertainty_ms": round(unsure_ms, 3),
        },
    )
