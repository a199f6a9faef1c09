"""
The join against the obvious one: every distance looked at, the smallest taken.

EDGE_JOIN_CASES says how many random cases are tried (default 20,000).
"""

import os
import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.join import (
    NONE,
    Runs,
    follows,
    nearest,
    nearest_in_chunks,
    nearest_in_runs,
    not_before,
    sample_times,
)
from edge.records import BoxNs, EcgChunk

CASES = int(os.environ.get("EDGE_JOIN_CASES", "20000"))
Whole = NDArray[np.int64]


def brute_force(times: Whole, queries: Whole, tolerance: int) -> Whole:
    """Return the join by its definition: argmin takes the first of equals."""
    if not len(times):
        return np.full(len(queries), NONE)
    away = np.abs(times[None, :] - queries[:, None])
    place = away.argmin(axis=1)
    return np.where(away.min(axis=1) <= tolerance, place, NONE)


def random_cases(seed: int, count: int) -> Iterator[tuple[Whole, Whole, int]]:
    """
    Yield sorted times, queries and a tolerance: small numbers, so that ties, exact
    tolerances, duplicates, gaps and empty sides come often.
    """
    dice = np.random.default_rng(seed)
    sizes = dice.integers(0, 12, (count, 2))
    steps = dice.choice([0, 0, 1, 2, 2, 3, 7, 40], (count, 24))
    starts = dice.integers(-20, 20, count)
    tolerances = dice.choice([0, 1, 2, 3, 20, 1000], count)
    for case in range(count):
        samples, poses = sizes[case]
        times = np.cumsum(steps[case, :samples]) + starts[case]
        queries = np.cumsum(steps[case, 12 : 12 + poses]) - 10
        yield times, queries, int(tolerances[case])


def test_random_cases_equal_brute_force() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}, {CASES} cases")
    for times, queries, tolerance in random_cases(seed, CASES):
        expected = brute_force(times, queries, tolerance)

        assert nearest(times, queries, tolerance).tolist() == expected.tolist()


def random_chunks(dice: np.random.Generator) -> list[EcgChunk]:
    """Return a few chunks, sorted by start; they may overlap or be uneven."""
    chunks = []
    for start in np.sort(dice.integers(0, 30_000, dice.integers(0, 6))).tolist():
        count = int(dice.integers(1, 6))
        period, offsets = float(dice.choice([1000, 1333.3333, 2500.5, 1e4])), None
        if dice.random() < 0.2:
            period = 0.0
            offsets = np.cumsum(dice.integers(0, 4, count)).astype(np.uint32)
        counts = np.zeros((count, 1), np.int32)
        chunks.append(EcgChunk(1, BoxNs(start), period, 0, counts, offsets))
    return chunks


