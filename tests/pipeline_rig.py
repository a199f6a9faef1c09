"""A simulated board's bytes as they arrive, and the records they become."""

import itertools

import numpy as np
from numpy.typing import NDArray

from edge.clock import BoxClock
from edge.pipeline import EcgFlow
from edge.protocols import make_decoder
from edge.records import (
    EcgChunk,
    MonotonicNs,
    Record,
    SerialChunk,
)
from edge.simulator.subject import Samples

LEADS = ("I", "II", "III")
OFFSET_NS = 1_700_000_000_000_000_000
BURST_NS = 16_000_000
DELAY_NS = 3_000_000  # from the sample to the end of its packet on the line
Floats = NDArray[np.float64]


def make_flow(board: str = "openbci-cyton") -> EcgFlow:
    leads = LEADS if board == "openbci-cyton" else ()
    clock = BoxClock(OFFSET_NS, lambda: 0)
    return EcgFlow(make_decoder(board), clock, 7, itertools.count(1), leads=leads)


def patient(count: int) -> Samples:
    number = np.arange(count)
    lead = np.sin(number / 9.0)
    millivolts = np.column_stack([lead, 2 * lead, lead])
    return Samples(number, millivolts, number / 250.0, 70.0, 120.0, 80.0, 98.0)


def bursts(
    packets: list[bytes], period_ns: float, missing: frozenset[int] = frozenset()
) -> list[SerialChunk]:
    """Return the packets as USB hands them over: at the next 16 ms after each."""
    by_burst: dict[int, bytes] = {}
    for number, packet in enumerate(packets):
        if number not in missing:
            ready = number * period_ns + DELAY_NS
            burst = int(ready // BURST_NS + 1) * BURST_NS
            by_burst[burst] = by_burst.get(burst, b"") + packet
    return [SerialChunk(MonotonicNs(at), data) for at, data in sorted(by_burst.items())]


def record(flow: EcgFlow, chunks: list[SerialChunk]) -> list[Record]:
    records = [made for chunk in chunks for made in flow.feed(chunk)]
    return records + flow.lost("the test is over")


def of(kind: type, records: list[Record]) -> list[Record]:
    return [made for made in records if isinstance(made, kind)]


def split(chunks: list[SerialChunk], size: int) -> list[SerialChunk]:
    """Return *chunks* in pieces of *size* bytes, come at the same time."""
    return [
        SerialChunk(chunk.received, chunk.data[at : at + size])
        for chunk in chunks
        for at in range(0, len(chunk.data), size)
    ]


def sample_times(records: list[Record]) -> Floats:
    return np.concatenate(
        [
            np.float64(made.start - OFFSET_NS)
            + np.arange(len(made.counts)) * made.period_ns
            for made in records
            if isinstance(made, EcgChunk)
        ]
    )
