"""Sample counters to indices: what is missing, and where a segment begins."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.dating.deviceclock import Break, DeviceClock
from edge.records import MonotonicNs

MS = 1_000_000


S = 1_000_000_000


Times = NDArray[np.float64]


class Board:
    """A board of 250 Hz behind a port that hands over every 16 ms, tried by hand."""

    def __init__(self, modulus: int = 256) -> None:
        self.clock = DeviceClock(250, modulus)
        self.modulus = modulus
        self.sent = 0  # samples taken so far
        self.offset = 0  # of the counter
        self.found: list[Break] = []

    @property
    def now(self) -> int:
        """When the newest sample was taken, and a little."""
        return S + self.sent * 4 * MS + MS

    def read(self, samples: int, late: int = 0) -> list[int]:
        """Take and deliver some samples; return their indices."""
        counter = np.arange(self.sent, self.sent + samples) + self.offset
        self.sent += samples
        return self.deliver(counter, late)

    def deliver(self, counter: NDArray[np.int64], late: int = 0) -> list[int]:
        now = MonotonicNs(self.now + late)
        seen = self.clock.observe(counter % self.modulus, now)
        self.found += seen.breaks
        indices: list[int] = seen.indices.tolist()
        return indices

    def run(self, seconds: float) -> int:
        """Record for some time; return the last index."""
        index = 0
        for _ in range(round(seconds * 62.5)):
            index = self.read(4)[-1]
        return index

    def breaks(self) -> list[tuple[int, int, bool]]:
        """Return what was found since the last call."""
        found, self.found = self.found, []
        return [(one.at, one.lost, one.resets) for one in found]


@pytest.fixture
def board() -> Board:
    """Return a board that has recorded for ten seconds."""
    board = Board()
    board.run(10)
    assert board.breaks() == [(0, -1, True)]
    return board


def test_counter_that_runs_on_has_no_breaks(board: Board) -> None:
    last = board.run(10)

    assert board.breaks() == []
    assert last == board.sent - 1


def test_lost_samples_advance_the_index(board: Board) -> None:
    before = board.sent
    board.sent += 3
    first = board.read(4)

    assert first == [before + 3, before + 4, before + 5, before + 6]
    assert board.breaks() == [(0, 3, False)]


def test_loss_within_a_read(board: Board) -> None:
    start = board.sent
    board.sent += 6

    indices = board.deliver(np.array([0, 1, 4, 5]) + start)

    assert [index - start for index in indices] == [0, 1, 4, 5]
    assert board.breaks() == [(2, 2, False)]


def test_loss_of_more_than_a_turn_of_the_counter_is_counted(board: Board) -> None:
    """400 samples of an 8-bit counter: only the time tells that it went round."""
    start = board.sent
    board.sent += 400

    assert board.read(4)[0] == start + 400
    assert board.breaks() == [(0, 400, False)]


@pytest.mark.parametrize("lost", [300, 400, 700])
@pytest.mark.parametrize("burst", [32, 50, 75])
def test_loss_of_more_than_a_turn_is_counted_also_in_long_bursts(
    burst: int, lost: int
) -> None:
    """A port that hands over every 128, 200 or 300 ms; samples are dated at once."""
    board, first = Board(), 0
    for read in range(200):
        board.sent += lost if read == 150 else 0
        first = board.read(burst)[0]
        if read >= 150:
            taken = S + (board.sent - burst) * 4 * MS + MS
            timing = board.clock.stamp(first)
            assert abs(timing.start - taken) <= timing.uncertainty_ns + 8 * MS

    assert board.breaks() == [(0, -1, True), (0, lost, False)]


def test_loss_of_exactly_a_turn_begins_a_segment(board: Board) -> None:
    """It looks like a stall, but what follows never makes up for it."""
    board.sent += 256
    board.run(10)

    assert board.breaks() == [(0, -1, True)]


def test_samples_held_up_and_delivered_in_small_pieces_are_no_loss(
    board: Board,
) -> None:
    end = board.now + 250 * 4 * MS
    for _ in range(125):
        board.read(2, late=end - board.now - 2 * 4 * MS)
    last = board.run(10)

    assert board.breaks() == []
    assert last == board.sent - 1


def in_reads(clock: DeviceClock, samples: range, now: int, modulus: int) -> list[Break]:
    """Deliver *samples* of 4 ms by fours from *now* on, 0.4 s of reads at a time."""
    found: list[Break] = []
    for first in range(samples.start, samples.stop, 100):
        counter = np.arange(first, first + 100) % modulus
        arrivals_ns = [MonotonicNs(now + read * 16 * MS) for read in range(25)]
        now += 400 * MS
        found += clock.observe_reads(counter, range(4, 101, 4), arrivals_ns).breaks
    return found


@pytest.mark.parametrize("seconds", [0.2, 1.024, 5.0, 9.5])
@pytest.mark.parametrize("modulus", [256, 2**62])
def test_board_that_pauses_and_counts_on_begins_a_segment(
    seconds: float, modulus: int
) -> None:
    """What comes after is dated after the pause, at once."""
    clock = DeviceClock(250, 0 if modulus > 256 else modulus)
    in_reads(clock, range(5000), S, modulus)
    resumed = S + 20 * S + round(seconds * S)

    found = in_reads(clock, range(5000, 5100), resumed, modulus)

    assert [(one.at, one.lost, one.resets) for one in found] == [(0, -1, True)]
    assert found[0].cause == f"nothing came for {seconds + 0.016:.1f} s"
    timing = clock.stamp(5000)
    taken = resumed - 3 * 4 * MS
    assert abs(timing.start - taken) <= timing.uncertainty_ns


@pytest.mark.parametrize("reads", [1, 10, 24])
@pytest.mark.parametrize("modulus", [256, 2**62])
def test_board_that_resets_when_its_port_is_opened_begins_a_segment(
    modulus: int, reads: int
) -> None:
    """A few samples, the bootloader's pause, and a counter that begins anew."""
    clock, counted = DeviceClock(250, 0 if modulus > 256 else modulus), 100
    for read in range(reads):
        counter = np.arange(counted, counted + 4) % modulus
        clock.observe(counter, MonotonicNs(S + read * 16 * MS))
        counted += 4
    resumed = S + (reads - 1) * 16 * MS + 1300 * MS
    counted = counted if modulus > 256 else 0

    found = in_reads(clock, range(counted, counted + 100), resumed, modulus)

    assert [(one.at, one.lost, one.resets) for one in found] == [(0, -1, True)]
    assert found[0].cause == "nothing came for 1.3 s"
    timing = clock.stamp(reads * 4)
    assert abs(timing.start - (resumed - 3 * 4 * MS)) <= timing.uncertainty_ns


