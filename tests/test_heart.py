"""Heart rate from a lead: drawn hearts whose beats are known, and real ones."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.heart import HeartRate, Rate
from edge.heart.finder import BeatFinder
from edge.patient.heart import beat_times, ecg_mv, noise_mv, rhythm
from edge.protocols import make_decoder
from edge.records import BoxNs

START = BoxNs(1_700_000_000_000_000_000)
LATEST_S = 5.5
"""How long after a beat it is decided at the latest (`edge.heart.finder`)."""
Lead = NDArray[np.float64]


def drawn(
    rate_hz: float, length_s: float, seed: int = 1
) -> tuple[Lead, NDArray[np.float64]]:
    """Return lead II of a drawn heart, with its noise, and the seconds of its beats."""
    number = np.arange(round(length_s * rate_hz))
    heart = rhythm(seed)
    beats = beat_times(-3.0, length_s + 1, heart)
    lead = ecg_mv(number / rate_hz, beats)[:, 1]
    lead = lead + noise_mv(number, number / rate_hz, heart, seed)[:, 1]
    return lead, beats[(beats > 0) & (beats < length_s)]


def rates(lead: Lead, rate_hz: float, each: int = 0) -> list[Rate]:
    """Return what *lead* says, fed in pieces of *each* samples, or 0.4 s."""
    heart = HeartRate(rate_hz)
    each = each or round(0.4 * rate_hz)
    return [
        rate
        for at in range(0, len(lead), each)
        for rate in heart.feed(
            lead[at : at + each], BoxNs(START + round(at * 1e9 / rate_hz))
        )
    ]


def seconds(rate: Rate) -> float:
    return (rate.instant - START) / 1e9


@pytest.mark.parametrize("rate_hz", [125.0, 128.0, 250.0, 360.0, 500.0, 1000.0])
def test_drawn_heart_is_counted_right(rate_hz: float) -> None:
    lead, beats = drawn(rate_hz, 60.0)
    told = rates(lead, rate_hz)

    assert len(told) >= 59 - LATEST_S
    assert all(after.instant - before.instant == 10**9
               for before, after in itertools.pairwise(told))  # fmt: skip
    sure = [rate for rate in told if rate.bpm is not None]
    assert len(sure) >= 50
    for rate in sure:
        recent = beats[(beats <= seconds(rate)) & (beats > seconds(rate) - 10)][-9:]
        truth = 60 * (len(recent) - 1) / (recent[-1] - recent[0])
        assert rate.bpm == pytest.approx(truth, abs=1.0)
        assert rate.reason == ""
        assert rate.quality > 0.9


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_beat_of_a_drawn_heart_is_found_once(seed: int) -> None:
    lead, beats = drawn(250.0, 120.0, seed)
    finder = BeatFinder(250.0)
    found = [beat.sample / 250 for beat in finder.feed(lead)]

    end = 119.5 - LATEST_S
    known = beats[(beats > 1) & (beats < end)]
    inner = [at for at in found if 1 < at < end]
    assert len(inner) == len(known)
    assert np.abs(np.array(inner) - known).max() < 0.05


def test_rate_does_not_depend_on_how_the_lead_was_cut() -> None:
    lead, _ = drawn(360.0, 40.0)
    whole = rates(lead, 360.0, len(lead))
    for each in (1, 7, 360, 5000):
        told = rates(lead, 360.0, each)
        assert [rate[1:] for rate in told] == [rate[1:] for rate in whole]
        for rate, same in zip(told, whole, strict=True):
            assert abs(rate.instant - same.instant) <= 1  # starts are whole ns


def test_rate_is_not_told_late() -> None:
    heart = HeartRate(250.0)
    lead, _ = drawn(250.0, 30.0)
    for at in range(0, len(lead), 25):
        told = heart.feed(lead[at : at + 25], BoxNs(START + at * 4_000_000))
        for rate in told:
            if seconds(rate) <= 4:  # comes with the first template
                continue
            assert (at + 25) / 250 - seconds(rate) <= LATEST_S + 1 + 0.1


@pytest.mark.parametrize("rate_hz", [125.0, 360.0, 1000.0])
@pytest.mark.parametrize("kind", ["flat", "white", "hum", "wander", "walk"])
def test_what_is_no_heart_has_no_rate(kind: str, rate_hz: float) -> None:
    rng = np.random.default_rng(1)
    at_s = np.arange(round(60 * rate_hz)) / rate_hz
    lead = {
        "flat": np.zeros(len(at_s)),
        "white": rng.normal(0, 0.3, len(at_s)),
        "hum": 0.3 * np.sin(2 * np.pi * 50 * at_s),
        "wander": 0.5 * np.sin(2 * np.pi * 0.3 * at_s),
        "walk": np.cumsum(rng.normal(0, 0.02, len(at_s))),
    }[kind]
    told = rates(lead, rate_hz)

    assert len(told) > 50
    assert [rate.bpm for rate in told if rate.bpm is not None] == []
    assert told[-1].reason in ("no_beats", "noisy")


def test_noise_over_a_heart_is_said_and_passes() -> None:
    lead, _ = drawn(250.0, 90.0)
    lead[250 * 30 : 250 * 50] += np.random.default_rng(2).normal(0, 2.0, 250 * 20)
    told = rates(lead, 250.0)

    noisy = [rate for rate in told if 38 < seconds(rate) < 50]
    assert all(rate.bpm is None for rate in noisy)
    assert {rate.reason for rate in noisy} <= {"noisy", "no_beats"}
    assert all(rate.bpm for rate in told if seconds(rate) > 70)


def test_lead_off_is_said_and_passes() -> None:
    lead, _ = drawn(250.0, 90.0)
    lead[250 * 30 : 250 * 50] = np.nan
    told = rates(lead, 250.0)

    assert {r.reason for r in told if 36 < seconds(r) < 50} == {"lead_off"}
    assert all(rate.bpm is None for rate in told if 36 < seconds(rate) < 50)
    assert all(rate.bpm for rate in told if seconds(rate) > 70)


@pytest.mark.parametrize("kind", ["begins", "single"])
def test_few_missing_values_are_no_beats(kind: str) -> None:
    """Nor on an electrode's offset: of chunks that begin so, and of single samples."""
    lead, beats = drawn(500.0, 60.0)
    lead = lead + 8.0
    if kind == "begins":
        lead.reshape(-1, 200)[::6, :8] = np.nan
    else:
        lead[np.random.default_rng(4).random(len(lead)) < 0.1] = np.nan
    told = rates(lead, 500.0, 200)
    sure = [rate.bpm for rate in told if rate.bpm is not None]

    assert len(sure) > 0.7 * len(told)
    assert np.median(sure) == pytest.approx(60 / np.median(np.diff(beats)), abs=2)
    assert max(sure) < 1.2 * np.median(sure)


