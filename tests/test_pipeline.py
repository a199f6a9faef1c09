"""Bytes of a board to records, with known true times and no clock of our own."""

import itertools
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pipeline_rig import (
    BURST_NS,
    DELAY_NS,
    LEADS,
    OFFSET_NS,
    bursts,
    make_flow,
    of,
    patient,
    record,
    sample_times,
)

from edge.clock import BoxClock
from edge.pipeline import EcgFlow
from edge.protocols import make_decoder
from edge.records import (
    EcgChunk,
    Event,
    MonotonicNs,
    Segment,
    SerialChunk,
    Vital,
)
from edge.simulator.encoders import WIRES


def test_every_sample_is_kept_with_its_value_and_nearly_its_time() -> None:
    samples = patient(250 * 120)
    packets = WIRES["openbci-cyton"].encode(samples)
    flow = make_flow()

    records = record(flow, bursts(packets, 4_000_000))

    (segment,) = of(Segment, records)
    assert isinstance(segment, Segment)
    assert (segment.leads, segment.stamp, segment.session) == (LEADS, "counter", 7)
    chunks = [made for made in records if isinstance(made, EcgChunk)]
    counts = np.concatenate([chunk.counts for chunk in chunks])
    assert counts.shape == (len(packets), 3)
    millivolts = counts / np.array(segment.gain)
    assert np.abs(millivolts - samples.millivolts).max() < 2e-5
    assert max(len(chunk.counts) for chunk in chunks) < 250
    error_ms = (sample_times(records) - np.arange(len(packets)) * 4e6) / 1e6
    assert np.abs(error_ms[250 * 60 :] - np.median(error_ms)).max() < 4.0
    assert (np.diff(sample_times(records)) > 0).all()


def test_quick_board_gives_small_chunks_that_follow_each_other() -> None:
    """A row of the database that takes more than half of a page wastes the rest."""
    decoder = make_decoder("openbci-cyton")
    decoder.board = decoder.board._replace(sampling_rate_hz=500.0)
    flow = EcgFlow(decoder, BoxClock(OFFSET_NS, lambda: 0), 7, itertools.count(1))
    packets = WIRES["openbci-cyton"].encode(patient(5000))

    records = record(flow, bursts(packets, 2_000_000))
    chunks = [made for made in records if isinstance(made, EcgChunk)]

    assert sum(len(chunk.counts) for chunk in chunks) == len(packets)
    assert max(chunk.counts.size for chunk in chunks) <= 600
    together = [
        after.start - before.start - round(len(before.counts) * before.period_ns)
        for before, after in pairwise(chunks)
        if before.period_ns == after.period_ns
    ]
    assert len(together) > len(chunks) / 2
    assert np.abs(together).max() < 2


def test_port_that_returns_begins_a_segment_after_a_gap() -> None:
    packets = WIRES["openbci-cyton"].encode(patient(2000))
    chunks = bursts(packets, 4_000_000)
    flow = make_flow()

    first = record(flow, chunks[:200])
    second = record(flow, chunks[400:])

    assert len(of(Segment, first)) == len(of(Segment, second)) == 1
    (gap,) = [made for made in second if isinstance(made, Event)]
    assert gap.kind == "gap"
    assert gap.cause == "the test is over"
    chunk = next(made for made in second if isinstance(made, EcgChunk))
    assert gap.ended == chunk.start
    assert chunk.segment == 2