def test_losses_are_counted_from_the_first_read_on() -> None:
    """A port of 200 ms and a sample lost now and then: no segment each time."""
    clock, found = DeviceClock(250, 256), list[Break]()
    for read in range(10):
        counter = np.delete(np.arange(read * 50, read * 50 + 50), 20)
        now = MonotonicNs(S + read * 200 * MS)
        found += clock.observe(counter % 256, now).breaks

    assert [one.resets for one in found] == [True] + [False] * 10
    assert [one.lost for one in found[1:]] == [1] * 10


def test_board_that_says_that_it_was_restarted_begins_a_segment(board: Board) -> None:
    """In the midst of a read, and after the last that came."""
    start = board.sent
    counter = np.array([start, start + 1, 0, 1]) % 256
    now = MonotonicNs(board.now + 4 * 4 * MS)

    seen = board.clock.observe_reads(counter, [1, 4], [now, now], [2, 4])
    board.sent += 4
    board.deliver(np.arange(2, 6))

    assert np.diff(seen.indices).tolist() == [1, 1, 1]
    found = [(one.at, one.cause) for one in (*seen.breaks, *board.found)]
    assert found == [(2, "the board was restarted"), (0, "the board was restarted")]


def test_what_was_held_up_and_comes_quickly_is_no_loss() -> None:
    """Three seconds are held up and then come at four times their rate."""
    clock = DeviceClock(250, 256)
    in_reads(clock, range(5000), S, 256)
    counter = np.arange(5000, 6000) % 256
    at = [MonotonicNs(S + 23 * S + read * 16 * MS) for read in range(63)]

    found = clock.observe_reads(counter, [*range(16, 1000, 16), 1000], at).breaks

    assert found == ()
    timing = clock.stamp(5000)
    assert abs(timing.start - (S + 20 * S + 4 * MS)) <= timing.uncertainty_ns + 16 * MS


def test_what_the_buffer_held_while_nobody_read_is_older_than_the_loss() -> None:
    """Frozen for five seconds: 124 samples were kept, what came after them was not."""
    clock = DeviceClock(250, 256)
    in_reads(clock, range(5000), S, 256)
    resumed = S + 25 * S
    kept = np.arange(5000, 5124)
    later = np.arange(6250, 6350)
    at = [MonotonicNs(resumed + read * 16 * MS) for read in range(26)]

    counter = np.concatenate([kept, later]) % 256
    found = clock.observe_reads(counter, range(124, 225, 4), at).breaks

    assert [(one.at, one.lost) for one in found] == [(124, 6250 - 5124)]
    timing = clock.stamp(5000)
    assert abs(timing.start - (S + 20 * S + 4 * MS)) <= timing.uncertainty_ns + 16 * MS