def test_heart_that_stops_has_no_rate_after_four_seconds() -> None:
    lead, beats = drawn(250.0, 60.0)
    last = beats[beats < 30][-1]
    lead[round((last + 0.5) * 250) :] = 0.0
    told = rates(lead, 250.0)

    assert all(rate.bpm is None for rate in told if seconds(rate) > last + 5)
    assert told[-1].reason == "no_beats"


def test_heart_whose_electrode_has_moved_is_found_again() -> None:
    lead, _ = drawn(250.0, 40.0)
    told = rates(np.concatenate([lead, lead * 0.1, lead * 0.1]), 250.0)
    assert all(rate.bpm for rate in told if seconds(rate) > 60)


def test_long_segment_whose_period_is_refined_keeps_its_rates_and_instants() -> None:
    """A heart a thousand times as slow makes a segment of 16 h out of a minute."""
    lead, _ = drawn(250.0, 60.0)
    slow, refined = 1000, 2.7e-6
    heart = HeartRate(250.0)
    told: list[Rate] = []
    for at in range(0, len(lead), 100):
        start = BoxNs(START + at * 4_000_000 * slow)
        period_ns = 4e6 * slow * (1 + refined * (at // 100 % 2))
        told += heart.feed(lead[at : at + 100], start, period_ns)

    usual = np.median([rate.bpm for rate in rates(lead, 250.0) if rate.bpm])
    assert len(told) >= 59 - LATEST_S
    for second, rate in enumerate(told, 1):
        off_s = seconds(rate) - second * slow
        assert abs(off_s) < 1.1 * (LATEST_S + 1) * slow * refined
        assert rate.bpm is not None or second <= 10
        assert rate.bpm is None or rate.bpm * slow == pytest.approx(usual, rel=0.2)


def test_gap_begins_anew() -> None:
    lead, _ = drawn(250.0, 40.0)
    heart = HeartRate(250.0)
    before = heart.feed(lead[:5000], START)
    after = heart.feed(lead[5000:], BoxNs(START + 60 * 10**9))

    assert before[-1].bpm is not None
    assert after[0].reason == "learning"
    assert after[0].instant == START + 61 * 10**9
    assert after[-1].bpm is not None


def rates_with_losses(
    lead: Lead, rate_hz: float, came: NDArray[np.bool_]
) -> list[Rate]:
    """Return what is told of the samples of *lead* that *came*, in their runs."""
    heart = HeartRate(rate_hz)
    numbers = np.flatnonzero(came)
    told: list[Rate] = []
    for run in np.split(numbers, 1 + np.flatnonzero(np.diff(numbers) > 1)):
        start = BoxNs(START + round(run[0] * 1e9 / rate_hz))
        told += heart.feed(lead[run], start, 1e9 / rate_hz)
    return told


@pytest.mark.parametrize("rate_hz", [125.0, 250.0, 1000.0])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.2])
def test_lost_samples_do_not_raise_the_rate(share: float, rate_hz: float) -> None:
    lead, beats = drawn(rate_hz, 60.0)
    came = np.random.default_rng(1).random(len(lead)) >= share
    told = rates_with_losses(lead, rate_hz, came)

    sure = [rate for rate in told if rate.bpm is not None]
    assert len(sure) >= 50 or (share, rate_hz) == (0.2, 125.0)  # many holes
    for rate in sure:
        recent = beats[(beats <= seconds(rate)) & (beats > seconds(rate) - 10)]
        slowest, *_, fastest = sorted(60 / np.diff(recent))
        assert slowest - 1 <= rate.bpm <= fastest + 1
    for second, rate in enumerate(told, 1):
        assert seconds(rate) == pytest.approx(second, abs=0.01)


