"""
The as-of join: for each pose the ECG sample that was taken nearest to it.

Pure functions on sorted times. Everything joins by these: the live page and an upload
(`rows`), the export, `edge join` on two files (`sheets`). The nearest sample wins if it
is no further away than the tolerance; of two equally near the earlier; of several of
one instant the first in order.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.records import EcgChunk

Times = NDArray[np.int64]
"""Nanoseconds of one clock, rising or staying, shape (n,)."""

NONE = -1
"""Stands for no match where a position is answered."""


class Place(NamedTuple):
    """Where matches are: arrays of shape (queries,), NONE where there is none."""

    chunk: NDArray[np.int64]  # position of the chunk
    sample: NDArray[np.int64]  # position of the sample within it


def nearest(times: Times, queries: Times, tolerance_ns: int) -> NDArray[np.int64]:
    """
    Return for each of *queries* the position of the nearest of *times*, or NONE.

    *times* are sorted; *queries* need not be.
    """
    found = np.full(len(queries), NONE, np.int64)
    if not len(times):
        return found
    rising = sorted_up(queries)
    for begin in range(0, len(queries), BLOCK):
        block = queries[begin : begin + BLOCK]
        first, stop = around(times, block) if rising else (0, len(times))
        place = nearest_of_block(times[first:stop], block, tolerance_ns)
        place[place != NONE] += first
        found[begin : begin + BLOCK] = place
    return found


BLOCK = 8192
"""Queries answered at once: what is reckoned with stays in the processor's cache."""


def sorted_up(times: Times) -> bool:
    """Return whether *times* never fall."""
    return bool((times[1:] >= times[:-1]).all())


def around(times: Times, queries: Times) -> tuple[int, int]:
    """Return which part of *times* holds the nearest of each of sorted *queries*."""
    first, stop = np.searchsorted(times, queries[[0, -1]])
    first = np.searchsorted(times, times[max(first - 1, 0)])  # the first of one instant
    return int(first), int(stop) + 1


def nearest_of_block(
    times: Times, queries: Times, tolerance_ns: int
) -> NDArray[np.int64]:
    """Return what `nearest` does, all at once."""
    place = not_before(times, queries)
    late = times.take(place, mode="clip") - queries
    early = queries - times.take(place - 1, mode="clip")
    # Where one side is missing, the clipped one stands for both.
    np.abs(late, out=late)
    np.abs(early, out=early)
    place -= early <= late
    np.minimum(early, late, out=early)
    np.clip(place, 0, len(times) - 1, out=place)
    if (times.take(place - 1, mode="clip") == times.take(place))[place > 0].any():
        place = np.searchsorted(times, times[place])  # the first of one instant
    place[early > tolerance_ns] = NONE
    return place


KNOT = 512
"""Every so many of the times are looked up, those between are reckoned."""


def not_before(times: Times, queries: Times) -> NDArray[np.int64]:
    """
    Return what ``np.searchsorted(times, queries)`` does, sooner where both are sorted
    and the times nearly even: looked up are few of the times among the queries.
    """
    if len(queries) < KNOT or not sorted_up(queries):
        return np.searchsorted(times, queries)
    knots = times[::KNOT]
    counts = shares(knots, queries)
    steps = np.diff(knots, append=times[-1]) / KNOT
    steps[-1] = steps[-1] * KNOT / max((len(times) - 1) % KNOT, 1)
    np.maximum(steps, 1.0, out=steps)
    reckoned = (queries - np.repeat(knots, counts)) / np.repeat(steps, counts)
    place = np.ceil(reckoned, out=reckoned).astype(np.int64)
    place += np.repeat(np.arange(0, len(times), KNOT), counts)
    np.clip(place, 0, len(times), out=place)
    wrong = times.take(place, mode="clip") < queries
    wrong &= place < len(times)
    wrong |= (times.take(place - 1, mode="clip") >= queries) & (place > 0)
    place[wrong] = np.searchsorted(times, queries[wrong])
    return place


def shares(starts: Times, queries: Times) -> NDArray[np.int64]:
    """
    Return how many of the sorted *queries* are at or after each of *starts* and before
    the next; the first has those before it as well. Shape of *starts*.
    """
    first = np.searchsorted(queries, starts)
    first[0] = 0
    return np.diff(first, append=len(queries))


def sample_times(chunk: EcgChunk) -> Times:
    """Return the instant of each sample of *chunk*, shape (samples,)."""
    if chunk.offsets_us is not None:
        steps = 1000 * chunk.offsets_us.astype(np.int64)
    else:
        places = np.arange(len(chunk.counts)) * chunk.period_ns
        steps = np.rint(places).astype(np.int64)
    return steps + np.int64(chunk.start)


def first_instant(chunk: EcgChunk) -> int:
    """Return the instant of the first sample of *chunk*."""
    offset_us = 0 if chunk.offsets_us is None else int(chunk.offsets_us[0])
    return chunk.start + 1000 * offset_us


