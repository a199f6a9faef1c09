"""Lines to time: dated by their arrival, within what is said of it."""

import itertools
import random

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.clock import BoxClock
from edge.dating.arrivals import Arrivals
from edge.pipeline import EcgFlow
from edge.protocols import make_decoder
from edge.records import EcgChunk, Event, MonotonicNs, Record, SerialChunk

MS = 1_000_000
S = 1_000_000_000
BYTE_NS = 10 * S / 115_200
NONE = np.empty(0, np.int64)
READ_BYTES = 4095  # what the kernel's line buffer holds


def sent(rate_hz: float, seconds: int, pause_s: float) -> NDArray[np.float64]:
    """Return when each line is begun: evenly, but for one pause in the middle."""
    began = S + np.arange(round(rate_hz * seconds)) * S / rate_hz
    began[len(began) // 2 :] += pause_s * S
    return began


def handed_over(
    began: NDArray[np.float64], burst_ms: int, stall_s: float, chance: random.Random
) -> list[SerialChunk]:
    """
    Return the reads of a port that hands over its bytes every *burst_ms*; after a
    quarter of the time nobody reads for *stall_s*.
    """
    text = [b"%.3f,0.125,-0.250\n" % (number / 1000) for number in range(len(began))]
    ready = np.concatenate(
        [
            start + (np.arange(len(line)) + 1) * BYTE_NS
            for start, line in zip(began, text, strict=True)
        ]
    )
    burst, phase = burst_ms * MS, chance.random() * MS
    ready = np.ceil((ready - phase) / burst) * burst + phase
    stall = began[len(began) // 4]
    ready[(ready >= stall) & (ready < stall + stall_s * S)] = stall + stall_s * S
    data, reads = b"".join(text), []
    times, first = np.unique(ready, return_index=True)
    for at, begin, end in zip(times, first, [*first[1:], len(data)], strict=True):
        late = int(at) + round(chance.expovariate(1 / (0.1 * MS)))
        for piece in range(begin, end, READ_BYTES):
            bytes_now = data[piece : min(end, piece + READ_BYTES)]
            reads.append(SerialChunk(MonotonicNs(late), bytes_now))
            late += 60_000
    return reads


def recorded(reads: list[SerialChunk]) -> list[Record]:
    decoder = make_decoder("csv", columns=("number", "one", "other"))
    flow = EcgFlow(decoder, BoxClock(0, lambda: 0), 1, itertools.count(1))
    return [made for read in reads for made in flow.feed(read)] + flow.flush()


@pytest.mark.parametrize("stall_s", [0.0, 0.4, 2.5])
@pytest.mark.parametrize("burst_ms", [1, 16, 64, 200])
@pytest.mark.parametrize("rate_hz", [10, 100, 250])
def test_lines_were_sent_within_the_uncertainty(
    rate_hz: int, burst_ms: int, stall_s: float
) -> None:
    """Also what was held up; and only where the board paused there is a gap."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    began = sent(rate_hz, 40, pause_s=3)

    records = recorded(handed_over(began, burst_ms, stall_s, random.Random(seed)))

    outside, unsure_ns = [], []
    for made in records:
        if isinstance(made, EcgChunk) and made.offsets_us is not None:
            at = made.start + 1000 * made.offsets_us.astype(np.int64)
            missed = at - began[np.rint(made.counts[:, 0] / 1000).astype(int)]
            outside += (np.abs(missed) > made.uncertainty_ns).tolist()
            unsure_ns += [made.uncertainty_ns] * len(at)
    assert len(outside) >= len(began) - 1  # the first may have lost its beginning
    assert np.mean(outside) < 0.01
    assert np.median(unsure_ns) < max(35, burst_ms) * MS
    [gap] = [made for made in records if isinstance(made, Event) and made.kind == "gap"]
    pause = began[len(began) // 2 - 1 :][:2]
    assert gap.ended is not None
    assert np.abs([gap.began, gap.ended] - pause).max() < 1.25 * max(40, burst_ms) * MS


def test_what_came_first_is_dated_before_its_transmission() -> None:
    arrivals = Arrivals(baud=10_000)

    instants, uncertainty = arrivals.date(
        np.array([100, 200]), 200, MonotonicNs(1_000 * MS), NONE
    )

    assert instants.tolist() == [800 * MS, 900 * MS]
    assert uncertainty > 100 * MS


def test_lines_that_come_together_are_dated_in_order() -> None:
    arrivals = Arrivals(baud=10_000)
    arrivals.date(np.array([100]), 100, MonotonicNs(1_050 * MS), NONE)

    instants, _ = arrivals.date(np.array([100, 200]), 200, MonotonicNs(S), NONE)

    assert instants.tolist() == [950 * MS + 1, 950 * MS + 2]
