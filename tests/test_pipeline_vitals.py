"""Vitals on their way: stated as often as they must be, and gone when they are."""

import itertools

import numpy as np
import pytest
from pipeline_rig import OFFSET_NS, record

from edge.clock import BoxClock
from edge.pipeline import EcgFlow
from edge.protocols import make_decoder
from edge.records import (
    MonotonicNs,
    SerialChunk,
    Vital,
)


def vitals_of(lines: list[bytes], interval_ms: int) -> list[tuple[float, float | None]]:
    """Return when, in seconds, which heart rate is kept of *lines*; checks reasons."""
    chunks = [
        SerialChunk(MonotonicNs(number * interval_ms * 1_000_000), line)
        for number, line in enumerate(lines)
    ]
    clock = BoxClock(OFFSET_NS, lambda: 0)
    decoder = make_decoder("csv", columns=("a", "heart_rate"))
    records = record(EcgFlow(decoder, clock, 7, itertools.count(1)), chunks)
    vitals = [made for made in records if isinstance(made, Vital)]
    for made in vitals:
        assert made.reason == ("" if made.value is not None else "not_sent")
    return [((made.sampled - OFFSET_NS) / 1e9, made.value) for made in vitals]


@pytest.mark.parametrize("interval_ms", [4, 100, 1000])
def test_vital_that_stays_is_stated_each_second_whatever_the_pace(
    interval_ms: int,
) -> None:
    lines = [b"?\n"] + [b"1,72\n"] * (30_000 // interval_ms)
    kept = vitals_of(lines, interval_ms)

    assert {value for _, value in kept} == {72.0}
    steps = np.diff([at for at, _ in kept])
    assert 28 <= len(kept) <= 34
    assert 0.89 < steps.min() <= steps.max() < 1.11


@pytest.mark.parametrize("none", [b"", b"nan", b"--"])
def test_vital_that_is_sent_no_more_is_so_stated_once(none: bytes) -> None:
    sent = b"1,72\n"
    gone = b"1," + none + b"\n"
    kept = vitals_of([b"?\n", *[sent] * 100, *[gone] * 200, *[sent] * 20], 100)

    values = [value for _, value in kept]
    assert values.count(None) == 1
    at, _ = kept[values.index(None)]
    assert 12.9 < at < 13.6  # not before it was missed for three seconds
    assert max(at for at, _ in kept if at < 12.9) <= 10.1
    again = kept[values.index(None) + 1]
    assert again[1] == 72.0
    assert 30 < again[0] < 30.2


def test_vital_of_a_few_lines_is_not_gone_in_those_between() -> None:
    lines = [b"1,72\n" if number % 10 == 1 else b"1,\n" for number in range(300)]
    kept = vitals_of([b"?\n", *lines], 100)

    assert [value for _, value in kept] == [72.0] * 30


def test_vital_that_a_board_leaves_out_after_its_return_is_gone() -> None:
    decoder = make_decoder("csv", columns=("a", "heart_rate"))
    clock = BoxClock(OFFSET_NS, lambda: 0)
    flow = EcgFlow(decoder, clock, 7, itertools.count(1))
    kept = []
    for line, seconds in ((b"1,72\n", range(1, 9)), (b"1,\n", range(20, 29))):
        sent = [SerialChunk(MonotonicNs(s * 10**9), b"\n" + line) for s in seconds]
        kept += [made for made in record(flow, sent) if isinstance(made, Vital)]

    assert [made.value for made in kept] == [72.0] * 8 + [None]
