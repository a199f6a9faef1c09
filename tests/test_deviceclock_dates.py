"""Sample indices to time: when each was taken, and how surely that is known."""

import random
import re
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.dating.deviceclock import Break, DeviceClock, Timing
from edge.records import MonotonicNs
from scripts.benches._arrivals import Arrivals, Scenario, simulate

MS = 1_000_000


S = 1_000_000_000


Times = NDArray[np.float64]


class Dated(NamedTuple):
    """What a clock said of simulated arrivals, sample by sample, in ns."""

    came: NDArray[np.int64]  # which samples
    error: Times
    uncertainty: Times
    chunks: list[tuple[int, Timing]]  # first index of each, and what was said


def dated(found: Arrivals, modulus: int = 256) -> Dated:
    """Return what the clock says, asked as the recorder asks."""
    clock = DeviceClock(1e9 / found.period_ns, modulus)
    instants = np.full(len(found.truth), np.nan)
    unsure = np.full(len(found.truth), np.nan)
    chunks, first, begin = [], 0, 0
    count = round(0.4e9 / found.period_ns)
    shift = int(found.came[0])
    for received, stop in zip(
        found.received.tolist(), found.stops.tolist(), strict=True
    ):
        seen = clock.observe(found.came[begin:stop] % modulus, MonotonicNs(received))
        assert not any(one.resets for one in seen.breaks if begin)
        begin = stop
        while seen.indices[-1] - first >= count:
            timing = clock.stamp(first)
            places = slice(first + shift, first + shift + count)
            instants[places] = timing.start + np.arange(count) * timing.period_ns
            unsure[places] = timing.uncertainty_ns
            chunks.append((first, timing))
            first += count
    came = found.came[~np.isnan(instants[found.came])]
    return Dated(came, instants[came] - found.truth[came], unsure[came], chunks)


