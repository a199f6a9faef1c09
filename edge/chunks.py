"""Samples to the chunks that are stored: how many go into one."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.records import BoxNs, EcgChunk

MOST_VALUES = 600
"""Of a chunk: three of its rows fill a page of the database. A larger row has a page to
itself, of which a third to a half lies empty."""

LONGEST_NS = 1_000_000_000
"""Whoever reads from an instant on looks back by the longest chunk there is."""


def even_chunks(chunk: EcgChunk) -> Iterator[EcgChunk]:
    """Yield *chunk*, whose samples are even, in parts of at most `MOST_VALUES`."""
    samples = len(chunk.counts)
    parts = max(1, -(-chunk.counts.size // MOST_VALUES))
    edges = [samples * part // parts for part in range(parts + 1)]
    for first, stop in pairwise(edges):
        start = BoxNs(chunk.start + round(first * chunk.period_ns))
        yield chunk._replace(start=start, counts=chunk.counts[first:stop])


def uneven_chunks(
    segment: int,
    instants: NDArray[np.int64],
    counts: NDArray[np.int32],
    uncertainty_ns: int,
    reasons: tuple[str, ...],
) -> Iterator[EcgChunk]:
    """
    Yield chunks, each shorter than `LONGEST_NS`, of the samples *counts*, shape
    (n, leads), that were taken at *instants*, box time of shape (n,), rising.
    """
    first = 0
    while first < len(instants):
        start = instants[first]
        stop = int(np.searchsorted(instants, start + LONGEST_NS))
        offsets_us = np.round((instants[first:stop] - start) / 1000).astype(np.uint32)
        yield EcgChunk(
            segment,
            BoxNs(int(start)),
            0.0,
            uncertainty_ns,
            counts[first:stop],
            offsets_us,
            reasons,
        )
        first = stop
