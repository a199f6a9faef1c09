"""How complete each stream of an exported stretch is: counted while it flows by."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.database.signals import PoseBlock
from edge.dating.pace import LONGEST_STEP_NS
from edge.export.losses import NONE, Losses
from edge.join import sample_times
from edge.ledger import Ledger
from edge.records import MISSING, BoxNs, EcgChunk, Segment, Vital

MOST_GAPS = 1000
"""Gaps that the manifest lists a stream; the table of events has them all."""

POSE_GAP_NS = 2_000_000_000
"""Poses further apart than this have a gap between them."""

PERIODS = 1.5
"""Samples further apart than so many periods have a gap between them."""


class Gap(NamedTuple):
    """Where nothing is."""

    first: BoxNs
    until: BoxNs
    lasted_ns: int  # as `Ledger.elapsed` knows it


@dataclass
class Coverage:
    """What of [*begin*, *end*) one stream covers; parts come in the order of time."""

    begin: BoxNs
    end: BoxNs
    ledger: Ledger
    count: int = 0
    gaps: int = 0
    gaps_ns: int = 0
    listed: list[Gap] = field(default_factory=list)
    reach: BoxNs | None = None  # where the part before ends

    def add(self, first: int, until: int, count: int, tolerance_ns: float) -> None:
        """Add *count* values from *first* up to *until*, where the next is due."""
        first, until = max(first, self.begin), min(until, self.end)
        until = min(until, self.ledger.session_end(first))
        before = self._look(BoxNs(first), tolerance_ns)
        self.count += count
        self.reach = BoxNs(max(until, before))

    def close(self, tolerance_ns: float) -> None:
        """Count what is missing at the end."""
        self._look(self.end, tolerance_ns)

    @property
    def share(self) -> float:
        """The part of the stretch that is covered, 0 to 1."""
        whole = self.ledger.elapsed(self.begin, self.end)
        return min((whole - self.gaps_ns) / whole, 1.0) if whole > 0 else 0.0

    def _look(self, until: BoxNs, tolerance_ns: float) -> BoxNs:
        """Count what is missing before *until*, and return from when on."""
        before = self.begin if self.reach is None else self.reach
        lasted_ns = self.ledger.elapsed(before, until)
        if lasted_ns > tolerance_ns:
            self.gaps += 1
            self.gaps_ns += lasted_ns
            if len(self.listed) < MOST_GAPS:
                self.listed.append(Gap(before, until, lasted_ns))
        return before


@dataclass
class EcgTally:
    """The ECG of a stretch, by source."""

    begin: BoxNs
    end: BoxNs
    segments: dict[int, Segment]
    ledger: Ledger
    losses: Losses = NONE
    coverage: dict[str, Coverage] = field(default_factory=dict)
    missing: Counter[str] = field(default_factory=Counter)  # values, by source
    used: dict[int, int] = field(default_factory=dict)  # samples by segment
    tolerance_ns: dict[str, float] = field(default_factory=dict)
    unreadable: int = 0  # samples whose segment's own row is damaged
    behind: dict[str, float] = field(default_factory=dict)  # the last sample, by source

    def watch(self, chunks: Iterator[EcgChunk]) -> Iterator[EcgChunk]:
        """
        Yield *chunks* and count them.

        Those of a segment that is not known are only counted: nobody could read them.
        """
        for chunk in chunks:
            if chunk.segment in self.segments:
                self._add(chunk, self.segments[chunk.segment])
                yield chunk
            else:
                self.unreadable += len(chunk.counts)
        for source, coverage in self.coverage.items():
            coverage.close(self.tolerance_ns[source])

    def _add(self, chunk: EcgChunk, segment: Segment) -> None:
        source = segment.source
        if source not in self.coverage:
            self.coverage[source] = Coverage(self.begin, self.end, self.ledger)
        if chunk.offsets_us is not None:
            tolerance = float(LONGEST_STEP_NS)
            first = chunk.start + 1000 * int(chunk.offsets_us.min())
            until = chunk.start + 1000 * int(chunk.offsets_us.max())
        else:
            tolerance = PERIODS * chunk.period_ns
            first = chunk.start
            until = chunk.start + round(len(chunk.counts) * chunk.period_ns)
            half_ns = chunk.period_ns / 2
            behind = self.behind.get(source, first + half_ns)
            if self.losses.between(behind, first + half_ns):
                tolerance = 0.0  # a hole, however short
            self.behind[source] = until - half_ns
        counts = chunk.counts
        if first < self.begin or until > self.end:
            times = sample_times(chunk)
            counts = counts[(times >= self.begin) & (times < self.end)]
        self.tolerance_ns[source] = max(tolerance, PERIODS * chunk.period_ns)
        self.coverage[source].add(first, until, len(counts), tolerance)
        self.missing[source] += int(np.count_nonzero(counts == MISSING))
        self.used[segment.id] = self.used.get(segment.id, 0) + len(counts)


@dataclass
class PoseTally:
    """The poses of a stretch, by state and source."""

    begin: BoxNs
    end: BoxNs
    ledger: Ledger
    coverage: dict[str, Coverage] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)  # "model on device"

    def watch(self, blocks: Iterator[PoseBlock]) -> Iterator[PoseBlock]:
        """Yield *blocks* and count their poses."""
        for block in blocks:
            self.states.update(block.state)
            for (model, device), count in Counter(
                zip(block.model, block.device, strict=True)
            ).items():
                self.models[f"{model} on {device}"] += count
            for source in dict.fromkeys(block.source):
                mine = np.array([one == source for one in block.source], np.bool_)
                self._cover(source, block.exposed[mine])
            yield block
        for coverage in self.coverage.values():
            coverage.close(POSE_GAP_NS)

    def _cover(self, source: str, exposed: NDArray[np.int64]) -> None:
        if source not in self.coverage:
            self.coverage[source] = Coverage(self.begin, self.end, self.ledger)
        coverage = self.coverage[source]
        # Poses without a gap between them are one part.
        cuts = np.flatnonzero(np.diff(self.ledger.even(exposed)) > POSE_GAP_NS) + 1
        for part in np.split(exposed, cuts):
            coverage.add(int(part[0]), int(part[-1]), len(part), POSE_GAP_NS)


@dataclass
class VitalTally:
    """The vitals of a stretch, by name."""

    valued: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)

    def watch(self, vitals: Iterator[Vital]) -> Iterator[Vital]:
        """Yield *vitals* and count them."""
        for vital in vitals:
            if vital.value is None:
                self.reasons.setdefault(vital.name, Counter())[vital.reason] += 1
            else:
                self.valued[vital.name] += 1
            yield vital

    def as_json(self) -> dict[str, Any]:
        """Return the counts as the manifest has them."""
        return {
            name: {
                "values": self.valued[name],
                "without_value": dict(self.reasons.get(name, {})),
            }
            for name in sorted({*self.valued, *self.reasons})
        }
