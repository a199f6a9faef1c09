"""ECG counts as few bytes, and back."""

import numpy as np

from edge.database.packing import pack, unpack
from edge.records import MISSING


def test_counts_at_the_edge_of_each_form_come_back() -> None:
    """Where a count would just not fit, and where two are too far apart for a step."""
    edges = [1 << bits for bits in (7, 8, 15, 16, 31)]
    sizes = [edge + by for edge in edges for by in (-1, 0, 1) if edge + by < 1 << 31]
    counts = [sign * size for size in sizes for sign in (1, -1)]
    pairs = np.array([(one, two) for one in counts for two in counts], np.int32).T
    gappy = np.concatenate([pairs, np.full_like(pairs[:1], MISSING)])
    for leads in (pairs, gappy):
        codes, data = pack(leads)
        assert np.array_equal(unpack(codes, data, len(leads)), leads)
