"""Sample counters to time: continuity and dates."""

import numpy as np

from edge.deviceclock import DeviceClock, arrivals
from edge.records import MonotonicNs

MS = 1_000_000


def test_counter_that_runs_on_has_no_breaks() -> None:
    clock = DeviceClock(250, 256)
    clock.observe(np.array([254, 255, 0, 1]), MonotonicNs(16 * MS))

    found = clock.observe(np.array([2, 3, 4, 5]), MonotonicNs(32 * MS))

    assert found.breaks == ()
    assert found.indices.tolist() == [4, 5, 6, 7]


def test_lost_samples_advance_the_index() -> None:
    clock = DeviceClock(250, 256)
    clock.observe(np.array([10, 11]), MonotonicNs(16 * MS))

    found = clock.observe(np.array([12, 15]), MonotonicNs(40 * MS))

    assert found.indices.tolist() == [2, 5]
    assert [(b.at, b.lost, b.resets) for b in found.breaks] == [(1, 2, False)]


def test_reset_begins_a_segment() -> None:
    clock = DeviceClock(250, 256)
    clock.observe(np.array([10, 11]), MonotonicNs(16 * MS))
    clock.reset("the port was lost")

    found = clock.observe(np.array([200]), MonotonicNs(900 * MS))

    (gap,) = found.breaks
    assert (gap.at, gap.cause, gap.resets) == (0, "the port was lost", True)
    assert clock.stamp(0).start < clock.stamp(int(found.indices[0])).start


def test_stamps_follow_the_counter_not_the_bursts() -> None:
    clock = DeviceClock(250, 256)
    for burst in range(500):
        counter = (np.arange(4) + 4 * burst) % 256
        clock.observe(counter, MonotonicNs((burst + 1) * 16 * MS))

    timing = clock.stamp(1996)

    assert timing.period_ns == 4 * MS
    assert abs(timing.start - (1997 * 4 * MS)) <= timing.uncertainty_ns


def test_lines_without_counter_are_dated_before_their_transmission() -> None:
    instants, uncertainty = arrivals(
        np.array([100, 200]), 200, MonotonicNs(1_000 * MS), baud=10_000
    )

    assert instants.tolist() == [800 * MS, 900 * MS]
    assert uncertainty > 0