@pytest.mark.parametrize(("lost_s", "each_s"), [(0.08, 0.4), (0.09, 1.0), (0.04, 0.4)])
def test_losses_that_may_hide_beats_are_said(lost_s: float, each_s: float) -> None:
    lead, _ = drawn(250.0, 60.0)
    came = np.arange(len(lead)) / 250 % each_s >= lost_s
    told = rates_with_losses(lead, 250.0, came)

    assert {rate.bpm for rate in told} == {None}
    assert {rate.reason for rate in told[10:]} == {"samples_lost"}


def test_clock_that_moves_to_and_fro_loses_no_sample() -> None:
    lead, _ = drawn(250.0, 60.0)
    heart = HeartRate(250.0)
    told: list[Rate] = []
    for at in range(0, len(lead), 100):
        moved = 9_000_000 * (at // 100 % 2)
        told += heart.feed(lead[at : at + 100], BoxNs(START + at * 4_000_000 + moved))

    assert seconds(told[-1]) == pytest.approx(len(told), abs=0.02)
    assert [rate.bpm for rate in told[10:]] == pytest.approx(
        [rate.bpm for rate in rates(lead, 250.0)][10 : len(told)], abs=0.5
    )


def complexes(beats: Lead, t_mv: float, width: float = 1.0) -> Lead:
    """Return a minute at 250 Hz: R, S and, 0.27 s after R, T of *t_mv*, at *beats*."""
    at_s = np.arange(60 * 250) / 250
    lead = np.random.default_rng(1).normal(0, 0.01, len(at_s))
    waves = ((0, 0.011 * width, 1), (0.03 * width, 0.009 * width, -0.2))
    for after_s, wide_s, high_mv in (*waves, (0.27, 0.045, t_mv)):
        for beat in beats:
            lead += high_mv * np.exp(-(((at_s - beat - after_s) / wide_s) ** 2) / 2)
    return lead


@pytest.mark.parametrize("bpm", [200, 230, 236, 240, 250, 280, 300, 320])
def test_very_fast_heart_is_not_told_as_half(bpm: int) -> None:
    told = rates(complexes(np.arange(0.5, 60, 60 / bpm), 0.1), 250.0)

    assert all(rate.bpm for rate in told[20:])
    for rate in told:
        assert rate.bpm is None or 0.88 * bpm < rate.bpm < 1.03 * bpm


@pytest.mark.parametrize("bpm", [335, 350, 400])
def test_what_is_too_fast_to_count_has_no_rate(bpm: int) -> None:
    told = rates(complexes(np.arange(0.5, 60, 60 / bpm), 0.1), 250.0)
    assert {rate.bpm for rate in told} == {None}


def test_heart_that_is_very_fast_for_a_while_is_never_told_as_half() -> None:
    beats = [
        np.arange(0.5, 20, 0.75),
        np.arange(20.2, 40, 0.24),
        np.arange(40.2, 60, 0.75),
    ]
    told = rates(complexes(np.concatenate(beats), 0.1), 250.0)

    fast = [rate.bpm for rate in told if 30 < seconds(rate) < 40]
    assert fast == pytest.approx([250.0] * len(fast), rel=0.02)
    for rate in told:
        if 20 <= seconds(rate) <= 30:
            assert rate.bpm is None or not 90 < rate.bpm < 230
        else:
            assert seconds(rate) <= 50 or rate.bpm is None or rate.bpm < 85


@pytest.mark.parametrize(("bpm", "t_mv"), [(50, 1.0), (72, 1.3), (100, 1.3)])
def test_high_t_waves_are_not_told_as_beats(bpm: int, t_mv: float) -> None:
    told = rates(complexes(np.arange(0.5, 60, 60 / bpm), t_mv), 250.0)

    assert {rate.bpm for rate in told[10:]} == {None}
    assert {rate.reason for rate in told[10:]} == {"noisy"}


def test_spikes_of_a_pacemaker_are_not_told_as_beats() -> None:
    beats = np.arange(0.5, 60, 60 / 70)
    lead = complexes(beats, 0.25, 2.5)
    for before_s in (0.25, 0.1):
        lead[np.round((beats - before_s) * 250).astype(int)] += 5
    for rate in rates(lead, 250.0):
        assert rate.bpm is None or rate.bpm == pytest.approx(70, abs=1)


@pytest.mark.parametrize("coupling_s", [0.42, 0.5, 0.6])
def test_bigeminy_is_counted_right(coupling_s: float) -> None:
    """A ventricular beat after each: wide, and as large the other way."""
    first = np.arange(0.5, 60, 1.5)
    lead = complexes(first, 0.25) - 1.3 * complexes(first + coupling_s, 0.3, 3.0)
    told = [rate.bpm for rate in rates(lead, 250.0)[20:]]
    assert told == pytest.approx([80.0] * len(told), abs=3)


def test_lead_that_is_sampled_too_slowly_has_no_rate() -> None:
    told = rates(drawn(50.0, 20.0)[0], 50.0)

    assert {rate.reason for rate in told} == {"too_slow"}
    assert len(told) >= 15


@pytest.mark.parametrize(
    ("name", "bpm"), [("nsr", 72), ("s-brady", 41), ("sinus-pvc", 72)]
)
def test_recorded_rhythms(shared: Path, name: str, bpm: float) -> None:
    """The median rate beside the one counted when the captures were collected."""
    told = rates(olimex(shared, name), 125.0)
    sure = [rate.bpm for rate in told if rate.bpm is not None]

    assert len(sure) > 0.6 * len(told)
    assert np.median(sure) == pytest.approx(bpm, abs=2)


def test_recorded_fibrillation_is_no_echo_of_itself(shared: Path) -> None:
    """Beats are close behind each other, but of one kind."""
    lead = olimex(shared, "afib")
    usual, top = np.quantile(lead, [0.5, 0.995])
    high = lead > (usual + top) / 2
    beats = np.flatnonzero(high[1:] & ~high[:-1])
    beats = beats[np.diff(beats, prepend=-125) > 0.16 * 125]
    told = rates(lead, 125.0)
    sure = [rate.bpm for rate in told if rate.bpm is not None]

    assert len(sure) > 0.9 * len(told)
    assert np.median(sure) == pytest.approx(60 * 125 * len(beats) / len(lead), rel=0.1)


def test_recorded_asystole_has_no_rate(shared: Path) -> None:
    assert {rate.bpm for rate in rates(olimex(shared, "asys"), 125.0)} == {None}


def olimex(shared: Path, name: str) -> Lead:
    decoder = make_decoder("olimex-125")
    got = decoder.feed((shared / f"data/serial/olimex/{name}.bin").read_bytes())
    return (got.counts[:, 0] - decoder.board.baseline[0]) / decoder.board.gain[0]


@pytest.mark.parametrize(("name", "at_least"), [("105", 0.985), ("119", 0.995)])
def test_annotated_beats_are_found(shared: Path, name: str, at_least: float) -> None:
    """Five minutes of each; scripts/bench heart looks at all of it."""
    folder = shared / "data/ecg/mitdb"
    lead = packed_212((folder / f"{name}.dat").read_bytes())[: 300 * 360]
    lead_mv = (lead - 1024) / 200
    with (folder / f"{name}_all.csv").open() as lines:
        marks = [int(row[1]) for row in list(csv.reader(lines))[1:]]
    beats = [at for at in marks if 360 < at < len(lead) - 360]
    finder = BeatFinder(360.0)
    found = [beat.sample for beat in finder.feed(lead_mv) + finder.finish()]

    hits = [any(abs(at - beat) <= 54 for at in found) for beat in beats]
    true = [any(abs(at - beat) <= 54 for beat in marks) for at in found]
    assert sum(hits) >= at_least * len(beats)
    assert sum(true) >= at_least * len(found)


def packed_212(data: bytes) -> NDArray[np.int64]:
    """Return the samples of a WFDB file of format 212: two in three bytes."""
    triples = np.frombuffer(data, np.uint8)[: len(data) // 3 * 3].reshape(-1, 3)
    low, both, high = triples.astype(np.int64).T
    pairs = np.stack([low | (both & 0x0F) << 8, high | (both >> 4) << 8], axis=1)
    samples = pairs.reshape(-1)
    return np.where(samples >= 2048, samples - 4096, samples)