def test_olimex_that_resets_when_its_port_is_opened_is_dated_after_it(
    shared: Path,
) -> None:
    """Twelve packets of before, and 374 that say that it was reset: three seconds."""
    data = (shared / "data/serial/olimex/nsr.bin").read_bytes()[:20_000]
    flow, size, period_ns = make_flow("olimex-125"), 17, 8_000_000
    chunks = [
        SerialChunk(MonotonicNs(at // size * period_ns), data[at : at + 2 * size])
        for at in range(0, len(data), 2 * size)
    ]

    records = record(flow, chunks)

    causes = [made.cause for made in records if isinstance(made, Event)]
    assert causes.count("the board was restarted") == 1
    last = of(Segment, records)[-1]
    assert isinstance(last, Segment)
    first = next(
        made
        for made in records
        if isinstance(made, EcgChunk) and made.segment == last.id
    )
    came = data.rfind(b"\x02\x00" * 6 + b"\x02") // size * period_ns
    assert abs(first.start - OFFSET_NS - came) <= first.uncertainty_ns


def test_board_of_another_rate_than_stated_is_an_event() -> None:
    packets = WIRES["openbci-cyton"].encode(patient(250 * 30))

    records = record(make_flow(), bursts(packets, 4_000_000 / 1.01))

    assert len(of(Segment, records)) == 1
    (event,) = [made for made in records if isinstance(made, Event)]
    assert (event.kind, event.cause[:20]) == ("board", "the board sends 252.")
    error_ms = (sample_times(records) - np.arange(len(packets)) * 4e6 / 1.01) / 1e6
    assert np.abs(error_ms[250 * 10 :] - DELAY_NS / 1e6).max() < 5.0


def test_how_the_bytes_are_cut_changes_no_value() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    packets = WIRES["openbci-cyton"].encode(patient(1500))
    whole = bursts(packets, 4_000_000)
    cut: list[SerialChunk] = []
    for chunk in whole:
        at = chance.randrange(1, len(chunk.data))
        early = MonotonicNs(chunk.received - chance.randrange(1, 2_000_000))
        cut += [SerialChunk(early, chunk.data[:at])]
        cut += [SerialChunk(chunk.received, chunk.data[at:])]

    one, other = record(make_flow(), whole), record(make_flow(), cut)

    counts = [
        np.concatenate([c.counts for c in records if isinstance(c, EcgChunk)])
        for records in (one, other)
    ]
    assert np.array_equal(counts[0], counts[1])
    assert np.abs(sample_times(one) - sample_times(other)).max() < BURST_NS


def test_same_arrivals_give_the_same_records() -> None:
    packets = WIRES["openbci-cyton"].encode(patient(1000))
    chunks = bursts(packets, 4_000_000)
    first, second = record(make_flow(), chunks), record(make_flow(), chunks)
    assert repr(first) == repr(second)


def test_lines_are_dated_by_arrival_and_keep_their_vitals() -> None:
    lines = WIRES["csv"].encode(patient(30))
    chunks = [
        SerialChunk(MonotonicNs((number + 1) * 100_000_000), line)
        for number, line in enumerate(lines)
    ]

    records = record(make_flow("csv"), chunks)

    (segment,) = of(Segment, records)
    assert isinstance(segment, Segment)
    assert (segment.sampling_rate_hz, segment.stamp) == (0.0, "arrival")
    instants: list[int] = []
    for made in records:
        if isinstance(made, EcgChunk):
            assert made.offsets_us is not None
            instants += [made.start + 1000 * int(us) for us in made.offsets_us]
    assert len(instants) == 30
    assert (np.diff(instants) > 0).all()
    arrivals = [OFFSET_NS + chunk.received for chunk in chunks]
    late_ms = (np.array(arrivals) - instants) / 1e6
    assert (late_ms > 0).all()
    assert (late_ms < 20).all()
    vitals = [made for made in records if isinstance(made, Vital)]
    assert {vital.name for vital in vitals} == {
        "heart_rate",
        "blood_pressure_systolic",
        "blood_pressure_diastolic",
        "oxygen_saturation",
    }
    assert {vital.sampled for vital in vitals} <= set(instants)


@pytest.mark.parametrize("seed", range(5))
def test_noise_makes_no_error_and_few_samples(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, 200_000, np.uint8).tobytes()
    chunks = [
        SerialChunk(MonotonicNs(at * 1_000_000), noise[at : at + 1000])
        for at in range(0, len(noise), 1000)
    ]
    records = record(make_flow(), chunks)
    samples = sum(len(c.counts) for c in records if isinstance(c, EcgChunk))
    assert samples < 200