SCENARIOS = [
    Scenario(250, 16, 200, minutes=8),
    Scenario(500, 1, -200, minutes=6),
    Scenario(125, 64, -200, minutes=8),
    Scenario(250, 16, 30, minutes=8, stall_s=(1, 5)),
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_true_instants_lie_within_the_uncertainty(scenario: Scenario) -> None:
    """Larger: scripts/bench sync."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    found = simulate(scenario, seed)

    said = dated(found)

    late = found.truth[said.came] - found.truth[0] > 240 * S
    inside = np.abs(said.error) <= said.uncertainty
    assert inside[late].mean() >= 0.95
    assert inside[~late].mean() >= 0.95
    if abs(scenario.ppm) == 200:
        assert np.quantile(np.abs(said.error[late]), 0.99) <= 1.5 * MS
        assert np.median(said.uncertainty[late]) < 0.5 * MS


@pytest.mark.parametrize("seed", [1041, 1141, 548080971, 2657412900])
def test_reads_that_catch_up_after_a_stall_bound_nothing_from_below(seed: int) -> None:
    """A bin that is mostly one long stall holds few reads that were in time."""
    found = simulate(SCENARIOS[3], seed)

    said = dated(found)

    assert (np.abs(said.error) <= said.uncertainty).mean() >= 0.99


@pytest.mark.parametrize("burst_ms", [1, 10, 16, 62, 64])
def test_samples_that_come_in_packets_wait_for_the_whole_of_theirs(
    burst_ms: int,
) -> None:
    """Eight of 128 Hz in a packet, as a HealthyPi 5 of firmware 1.0 sends them."""
    period_ns, burst_ns = S / 128 * (1 - 30e-6), burst_ms * MS
    clock, inside, missed_ns = DeviceClock(128, 0, batch=8), [], []
    newest = np.arange(7, 128 * 200, 8)
    hand_over = np.ceil(newest * period_ns / burst_ns).astype(np.int64)
    reads, first = np.unique(hand_over, return_index=True)
    for read, begin, end in zip(reads, first, [*first[1:], len(newest)], strict=True):
        counter = np.arange(newest[begin] - 7, newest[end - 1] + 1)
        clock.observe(counter, MonotonicNs(S + int(read) * burst_ns))
        timing = clock.stamp(int(counter[0]))
        missed_ns.append(abs(timing.start - S - counter[0] * period_ns))
        inside.append(missed_ns[-1] <= timing.uncertainty_ns)

    assert np.mean(inside) >= 0.95
    assert np.median(missed_ns) < max(5, 1.5 * burst_ms) * MS


@pytest.mark.parametrize("ppm", [-10_000, 1_000, 5_000, 25_000])
def test_board_without_a_crystal_is_dated_by_the_rate_it_has(ppm: int) -> None:
    """An ADS1299's own oscillator is some per cent off over all temperatures."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    found = simulate(Scenario(250, 16, ppm, minutes=3), seed)

    said = dated(found)

    early = found.truth[said.came] - found.truth[0] < 20 * S
    inside = np.abs(said.error) <= said.uncertainty
    assert inside[early].mean() >= 0.95
    assert inside[~early].mean() >= 0.95
    assert np.median(said.uncertainty[~early]) < 5 * MS


@pytest.mark.parametrize("modulus", [256, 0])
@pytest.mark.parametrize("burst_ms", [16, 64])
@pytest.mark.parametrize("rate_hz", [125.0, 232.5, 248.0, 256.0, 275.0, 500.0])
def test_board_of_another_rate_than_stated_is_told(
    rate_hz: float, burst_ms: int, modulus: int
) -> None:
    """Stated are 250 Hz; no sample is dated after it came."""
    clock, begin, news = DeviceClock(250, modulus), 0, ""
    found = simulate(Scenario(rate_hz, burst_ms, 0, 0, 1, 0), 1)
    inside = []
    for number, (received, stop) in enumerate(
        zip(found.received.tolist(), found.stops.tolist(), strict=True)
    ):
        counter = found.came[begin:stop] % (modulus or 2**62)
        seen = clock.observe(counter, MonotonicNs(received))
        causes = [one.cause for one in seen.breaks if begin]
        begin, news = stop, clock.rate_news() or "".join(causes) or news
        first = int(seen.indices[0])
        timing = clock.stamp(first)
        newest = timing.start + (int(seen.indices[-1]) - first) * timing.period_ns
        assert newest <= received + timing.uncertainty_ns
        missed = newest - found.truth[stop - 1]
        inside.append(abs(missed) <= timing.uncertainty_ns)
        if received - found.received[0] > 20 * S:
            assert inside[-1], number

    assert np.mean(inside) > 0.99
    told = re.fullmatch(r"the board sends (.*) samples a second, not 250", news)
    assert told
    assert abs(float(told[1]) - rate_hz) <= 0.001 * rate_hz


def test_board_that_has_its_stated_rate_again_is_told() -> None:
    """It was said to send “250.0 samples a second, not 250”."""
    clock, news, at, came = DeviceClock(250, 256), [], 0, 0.0
    for rate_hz, reads in ((251, 60 * 60), (250, 60 * 60)):
        for _ in range(reads):
            counter = np.arange(at, at + 4) % 256
            at, came = at + 4, came + 4 * S / rate_hz
            seen = clock.observe(counter, MonotonicNs(round(came)))
            causes = [one.cause for one in seen.breaks]
            news += [cause for cause in (clock.rate_news(), *causes) if cause]

    assert news[1:] == [
        "the board sends 251.0 samples a second, not 250",
        "the board sends 250 samples a second again",
    ]


def test_uncertainty_says_how_little_is_known_at_first() -> None:
    said = dated(simulate(Scenario(250, 16, 50, minutes=6), 3))

    assert said.chunks[0][1].uncertainty_ns > 2 * MS
    assert said.chunks[-1][1].uncertainty_ns < 1 * MS


def test_time_never_runs_backwards() -> None:
    for seed in range(8):
        scenario = Scenario(250, 16, 200, minutes=1, jitter_ms=5, stall_every_s=3)
        chunks = dated(simulate(scenario, seed)).chunks
        for (_, one), (_, other) in zip(chunks, chunks[1:], strict=False):
            assert other.start > one.start + 99 * one.period_ns


def test_an_estimate_depends_on_the_past_alone() -> None:
    whole = simulate(Scenario(250, 16, 200, minutes=1), 5)
    reads = len(whole.received) // 2
    past = whole._replace(received=whole.received[:reads], stops=whole.stops[:reads])

    assert dated(past).chunks == dated(whole).chunks[: len(dated(past).chunks)]


def test_slewed_host_clock_is_followed() -> None:
    """A time server drags the host's clock by 500 ppm for a minute."""
    found = simulate(Scenario(250, 16, 30, minutes=8, slew=(240, 60, 500)), 2)

    said = dated(found)

    late = found.truth[said.came] - found.truth[0] > 330 * S
    assert np.abs(said.error).max() < 6 * MS
    assert (np.abs(said.error) <= said.uncertainty)[late].mean() > 0.95


def test_any_counters_at_any_time_raise_nothing_and_never_go_back() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = np.random.default_rng(seed)
    for modulus in (2, 16, 256, 2**32):
        clock, now, last, start = DeviceClock(250, modulus), 0, -1, -1
        for _ in range(2000):
            now += int(dice.exponential(dice.choice([1e3, 1e7, 1e9])))
            count = int(dice.integers(0, 20))
            counter = dice.integers(0, modulus) + np.arange(count)
            if dice.random() < 0.2:
                counter = dice.integers(0, modulus, count)
            seen = clock.observe(counter % modulus, MonotonicNs(now))
            if not count:
                continue
            assert seen.indices[0] >= last
            assert (np.diff(seen.indices) >= 0).all()
            last = int(seen.indices[-1])
            if any(one.resets for one in seen.breaks):
                start = -1
            begun = clock.stamp(last).start
            assert begun >= start or start < 0
            start = begun


@pytest.mark.parametrize("seed", [53, 79, None])
def test_several_reads_at_once_are_seen_as_one_by_one(seed: int | None) -> None:
    """In 53 and 79 samples come late for their counter in the midst of the reads."""
    seed = random.randrange(2**32) if seed is None else seed
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(200):
        modulus = chance.choice([256, 16, 2**32])
        one_by_one, at_once = DeviceClock(250, modulus), DeviceClock(250, modulus)
        sample, now = chance.randrange(modulus), 10**9
        for _ in range(chance.randint(1, 12)):
            counters: list[int] = []
            stops: list[int] = []
            received: list[MonotonicNs] = []
            for _ in range(chance.randint(1, 30)):
                count = chance.choice([0, 1, 4, 4, 4, 8])
                lost = chance.choice([0] * 60 + [1, 3, 300])
                sample += lost
                counters += [(sample + more) % modulus for more in range(count)]
                sample += count
                now += (count + lost) * 4_000_000 + chance.choice(
                    [0] * 90 + [11 * 10**9]
                )
                stops.append(len(counters))
                received.append(MonotonicNs(now))
            counter = np.array(counters, np.int64)
            indices: list[int] = []
            found: list[tuple[int, Break]] = []
            first = 0
            for stop, at in zip(stops, received, strict=True):
                seen = one_by_one.observe(counter[first:stop], at)
                found += [
                    (first + lost.at, lost._replace(at=0)) for lost in seen.breaks
                ]
                indices += seen.indices.tolist()
                first = stop
            together = at_once.observe_reads(counter, stops, received)
            assert together.indices.tolist() == indices
            assert [(lost.at, lost._replace(at=0)) for lost in together.breaks] == found
            if indices:
                assert at_once.stamp(indices[-1]) == one_by_one.stamp(indices[-1])