def test_random_chunks_equal_brute_force_on_their_samples() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}, {CASES // 10} cases")
    dice = np.random.default_rng(seed)
    even = 0
    for _ in range(CASES // 10):
        chunks = random_chunks(dice)
        queries = dice.integers(-5_000, 60_000, 8)
        tolerance = int(dice.choice([0, 500, 1250, 20_000]))
        parts = [sample_times(chunk) for chunk in chunks]
        times = np.concatenate([*parts, np.zeros(0, np.int64)])
        order = np.argsort(times, kind="stable")
        expected = brute_force(times[order], queries, tolerance)

        place = nearest_in_chunks(chunks, queries, tolerance)

        flat = [
            (chunk, sample)
            for chunk, part in enumerate(parts)
            for sample in range(len(part))
        ]
        found = list(zip(place.chunk.tolist(), place.sample.tolist(), strict=True))
        assert found == [
            flat[order[best]] if best != NONE else (NONE, NONE) for best in expected
        ]
        even += all(chunk.offsets_us is None for chunk in chunks)
    assert even > CASES // 100


@given(
    st.lists(st.integers(-50, 50)),
    st.lists(st.integers(-60, 60)),
    st.integers(0, 100),
)
def test_any_lists_equal_brute_force(
    times: list[int], queries: list[int], tolerance: int
) -> None:
    ordered = np.array(sorted(times), np.int64)
    asked = np.array(queries, np.int64)

    found = nearest(ordered, asked, tolerance)

    assert found.tolist() == brute_force(ordered, asked, tolerance).tolist()


@pytest.mark.parametrize(
    ("query", "place"),
    [(89, NONE), (90, 0), (104, 0), (105, 0), (106, 1), (120, 1), (121, NONE)],
)
def test_tolerance_is_inclusive_and_ties_go_to_the_earlier(
    query: int, place: int
) -> None:
    assert nearest(np.array([100, 110]), np.array([query]), 10).tolist() == [place]


@pytest.mark.parametrize("start", [0, 2**62 - 5, 2**62 + 10**18, 2**63 - 10**7])
def test_last_sample_is_found_however_late_it_is(start: int) -> None:
    """A picture of 2126 is joined with the record of the same instant."""
    run = Runs(np.array([start]), np.array([4e6]), np.array([2]))
    queries = np.array([start, start + 3_000_000, start + 4_000_005])

    assert nearest_in_runs(run, queries, 10).sample.tolist() == [0, NONE, 1]
    assert nearest_in_runs(run, queries, 10**6).chunk.tolist() == [0, 0, 0]


def test_runs_answer_as_their_samples_do() -> None:
    """A recording of an hour with drifting periods, gaps and 20,000 poses."""
    dice = np.random.default_rng(5)
    count = dice.integers(90, 110, 9000)
    period = 4e6 * (1 + dice.normal(0, 1e-4, 9000))
    gap = dice.choice([1.0, 1.0, 1.0, 700.0], 9000)
    length = np.rint((count - 1 + gap) * period).astype(np.int64)
    start = np.cumsum(length) - length + 1_767_268_800_000_000_000
    runs = Runs(start, period, count)
    times = np.concatenate(
        [
            first + np.rint(np.arange(n) * step).astype(np.int64)
            for first, step, n in zip(start, period, count, strict=True)
        ]
    )
    queries = dice.integers(times[0] - 10**9, times[-1] + 10**9, 20_000)

    place = nearest_in_runs(runs, queries, 10**9)

    expected = nearest(times, queries, 10**9)
    flat = np.cumsum(count)[place.chunk] - count[place.chunk] + place.sample
    assert follows(runs)
    assert np.where(place.chunk == NONE, NONE, flat).tolist() == expected.tolist()
    assert (expected == NONE).any()
    rising = np.sort(queries)
    again = nearest_in_runs(runs, rising, 10**9)
    flat = np.cumsum(count)[again.chunk] - count[again.chunk] + again.sample
    slow = np.array(
        [nearest(times, rising[k : k + 1], 10**9)[0] for k in range(20_000)]
    )
    assert np.where(again.chunk == NONE, NONE, flat).tolist() == slow.tolist()
    assert nearest(times, rising, 10**9).tolist() == slow.tolist()


@pytest.mark.parametrize("seed", range(20))
def test_reckoned_places_are_those_of_a_search(seed: int) -> None:
    """Even times, uneven ones, gaps, repetitions, queries beside and beyond them."""
    dice = np.random.default_rng(seed)
    count = int(dice.integers(1, 5000))
    steps = {
        0: np.full(count, 4_000_000),
        1: dice.integers(0, 8_000_000, count),
        2: dice.choice([0, 1, 4_000_000, 10**11], count),
        3: np.rint(np.arange(1, count + 1) * 3333333.3)
        - np.rint(np.arange(count) * 3333333.3),
    }[seed % 4]
    times = 1_767_268_800_000_000_000 + np.cumsum(steps).astype(np.int64)
    near = dice.choice(times, 2000) + dice.integers(-2, 3, 2000)
    beyond = dice.integers(times[0] - 10**9, times[-1] + 10**9, 2000)
    queries = np.sort(np.concatenate([near, beyond]))

    assert not_before(times, queries).tolist() == (
        np.searchsorted(times, queries).tolist()
    )
    shuffled = dice.permutation(queries)
    assert nearest(times, shuffled, 10**7).tolist() == (
        nearest(times, queries, 10**7)[np.searchsorted(queries, shuffled)].tolist()
    )


def test_overlapping_runs_are_noticed() -> None:
    one = np.array([1, 1])

    assert follows(Runs(np.array([0, 10]), np.array([0.0, 0.0]), one))
    assert not follows(Runs(np.array([0, 10]), np.array([5.0, 5.0]), one + 2))
    assert not follows(Runs(np.array([7, 7]), np.array([0.0, 0.0]), one))
