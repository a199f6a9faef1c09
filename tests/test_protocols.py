"""
Decoders of ECG boards: the same promises for all.

EDGE_FUZZ_BYTES sets how many fuzzed bytes each board is fed (10⁷ unless set).
"""

import os
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from boards import (
    COUNTED,
    FIXED,
    KINDS,
    Kind,
    cuts,
    damage,
    every_board,
    every_format,
    feed,
    stream,
)

from edge import config
from edge.errors import ConfigError
from edge.protocols import DECODERS, make_decoder
from edge.records import MISSING

FUZZ_BYTES = int(float(os.environ.get("EDGE_FUZZ_BYTES", "1e7")))


def test_every_board_of_the_table_is_tested() -> None:
    assert {kind.name for kind in KINDS} == set(DECODERS)


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_board_of_the_table_can_be_configured(name: str, tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(f'[ecg]\nboard = "{name}"\n')

    assert config.load(tmp_path / "edge.toml").ecg.board == name


@every_board
def test_board_says_how_to_read_its_counts(kind: Kind) -> None:
    board = kind.decoder().board

    assert board.name == kind.name
    assert len(board.leads) == len(board.gain) == len(board.baseline) > 0
    assert len(set(board.leads)) == len(board.leads)
    assert all(gain > 0 for gain in board.gain)
    assert board.checked == (kind.name == "bitalino")


@every_board
def test_clean_stream_is_decoded_whole(kind: Kind) -> None:
    units, counts = stream(kind, 1000, seed=1)

    decoder = kind.decoder()
    got = feed(decoder, [b"".join(units)])

    ends = np.cumsum([len(unit) for unit in units]) - kind.tail
    assert np.array_equal(got.counts, counts)
    assert np.array_equal(got.ends, np.repeat(ends, len(counts) // 1000))
    # what follows the last sample is undecided until the next one
    assert decoder.tally == (1000 * kind.packets - bool(kind.tail), 0, 0)
    if decoder.board.counter_modulus:
        assert np.array_equal(
            got.counter, np.arange(1000) % decoder.board.counter_modulus
        )


@every_format
@pytest.mark.parametrize("longest", [1, 3, 7, 40, 400, 4000])
def test_every_cut_decodes_alike(kind: Kind, longest: int) -> None:
    units, _ = stream(kind, 400, seed=longest)
    rng = random.Random(longest)
    damaged = bytearray(b"".join(units))
    damage(damaged, rng, times=40)
    damaged += b"".join(units[:3])
    whole, cut = kind.decoder(), kind.decoder()

    expected = feed(whole, [bytes(damaged)])
    got = feed(cut, cuts(bytes(damaged), rng, longest))

    assert len(expected.counts) > 100
    assert np.array_equal(got.counts, expected.counts)
    assert np.array_equal(got.counter, expected.counter)
    assert got.readings == expected.readings
    assert cut.tally == whole.tally


@every_format
@pytest.mark.parametrize("harm", ["add", "lose", "flip"])
def test_way_back_is_found_within_one_packet_of_the_last_bad_byte(
    kind: Kind, harm: str
) -> None:
    rng = random.Random(harm)
    for trial in range(150):
        units, counts = stream(kind, 40, seed=trial, first=rng.randrange(500))
        if harm == "add":
            middle = rng.randbytes(rng.randrange(1, 400)) + units[20]
        elif harm == "lose":
            cut = rng.randrange(1, len(units[20]))
            middle = units[20][cut:] if rng.random() < 0.5 else units[20][:cut]
        else:
            middle = bytes(byte ^ rng.randrange(1, 256) for byte in units[20])

        got = feed(
            kind.decoder(),
            cuts(b"".join([*units[:20], middle, *units[21:]]), rng, 500),
        )

        per_unit = len(counts) // 40
        after = counts[22 * per_unit :]  # one may be lost, unit 21
        assert np.array_equal(got.counts[-len(after) :], after)


@pytest.mark.parametrize("kind", COUNTED, ids=str)
def test_counter_or_checksum_refuses_damaged_packets(kind: Kind) -> None:
    """Where it can: a checksum in any byte, a counter in the bytes of the frame."""
    board = kind.decoder().board
    units, _ = stream(kind, 4000, seed=5)
    rng = random.Random(5)
    size = len(units[0]) // kind.packets
    fixed = {33: [0, 1, 32], 17: [0, 1, 2, 3]}.get(size, range(size))
    damaged = {}
    for number in range(3, 3997, 4):  # with three whole ones between
        at = rng.randrange(kind.packets) * size
        unit = bytearray(units[number])
        for place in rng.sample(list(fixed), rng.randint(1, min(3, len(fixed)))):
            unit[at + place] ^= rng.randrange(1, 256)
        if size == 33 and 0xC0 <= unit[at + 32] <= 0xC6:  # stands for another aux
            unit[at] ^= 0x01
        units[number] = damaged[number] = bytes(unit)

    got = feed(kind.decoder(), [b"".join(units)])

    arrived = set((got.ends // len(units[0]) - 1).tolist())
    accepted = len(arrived & set(damaged))
    if kind.packets == 2:  # the other half of a sample is whole
        lost = (got.counts == MISSING).any(axis=1)
        assert lost.sum() >= 0.99 * len(damaged)
    else:
        odds = 2**-4 if board.checked else 2**-8
        print(f"{accepted} of {len(damaged)} damaged packets accepted")
        assert accepted <= 1.5 * odds * len(damaged)
    assert len(arrived | set(damaged)) == 4000


@every_format
def test_restarted_decoder_joins_no_halves(kind: Kind) -> None:
    units, counts = stream(kind, 60, seed=9)
    rng = random.Random(9)
    per_unit = len(counts) // 60
    for cut in (rng.randrange(1, len(units[20])) for _ in range(30)):
        decoder = kind.decoder()
        feed(decoder, [b"".join(units[:20]) + units[20][:cut]])
        decoder.restart()
        after = b"".join([units[40][cut:], *units[41:]])
        got = feed(decoder, [after])

        # the half at the beginning is none; a line without whole stamp may be the rest
        assert np.array_equal(got.counts[-18 * per_unit :], counts[42 * per_unit :])
        assert len(got.counts) <= (18 + kind.packets) * per_unit


@pytest.mark.timeout(600 + FUZZ_BYTES // 500_000)
@every_format
def test_fuzzed_bytes_do_no_harm(kind: Kind) -> None:
    decoder = kind.decoder()
    units, counts = stream(kind, 2000, seed=7)
    clean = b"".join(units)
    longest = max(map(len, units))
    rng = random.Random(7)
    fed = 0
    while fed < FUZZ_BYTES:
        block = bytearray(clean)
        if rng.random() < 0.3:
            block = bytearray(rng.randbytes(len(clean)))
        damage(block, rng, times=rng.randrange(200))
        for chunk in cuts(bytes(block), rng, rng.choice([200, 3000, 100_000])):
            decoder.feed(chunk)
            fed += len(chunk)
    tally = decoder.tally
    if kind in FIXED and kind.packets == 1:  # no byte is lost from the books
        assert 0 <= fed - tally.packets * longest - tally.skipped_bytes < 4 * longest

    got = feed(decoder, [clean])

    print(f"{fed} bytes: {tally}")
    assert np.array_equal(got.counts[-len(counts) + 8 :], counts[8:])


@every_format
def test_board_that_babbles_takes_no_memory(kind: Kind) -> None:
    decoder = kind.decoder()
    rng = random.Random(8)
    blocks = [rng.randbytes(60_000), b"\xa0" * 60_000, b"9" * 60_000, b"\x0a" * 60_000]
    for block in blocks:
        decoder.feed(block)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for block in blocks * 2:
            decoder.feed(block)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    print(f"{kept} bytes kept of {2 * sum(map(len, blocks))}")
    assert kept < 20_000


def test_unknown_board_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no board 'ekg'; known are bitalino, csv, "):
        make_decoder("ekg")


def test_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="board csv: .*colums"):
        make_decoder("csv", colums=("a",))
