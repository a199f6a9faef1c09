"""
Joined rows out of the recording: each pose with its ECG sample and its vitals.

One way for all: the live page asks for the newest poses, an upload for its own, the
export and the API for a stretch.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.history import History
from edge.join import NONE, Place, Times, nearest_in_chunks, sample_times
from edge.join.columns import JoinedRow, Sample, VitalThen
from edge.ledger import Dates, Ledger
from edge.records import MISSING, VITALS, BoxNs, EcgChunk, Pose, Segment, UtcNs, Vital

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000

BLOCK_POSES = 512
BLOCK_NS = 60 * SECOND_NS
"""Poses are joined together up to so many and so long: a few megabytes of ECG."""

NEAR_NS = 2 * SECOND_NS
"""The ECG is first looked for so close to the poses, then further by steps."""

FURTHER = 4

FAR_NS = 1 << 43
"""Further than any tolerance, 2.4 h: so far one subject's time is from another's."""


class Labels(NamedTuple):
    """What gives rows their names and dates; may be kept for some seconds."""

    segments: dict[int, Segment]
    ledger: Ledger


def read_labels(history: History) -> Labels:
    """Return the segments and the clock ledger of *history* as they are now."""
    ledger = Ledger(history.clock_readings(), history.sessions())
    return Labels(history.segments(), ledger)


def joined_rows(
    history: History,
    begin: BoxNs,
    end: BoxNs,
    tolerance_ns: int,
    labels: Labels | None = None,
) -> Iterator[JoinedRow]:
    """
    Yield each pose exposed in [*begin*, *end*), in order, with the ECG sample nearest
    to it and no further away than *tolerance_ns*, and each vital as it was known at
    that sample.

    :raises StoreError: if the recording cannot be read
    """
    labels = labels or read_labels(history)
    for poses in blocks(history.poses(begin, end)):
        yield from join_block(history, poses, tolerance_ns, labels)


def blocks(poses: Iterator[Pose]) -> Iterator[list[Pose]]:
    """Yield *poses* in lists of up to BLOCK_POSES and BLOCK_NS."""
    block: list[Pose] = []
    for pose in poses:
        if block and (
            len(block) == BLOCK_POSES or pose.exposed - block[0].exposed > BLOCK_NS
        ):
            yield block
            block = []
        block.append(pose)
    if block:
        yield block


def join_block(
    history: History, poses: Sequence[Pose], tolerance_ns: int, labels: Labels
) -> Iterator[JoinedRow]:
    """Yield the rows of *poses*, which are in order."""
    exposed = np.array([pose.exposed for pose in poses], np.int64)
    found = find_samples(history, exposed, tolerance_ns, labels.ledger)
    if any(m.chunk and m.chunk.segment not in labels.segments for m in found):
        labels = read_labels(history)  # a segment began since they were read
    ledger = labels.ledger
    vitals = Known(history, found, ledger)
    times = np.array([match.sampled for match in found])
    dates, sampled = ledger.date(exposed), ledger.date(times)
    subjects = ledger.subjects(dates.session)
    later = ((ledger.even(times) - ledger.even(exposed)) / MS_NS).tolist()
    none = "beyond_tolerance" if any_ecg(history, found) else "no_ecg"
    for place, (pose, match) in enumerate(zip(poses, found, strict=True)):
        segment = match.chunk and labels.segments.get(match.chunk.segment)
        yield JoinedRow(
            pose=pose,
            session=int(dates.session[place]),
            subject=subjects[place],
            utc=UtcNs(int(dates.utc[place])),
            synchronised=bool(dates.synchronised[place]),
            sample=sample_of(match, later[place], segment, sampled, place)
            if segment
            else None,
            reason="" if segment else "damaged" if match.chunk else none,
            vitals=vitals.at(match.sampled) if segment else {},
        )


class Match(NamedTuple):
    """The sample found for one pose."""

    sampled: int  # 0 where there is none
    chunk: EcgChunk | None
    row: int  # of the chunk's counts


NO_MATCH = Match(0, None, NONE)


def find_samples(
    history: History, poses: Times, tolerance_ns: int, ledger: Ledger
) -> list[Match]:
    """
    Return for each of *poses*, sorted instants, the nearest sample of all streams.

    Most ECG is close by; what was not found there is looked for further and further
    away, so that a wide tolerance costs nothing where it is not needed.
    """
    found = [NO_MATCH] * len(poses)
    reach = min(tolerance_ns, NEAR_NS)
    missing = np.arange(len(poses))
    while len(missing):
        for places in together(missing, poses, reach):
            for place, match in zip(
                places.tolist(),
                look(history, poses[places], reach, ledger),
                strict=True,
            ):
                found[place] = match
        missing = np.array([p for p in missing.tolist() if found[p] is NO_MATCH], int)
        if reach >= tolerance_ns:
            break
        reach = min(reach * FURTHER, tolerance_ns)
    return found


def together(
    places: NDArray[np.int64], poses: Times, reach: int
) -> list[NDArray[np.int64]]:
    """Return *places* split where their poses' surroundings do not touch."""
    apart = np.flatnonzero(np.diff(poses[places]) > 2 * reach + SECOND_NS) + 1
    return np.split(places, apart)


