"""Bytes of a board to records, with known true times and no clock of our own."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
from boards import COUNTED, FIXED, stream
from numpy.typing import NDArray

from edge.clock import BoxClock
from edge.pipeline import CHUNK_NS, EcgFlow
from edge.protocols import make_decoder
from edge.records import (
    EcgChunk,
    Event,
    MonotonicNs,
    Record,
    Segment,
    SerialChunk,
    Vital,
)
from edge.simulator.encoders import WIRES
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


def test_lost_packets_are_gaps_that_name_how_many() -> None:
    packets = WIRES["openbci-cyton"].encode(patient(2500))
    missing = frozenset([300, 301, 302, 1200, 2000])

    records = record(make_flow(), bursts(packets, 4_000_000, missing))

    gaps = [made for made in records if isinstance(made, Event) and made.kind == "gap"]
    assert [gap.detail["lost"] for gap in gaps] == [3, 1, 1]
    assert sum(len(c.counts) for c in records if isinstance(c, EcgChunk)) == 2495
    for gap in gaps:
        assert gap.ended is not None
        assert gap.began < gap.ended
    assert len(of(Segment, records)) == 1


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
    assert np.array_equal(*counts)
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


@pytest.mark.parametrize(
    ("between", "cause"),
    [
        (b"", "no sample came for 9.9 s"),
        (b"ESP32 ready\n", "no sample came for 9.9 s"),
        (b"1,2,3\n", "only damaged lines came for 9.9 s"),
    ],
)
@pytest.mark.parametrize("idle", [True, False])
def test_silence_on_an_open_port_is_a_gap(
    between: bytes, cause: str, idle: bool
) -> None:
    lines = WIRES["csv"].encode(patient(40))
    at = [100_000_000 * (number + 98 * (number >= 20)) for number in range(40)]
    chunks = [SerialChunk(MonotonicNs(t), b) for t, b in zip(at, lines, strict=True)]
    flow = make_flow("csv")

    records = [made for chunk in chunks[:20] for made in flow.feed(chunk)]
    if idle:
        records += flow.idle(MonotonicNs(3_000_000_000))
    for late in range(5) if between else ():
        early = SerialChunk(MonotonicNs(4_000_000_000 + late * 10**9), between)
        records += flow.feed(early)
    records += record(flow, chunks[20:])

    assert len(of(Segment, records)) == 1
    [gap] = [made for made in records if isinstance(made, Event) and made.kind == "gap"]
    assert gap.cause == cause
    times = [
        made.start + 1000 * int(us)
        for made in records
        if isinstance(made, EcgChunk) and made.offsets_us is not None
        for us in made.offsets_us
    ]
    assert (gap.began, gap.ended) == (times[19], times[20])


def test_waiting_bytes_are_not_held_back_by_silence() -> None:
    packets = WIRES["openbci-cyton"].encode(patient(8))
    flow = make_flow()
    (chunk, *_) = bursts(packets, 4_000_000)

    assert flow.feed(chunk) == []
    assert flow.idle(MonotonicNs(chunk.received + CHUNK_NS - 1)) == []
    assert of(EcgChunk, flow.idle(MonotonicNs(chunk.received + CHUNK_NS)))


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


UNCOUNTED = {kind.name: kind for kind in FIXED if kind not in COUNTED}


@pytest.mark.parametrize("cut", [1, 5, 1000])
@pytest.mark.parametrize("name", sorted(UNCOUNTED))
def test_damaged_packets_of_a_board_without_counter_are_gaps(
    name: str, cut: int
) -> None:
    units, counts = stream(UNCOUNTED[name], 1200, seed=1)
    samples = len(counts) // len(units)
    damaged = [300, *range(500, 505), 700, *range(900, 920)]
    for number in damaged:
        units[number] = b"\x01" + units[number][1:]
    units[400] += b"hello from the firmware, all is well\r\n"
    units[410] += b"\xff\x80" * (len(units[0]) * 2 // 5)  # noise, and no packet lost
    flow = make_flow(name)
    period_ns = samples * 1e9 / flow.board.sampling_rate_hz

    records = record(flow, split(bursts(units, period_ns), cut))

    gaps = [made for made in records if isinstance(made, Event) and made.kind == "gap"]
    assert [g.detail["lost"] for g in gaps] == [samples * n for n in (1, 5, 1, 20)]
    kept = np.delete(np.arange(len(counts)).reshape(-1, samples), damaged, 0).ravel()
    times = sample_times(records)
    assert len(times) == len(kept)
    error_ns = times - kept * 1e9 / flow.board.sampling_rate_hz
    late_ns = error_ns - np.median(error_ns)
    assert np.abs(late_ns[len(late_ns) // 6 :]).max() < 1e9 / 125
    assert len(of(Segment, records)) == 1


def line_gaps(
    sent: dict[int, list[bytes]], expected: list[tuple[str, int, int]]
) -> None:
    """
    Check that lines *sent* at so many milliseconds leave the *expected* gaps: cause,
    and the milliseconds of the lines before and after.
    """
    chunks = [
        SerialChunk(MonotonicNs(at * 1_000_000), b"".join(lines))
        for at, lines in sorted(sent.items())
    ]
    records = record(make_flow("csv"), chunks)
    gaps = [made for made in records if isinstance(made, Event) and made.kind == "gap"]
    assert [gap.cause for gap in gaps] == [cause for cause, _, _ in expected]
    for gap, (_, began, ended) in zip(gaps, expected, strict=True):
        assert gap.ended is not None
        for instant, at in ((gap.began, began), (gap.ended, ended)):
            assert -20e6 < instant - OFFSET_NS - at * 1e6 <= 0


def test_damaged_lines_are_gaps_that_count_them() -> None:
    lines = WIRES["csv"].encode(patient(120))
    sent = {100 * number: [line] for number, line in enumerate(lines)}
    for number in (0, 30, 50, 51, 52, 70, 119):
        sent[100 * number] = [lines[number].replace(b",", b"?")]
    sent[7000] = [b"ESP32 is well\n"]

    expected = [
        ("a line was damaged", 2900, 3100),
        ("3 lines were damaged", 4900, 5300),
    ]
    line_gaps(sent, expected)


@pytest.mark.parametrize(
    ("interval_ms", "pause_ms", "gap"),
    [(10, 200, False), (10, 300, True), (100, 400, False), (100, 700, True),
     (1000, 1900, False), (1000, 2900, True)],
)  # fmt: skip
def test_pause_that_is_long_for_the_board_is_a_gap(
    interval_ms: int, pause_ms: int, gap: bool
) -> None:
    line = WIRES["csv"].encode(patient(1))[0]
    before = 10_000
    times = [*range(0, before, interval_ms)]
    times += range(times[-1] + pause_ms, 2 * before, interval_ms)
    times = [at for at in times if at < 2 * before]

    words = f"no sample came for {pause_ms / 1000:.1f} s"
    last = before - interval_ms
    line_gaps(
        {at: [line] for at in times}, [(words, last, last + pause_ms)] if gap else []
    )


@pytest.mark.parametrize("interval_ms", [10, 100])
@pytest.mark.parametrize("burst_ms", [16, 64, 250, 1500])
def test_bursts_and_lines_that_were_held_up_are_no_gap(
    interval_ms: int, burst_ms: int
) -> None:
    lines = iter(WIRES["csv"].encode(patient(3000)))
    sent: dict[int, list[bytes]] = {}
    for at in range(0, 30_000, interval_ms):
        handed_over = (at // burst_ms + 1) * burst_ms
        if 20_000 <= handed_over < 20_800:
            handed_over = max(20_800, handed_over)
        sent.setdefault(handed_over, []).append(next(lines))

    line_gaps(sent, [])


@pytest.mark.parametrize("cut", [1, 33, 1000])
@pytest.mark.parametrize("bit", range(8))
def test_flipped_bit_of_a_counter_costs_its_packet_alone(bit: int, cut: int) -> None:
    packets = WIRES["openbci-cyton"].encode(patient(2000))
    flipped = [500, 751, 1000, 1002, 1255]
    for number in flipped:
        packet = bytearray(packets[number])
        packet[1] ^= 1 << bit
        packets[number] = bytes(packet)
    records = record(make_flow(), split(bursts(packets, 4e6), cut))

    gaps = [made for made in records if isinstance(made, Event) and made.kind == "gap"]
    assert [gap.detail["lost"] for gap in gaps] == [1] * len(flipped)
    times = sample_times(records)
    kept = np.delete(np.arange(2000), flipped)
    assert len(times) == len(kept)
    late_ms = (times - kept * 4e6) / 1e6
    assert np.abs(late_ms - np.median(late_ms))[250:].max() < 2.1


@pytest.mark.parametrize("cut", [1, 33, 1000])
def test_packet_that_comes_twice_is_kept_once(cut: int) -> None:
    packets = WIRES["openbci-cyton"].encode(patient(2000))
    sent = [packet * (3 if n % 97 == 5 else 1) for n, packet in enumerate(packets)]
    records = record(make_flow(), split(bursts(sent, 4e6), cut))

    whole = record(make_flow(), bursts(packets, 4e6))
    counts = [
        np.concatenate([made.counts for made in some if isinstance(made, EcgChunk)])
        for some in (records, whole)
    ]
    assert np.array_equal(*counts)
    assert not [made for made in records if isinstance(made, Event)]