class Runs(NamedTuple):
    """Evenly spaced samples in stretches that follow one another: shape (m,)."""

    start: Times
    period_ns: NDArray[np.float64]
    samples: NDArray[np.int64]  # at least 1


def nearest_in_runs(runs: Runs, queries: Times, tolerance_ns: int) -> Place:
    """
    Return what `nearest` finds among all samples of *runs*, without listing them.

    Sample *k* of a run is at ``start + rint(k × period)``. Each run ends before the
    next begins.
    """
    chunk = np.full(len(queries), NONE, np.int64)
    sample = np.full(len(queries), NONE, np.int64)
    if not len(runs.start):
        return Place(chunk, sample)
    if not sorted_up(queries):
        order = np.argsort(queries, kind="stable")
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        found = nearest_in_runs(runs, queries[order], tolerance_ns)
        return Place(found.chunk[back], found.sample[back])
    for begin in range(0, len(queries), BLOCK):
        block = slice(begin, begin + BLOCK)
        first, stop = around(runs.start, queries[block])
        near = slice(first, stop)
        part = Runs(runs.start[near], runs.period_ns[near], runs.samples[near])
        place = in_runs_of_block(part, queries[block], tolerance_ns)
        chunk[block] = place.chunk
        chunk[block][place.chunk != NONE] += first
        sample[block] = place.sample
    return Place(chunk, sample)


def in_runs_of_block(runs: Runs, queries: Times, tolerance_ns: int) -> Place:
    """Return what `nearest_in_runs` does for sorted *queries*, all at once."""
    counts = shares(runs.start, queries)
    run = np.repeat(np.arange(len(counts)), counts)
    period = np.repeat(runs.period_ns, counts)
    last = np.repeat(runs.samples - 1, counts)
    into = queries - np.repeat(runs.start, counts)
    # A run of one sample may have any period, also 0.
    sample = np.floor(into / np.where(runs.samples > 1, runs.period_ns, 1.0)[run])
    np.maximum(sample, 0, out=sample)
    np.minimum(sample, last, out=sample)
    early = np.abs(into - np.rint(sample * period).astype(np.int64))
    late = np.rint((sample + 1) * period).astype(np.int64) - into
    ended = np.flatnonzero(sample == last)
    follower = runs.start.take(run[ended] + 1, mode="clip")
    late[ended] = follower - queries[ended]
    late[ended[run[ended] == len(runs.start) - 1]] = NO_FOLLOWER
    later = late < early
    sample = sample.astype(np.int64)
    sample += later
    over = ended[later[ended]]
    run[over] += 1
    sample[over] = 0
    missed = np.minimum(early, late) > tolerance_ns
    run[missed] = sample[missed] = NONE
    return Place(run, sample)


NO_FOLLOWER = np.iinfo(np.int64).max
"""Stands for how far the next run is from what is after the last one."""


def nearest_in_chunks(
    chunks: Sequence[EcgChunk], queries: Times, tolerance_ns: int
) -> Place:
    """
    Return which of *chunks*, and which of its samples, is nearest to each query.

    The chunks are sorted by start; they may overlap and may be unevenly spaced.
    """
    if all(chunk.offsets_us is None or len(chunk.counts) == 1 for chunk in chunks):
        starts = [first_instant(chunk) for chunk in chunks]
        periods = [chunk.period_ns for chunk in chunks]
        counts = [len(chunk.counts) for chunk in chunks]
        runs = Runs(
            np.array(starts, np.int64),
            np.array(periods, np.float64),
            np.array(counts, np.int64),
        )
        if follows(runs):
            return nearest_in_runs(runs, queries, tolerance_ns)
    return _nearest_listed(chunks, queries, tolerance_ns)


def follows(runs: Runs) -> bool:
    """Return whether each of *runs* has distinct instants and ends before the next."""
    last = runs.start + np.rint((runs.samples - 1) * runs.period_ns).astype(np.int64)
    apart = (last[:-1] < runs.start[1:]).all()
    return bool(apart and ((runs.period_ns >= 1) | (runs.samples == 1)).all())


def _nearest_listed(
    chunks: Sequence[EcgChunk], queries: Times, tolerance_ns: int
) -> Place:
    times = [sample_times(chunk) for chunk in chunks]
    counts = [len(chunk.counts) for chunk in chunks]
    whole = np.concatenate([*times, np.zeros(0, np.int64)])
    order = np.argsort(whole, kind="stable")
    found = nearest(whole[order], queries, tolerance_ns)
    missed = found == NONE
    place = order[found] if len(order) else found
    ends = np.cumsum(counts, dtype=np.int64)
    chunk = np.searchsorted(ends, place, side="right")
    begins = ends - counts
    sample = place - (begins[np.minimum(chunk, len(counts) - 1)] if counts else 0)
    return Place(np.where(missed, NONE, chunk), np.where(missed, NONE, sample))