def look(history: History, poses: Times, reach: int, ledger: Ledger) -> list[Match]:
    """Return the nearest sample within *reach* of each of *poses*."""
    begin, end = BoxNs(int(poses[0]) - reach), BoxNs(int(poses[-1]) + reach + 1)
    chunks = list(history.chunks(begin, end))
    return list(matches(chunks, near(chunks, poses, reach, ledger)))


def near(
    chunks: Sequence[EcgChunk], poses: Times, tolerance_ns: int, ledger: Ledger
) -> Place:
    """
    Return what `nearest_in_chunks` finds for *poses*, which are in order. What another
    session recorded is as far away as the pause between them really was, and out of
    reach if that was of another subject.
    """
    if chunks:
        first = min(chunks[0].start, int(poses[0]))
        if ledger.session_end(first) < max(chunks[-1].start, int(poses[-1])):
            starts = apart(np.array([chunk.start for chunk in chunks]), ledger)
            chunks = [
                chunk._replace(start=BoxNs(start))
                for chunk, start in zip(chunks, starts.tolist(), strict=True)
            ]
            poses = apart(poses, ledger)
    return nearest_in_chunks(chunks, poses, tolerance_ns)


def apart(times: Times, ledger: Ledger) -> Times:
    """Return *times* as `Ledger.even` does, those of another subject far away."""
    return ledger.even(times) + FAR_NS * ledger.stay(times)


def matches(chunks: Sequence[EcgChunk], place: Place) -> Iterator[Match]:
    """Yield the matches that *place* names among *chunks*."""
    times: dict[int, list[int]] = {}
    for chunk, sample in zip(place.chunk.tolist(), place.sample.tolist(), strict=True):
        if chunk == NONE:
            yield NO_MATCH
            continue
        if chunk not in times:
            times[chunk] = sample_times(chunks[chunk]).tolist()
        yield Match(times[chunk][sample], chunks[chunk], sample)


def any_ecg(history: History, found: Sequence[Match]) -> bool:
    """Return whether the recording holds any ECG at all."""
    if any(match.chunk is not None for match in found):
        return True
    ever = history.chunks(BoxNs(-(2**62)), BoxNs(2**62))
    return next(ever, None) is not None


def sample_of(
    match: Match, later_ms: float, segment: Segment, dates: Dates, place: int
) -> Sample:
    """
    Return the sample of *match*, *later_ms* later than the pose, whose date is at
    *place* of *dates*.
    """
    assert match.chunk is not None
    counts = match.chunk.counts[match.row].tolist()
    return Sample(
        sampled=BoxNs(match.sampled),
        utc=UtcNs(int(dates.utc[place])),
        synchronised=bool(dates.synchronised[place]),
        difference_ms=later_ms,
        uncertainty_ns=match.chunk.uncertainty_ns,
        segment=segment,
        millivolts=millivolts(counts, segment),
        reasons=tuple(
            reason if count == MISSING else ""  # the chunk's is of some of its samples
            for reason, count in zip(match.chunk.reasons, counts, strict=False)
        ),
    )


def millivolts(counts: Sequence[int], segment: Segment) -> tuple[float | None, ...]:
    """Return one sample's *counts* in millivolts, one a lead of *segment*."""
    return tuple(
        None if count == MISSING else (count - baseline) / gain
        for count, baseline, gain in zip(
            counts, segment.baseline, segment.gain, strict=False
        )
    )


class Known:
    """The vitals known at the samples of a block of matches."""

    def __init__(
        self, history: History, found: Sequence[Match], ledger: Ledger
    ) -> None:
        self._ledger = ledger
        self._stated: dict[str, list[Vital]] = {name: [] for name in VITALS}
        instants = [match.sampled for match in found if match.chunk is not None]
        if not instants:
            return
        first, last = BoxNs(min(instants)), BoxNs(max(instants))
        for vital in history.latest_vitals(first).values():
            self._stated.setdefault(vital.name, []).append(vital)
        for vital in history.vitals(BoxNs(first + 1), BoxNs(last + 1)):
            self._stated.setdefault(vital.name, []).append(vital)

    def at(self, sampled: int) -> dict[str, VitalThen]:
        """Return each vital's newest statement of the subject of *sampled* by then."""
        return {
            name: then(self._stated[name], sampled, self._ledger) for name in VITALS
        }


def then(stated: list[Vital], sampled: int, ledger: Ledger) -> VitalThen:
    """
    Return the newest of *stated*, which are in order, at or before *sampled*; none if
    that was of another subject.
    """
    place = bisect_right(stated, sampled, key=attrgetter("sampled"))
    if not place or stated[place - 1].sampled < ledger.stay_begin(sampled):
        return VitalThen(None, "", None, False)
    vital = stated[place - 1]
    age_ms = ledger.elapsed(vital.sampled, sampled) / MS_NS
    return VitalThen(vital.value, vital.reason, age_ms, vital.derived)