def test_counter_that_turns_before_time_can_tell_says_so() -> None:
    """Sixteen samples of a BITalino at 1000 Hz: 20 lost look like 4, 16 like none."""
    clock, sample, now, found = DeviceClock(1000, 16), 0, S, list[Break]()
    for read in range(1250):
        sample += {1000: 20, 1125: 15}.get(read, 0)
        now = S + (sample + 16) * MS
        counter = np.arange(sample, sample + 16) % 16
        found += clock.observe(counter, MonotonicNs(now)).breaks
        sample += 16

    assert [one.cause for one in found[1:]] == [
        "at least 4 samples lost",
        "a sample came twice, or 15 were lost",
    ]
    timing = clock.stamp(sample - 1 - 16 - 16)  # as the counter says: 32 are hidden
    assert abs(timing.start - (now - MS)) <= timing.uncertainty_ns + MS


def test_backlog_after_a_stall_is_no_loss(board: Board) -> None:
    """Five seconds come at once, in reads as long as the kernel's buffer."""
    end = board.now + 1250 * 4 * MS
    for count in [124] * 10 + [10]:
        taken = board.now + count * 4 * MS
        board.read(count, late=end - taken)
    last = board.run(5)

    assert board.breaks() == []
    assert last == board.sent - 1


def test_a_sample_that_came_twice_keeps_its_index(board: Board) -> None:
    start = board.sent
    board.sent += 2

    indices = board.deliver(np.array([0, 1, 1]) + start)

    assert [index - start for index in indices] == [0, 1, 1]
    assert board.breaks() == [(2, 0, False)]


@pytest.mark.parametrize("modulus", [256, 2**32])
def test_restart_without_a_pause_begins_a_segment(modulus: int) -> None:
    """The counter says that 100 samples were lost, but no time has passed for them."""
    board = Board(modulus)
    board.run(10)
    board.breaks()
    last = board.sent - 1
    board.offset = 100 if modulus == 256 else -board.sent

    indices = board.read(4)

    assert board.breaks() == [(0, -1, True)]
    assert indices[0] == last + 1


def test_restart_with_a_pause_begins_a_segment(board: Board) -> None:
    """Two seconds of silence, then a count that fits no number of turns."""
    board.sent += 500
    board.offset = -board.sent

    board.read(4)

    assert board.breaks() == [(0, -1, True)]


def test_long_silence_begins_a_segment(board: Board) -> None:
    board.sent += 2600

    board.read(4)

    assert board.breaks() == [(0, -1, True)]


def test_uncounted_losses_are_followed_and_allowed_for() -> None:
    """A board without counter loses a sample now and then, and a fifth of a second."""
    clock = DeviceClock(250, 0)
    taken, counted, held, resets = 0, 0, [], []
    for read in range(6000):
        lost = 50 if read == 4000 else int(read % 500 == 499)
        taken += 4 + lost
        now = MonotonicNs(S + taken * 4 * MS + MS)
        seen = clock.observe(np.arange(counted, counted + 4), now)
        counted += 4
        resets += [(read, one.cause) for one in seen.breaks if one.resets]
        if read % 25 == 0 and read > 60:
            timing = clock.stamp(int(seen.indices[0]))
            truth = S + (taken - 3) * 4 * MS + MS  # of the read's first sample
            held.append(abs(timing.start - truth) <= timing.uncertainty_ns)

    assert np.mean(held) > 0.85  # all but those dated before a loss could be seen
    assert len(resets) == 2
    assert 4000 < resets[1][0] < 4200
    assert resets[1][1].endswith("ms late for their count")  # it has no counter


def test_lost_port_begins_a_segment_that_says_why(board: Board) -> None:
    board.clock.reset("the cable was pulled")
    last = board.sent - 1

    first = board.read(4)[0]

    assert board.found[0].cause == "the cable was pulled"
    assert board.breaks() == [(0, -1, True)]
    assert first == last + 1


def test_samples_that_vanish_uncounted_begin_a_segment(board: Board) -> None:
    """A counter that goes on while a fifth of a second is missing has no meaning."""
    board.sent += 50
    board.offset -= 50
    board.run(10)

    assert board.breaks() == [(0, -1, True)]


def test_end_of_a_segment_is_dated_by_its_own_clock(board: Board) -> None:
    """The recorder may date the last samples when the next segment has begun."""
    index = board.read(4)[0]
    before = board.clock.stamp(index)
    board.clock.reset("the cable was pulled")
    board.sent += 2500
    after = board.read(4)[0]

    assert abs(board.clock.stamp(index).start - before.start) <= before.uncertainty_ns
    assert board.clock.stamp(after).start > before.start + 9 * S


def test_no_samples_are_no_news(board: Board) -> None:
    assert board.deliver(np.zeros(0, np.int64)) == []
    assert board.breaks() == []


def test_memory_does_not_grow_with_the_recording() -> None:
    board = Board()
    board.run(60)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    board.run(240)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert grown < 10_000
