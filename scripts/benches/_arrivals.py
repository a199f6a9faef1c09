"""
Simulated arrivals of a board's samples whose true instants are known.

A crystal that is off and drifts; a hand-over every so many milliseconds; scheduling
that delays reads a little and now and then some milliseconds; a reader that stalls;
packets that are lost. Nothing here knows how `edge.dating.deviceclock` works.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Places = NDArray[np.int64]

MS = 1e6
START_NS = 1e12
"""Of the monotonic clock: a machine that has been up for a quarter of an hour."""

TRANSMISSION_NS = 2.9 * MS
"""33 bytes at 115,200 bit/s: the constant delay."""

READ_SAMPLES = 124
"""The kernel's line buffer holds 4,095 bytes: so many packets of 33 in one read."""

DRAIN_NS = 60_000.0
"""From one such read to the next."""


class Scenario(NamedTuple):
    """One board on one port, for some minutes."""

    rate_hz: float
    burst_ms: float  # the port hands over so often; 0: at once
    ppm: float  # the board's crystal against the host's clock
    swing_ppm: float = 20.0  # the rate changes by so much in ten minutes, to and fro
    minutes: float = 20.0
    lost: float = 0.01  # share of samples that never come
    jitter_ms: float = 0.15  # mean delay of a read
    stall_every_s: float = 20.0
    stall_s: tuple[float, float] = (0.05, 1.0)
    slew: tuple[float, float, float] = (0, 0, 0)  # from second, for seconds, ppm


class Arrivals(NamedTuple):
    """What came, and when it really was."""

    period_ns: float  # nominal
    truth: Times  # instant of each sample plus the constant delay, lost ones too
    came: Places  # which samples came
    received: Places  # instant of each read, rising
    stops: Places  # how many of `came` each read and those before it brought


def simulate(scenario: Scenario, seed: int) -> Arrivals:
    """Return the arrivals of *scenario*."""
    dice = np.random.default_rng(seed)
    truth = true_times(scenario) + TRANSMISSION_NS
    index = np.flatnonzero(dice.random(len(truth)) >= scenario.lost)
    ready = truth[index]
    if scenario.burst_ms:
        burst = scenario.burst_ms * MS
        phase = dice.random() * burst
        ready = np.ceil((ready - phase) / burst) * burst + phase
    handed, first = np.unique(ready, return_index=True)
    stops = np.append(first[1:], len(index))
    late = dice.exponential(scenario.jitter_ms * MS, len(handed))
    late += (dice.random(len(handed)) < 0.01) * dice.uniform(
        1 * MS, 5 * MS, len(handed)
    )
    read = stalled(handed + late, scenario, dice)
    received, last = np.unique(np.maximum.accumulate(read)[::-1], return_index=True)
    return drained(scenario, truth, index, received, stops[::-1][last])


def true_times(scenario: Scenario) -> Times:
    """Return the instant of every sample, with a rate that changes to and fro."""
    count = int(scenario.minutes * 60 * scenario.rate_hz)
    time = np.arange(count) / scenario.rate_hz
    ppm = scenario.ppm + scenario.swing_ppm * (np.abs(time / 600 % 2 - 1) - 0.5)
    begins, lasts, more = scenario.slew
    ppm += more * ((time >= begins) & (time < begins + lasts))
    periods = 1e9 / scenario.rate_hz * (1 + ppm * 1e-6)
    return START_NS + np.concatenate(([0.0], np.cumsum(periods[:-1])))


def stalled(read: Times, scenario: Scenario, dice: np.random.Generator) -> Times:
    """
    Return *read* with the reads of every stall put off to its end, which is not later
    than the last of all: the board sends on meanwhile.
    """
    read = read.copy()
    begins = read[0]
    while begins < read[-1]:
        begins += dice.exponential(scenario.stall_every_s) * 1e9
        ends = min(begins + dice.uniform(*scenario.stall_s) * 1e9, read[-1])
        read[(read >= begins) & (read < ends)] = ends
        begins = ends
    return read


def drained(
    scenario: Scenario, truth: Times, index: Places, received: Times, stops: Places
) -> Arrivals:
    """Return the arrivals with reads of at most READ_SAMPLES, one after another."""
    counts = np.diff(stops, prepend=0)
    reads = -(-counts // READ_SAMPLES)
    owner = np.repeat(np.arange(len(counts)), reads)
    turn = np.arange(len(owner)) - np.repeat(np.cumsum(reads) - reads, reads)
    ends = np.minimum((stops - counts)[owner] + (turn + 1) * READ_SAMPLES, stops[owner])
    instants = np.maximum.accumulate(received[owner] + turn * DRAIN_NS)
    return Arrivals(
        1e9 / scenario.rate_hz, truth, index, np.rint(instants).astype(np.int64), ends
    )
