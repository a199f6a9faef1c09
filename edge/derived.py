"""
What is computed from the ECG on its way to the store: a heart rate where the board
sends none. It is marked as derived, and says why there is none when there is none.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edge.heart import HeartRate
from edge.records import MISSING, BoxNs, EcgChunk, Record, Segment, Vital

BEST_LEAD = "II"
"""Its beats are the tallest in most people; else the first lead is taken."""

STATED_FOR_NS = 10_000_000_000
"""A board that stated a heart rate so lately is believed, not doubled."""


class HeartFlow:
    """Heart rate of one ECG source, from its records."""

    def __init__(self) -> None:
        self._segment: Segment | None = None
        self._heart: HeartRate | None = None
        self._lead = 0
        self._stated: BoxNs | None = None

    def feed(self, records: Iterable[Record]) -> list[Vital]:
        """Return the heart rates that *records*, in their order, complete."""
        vitals: list[Vital] = []
        for record in records:
            if isinstance(record, Segment):
                self._begin(record)
            elif isinstance(record, Vital) and record.name == "heart_rate":
                self._stated = record.sampled
            elif isinstance(record, EcgChunk) and self._heart is not None:
                vitals += self._rates(self._heart, record)
        return vitals

    def _begin(self, segment: Segment) -> None:
        self._segment = segment
        regular = segment.sampling_rate_hz > 0
        self._heart = HeartRate(segment.sampling_rate_hz) if regular else None
        known = BEST_LEAD in segment.leads
        self._lead = segment.leads.index(BEST_LEAD) if known else 0

    def _rates(self, heart: HeartRate, chunk: EcgChunk) -> list[Vital]:
        assert self._segment is not None
        source = self._segment.source
        rates = heart.feed(self._millivolts(chunk), chunk.start, chunk.period_ns)
        return [
            Vital(rate.instant, "heart_rate", rate.bpm, rate.reason, source, True)
            for rate in rates
            if self._stated is None or rate.instant - self._stated > STATED_FOR_NS
        ]

    def _millivolts(self, chunk: EcgChunk) -> NDArray[np.float64]:
        """Return the lead's samples in millivolts, NaN where there is no value."""
        assert self._segment is not None
        counts = chunk.counts[:, self._lead].astype(np.float64)
        counts[counts == MISSING] = np.nan
        baseline = self._segment.baseline[self._lead]
        return (counts - baseline) / self._segment.gain[self._lead]
