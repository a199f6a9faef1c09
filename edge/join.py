"""
The as-of join: for each pose the ECG sample that was taken nearest to it.

Pure functions on sorted times. Everything joins by these: the live page, an upload,
the export, `edge join` on two files. The nearest sample wins if it is no further
away than the tolerance; of two equally near the earlier; of several of one instant
the first in order.
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
    if not len(times):
        return np.full(len(queries), NONE, np.int64)
    after = np.searchsorted(times, queries)  # the first that is not earlier
    before = np.maximum(after - 1, 0)
    np.minimum(after, len(times) - 1, out=after)
    too_early = queries - times[before]
    too_late = times[after] - queries
    later = (too_late < too_early) | (too_early < 0)
    place = np.where(later, after, before)
    away = np.where(later, too_late, too_early)
    if (times[np.maximum(place - 1, 0)] == times[place])[place > 0].any():
        place = np.searchsorted(times, times[place])
    place[np.abs(away) > tolerance_ns] = NONE
    return place


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
    if not len(runs.start):
        none = np.full(len(queries), NONE, np.int64)
        return Place(none, none)
    run = np.maximum(np.searchsorted(runs.start, queries, side="right") - 1, 0)
    into = queries - runs.start[run]
    period, last = runs.period_ns[run], runs.samples[run] - 1
    # A run of one sample may have any period, also 0.
    sample = np.floor(into / np.where(last > 0, period, 1.0))
    sample = np.clip(sample, 0, last).astype(np.int64)
    away = into - np.rint(sample * period).astype(np.int64)
    ended = sample == last
    after = np.rint((sample + 1) * period).astype(np.int64) - into
    follower = np.minimum(run + 1, len(runs.start) - 1)
    after[ended] = (runs.start[follower] - queries)[ended]
    after[ended & (follower == run)] = np.iinfo(np.int64).max
    later = after < np.abs(away)
    sample = np.where(later, np.where(ended, 0, sample + 1), sample)
    run = np.where(later & ended, follower, run)
    away = np.where(later, after, np.abs(away))
    missed = away > tolerance_ns
    run[missed] = sample[missed] = NONE
    return Place(run, sample)


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
