"""What of the ECG is missing is a gap, and nothing else is."""

import numpy as np
import pytest
from boards import COUNTED, FIXED, stream
from pipeline_rig import (
    OFFSET_NS,
    bursts,
    make_flow,
    of,
    patient,
    record,
    sample_times,
    split,
)

from edge.pipeline import CHUNK_NS
from edge.records import (
    EcgChunk,
    Event,
    MonotonicNs,
    Segment,
    SerialChunk,
)
from edge.simulator.encoders import WIRES


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
    assert np.array_equal(counts[0], counts[1])
    assert not [made for made in records if isinstance(made, Event)]
