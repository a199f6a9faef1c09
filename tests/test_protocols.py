"""
Decoders of ECG boards: the same promises for all, then what is special about each.

EDGE_FUZZ_BYTES sets how many fuzzed bytes each board is fed (10⁷ unless set).
"""

import json
import os
import random
import struct
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from edge import config
from edge.errors import ConfigError
from edge.protocols import DECODERS, Decoder, Packets, make_decoder
from edge.protocols.csv import COLUMNS
from edge.records import MISSING, VITALS

FUZZ_BYTES = int(float(os.environ.get("EDGE_FUZZ_BYTES", "1e7")))


Rows = list[list[int]]


class Kind(NamedTuple):
    """A board as these tests make its bytes: by struct, one unit after the other."""

    name: str
    make: Callable[[random.Random, int], tuple[bytes, Rows]]
    # the bytes of one unit, by its number, and the samples in it
    options: dict[str, object] = {}
    packets: int = 1  # in one unit
    tail: int = 0  # bytes of a unit after its last sample has ended

    def decoder(self) -> Decoder:
        return make_decoder(self.name, **self.options)

    def __str__(self) -> str:
        return "-".join([self.name, *map(str, self.options.values())])


def csv_line(rng: random.Random, number: int) -> tuple[bytes, Rows]:
    leads = [rng.randrange(-5_000_000, 5_000_000) for _ in range(3)]
    words = [f"{lead / 1e6:.6f}" for lead in leads]
    stamp = f"2025-06-29T14:22:{number % 60:02d}.{rng.randrange(10**6):06d}"
    line = f"{stamp},{60 + number // 50 % 40},{','.join(words)},120,80,98\n"
    return line.encode(), [leads]


def stamped_value(rng: random.Random, number: int) -> tuple[bytes, Rows]:
    line, [leads] = csv_line(rng, number)
    return b",".join(line.split(b",")[::2][:2]) + b"\n", [leads[:1]]


def cyton_packet(rng: random.Random, number: int) -> tuple[bytes, Rows]:
    counts = [rng.randrange(-(2**23), 2**23) for _ in range(8)]
    channels = b"".join(count.to_bytes(3, "big", signed=True) for count in counts)
    aux = rng.randbytes(6)
    return struct.pack("BB24s6sB", 0xA0, number % 256, channels, aux, 0xC0), [counts]


def daisy_pair(rng: random.Random, number: int) -> tuple[bytes, Rows]:
    daisy, [upper] = cyton_packet(rng, 2 * number)
    board, [lower] = cyton_packet(rng, 2 * number + 1)
    return daisy + board, [lower + upper]


def healthypi_packet(rng: random.Random, number: int) -> tuple[bytes, Rows]:
    ecg = rng.randrange(-(2**15), 2**15)
    vitals = (rng.randrange(3000, 4000), 16, 97, 60 + number // 200 % 40)
    return struct.pack(
        "<BBHBhhiihBBBBBBBB", 0x0A, 0xFA, 20, 2, ecg, rng.randrange(100),
        rng.randrange(2**22), rng.randrange(2**22), *vitals, 80, 120, 0, 0, 0x0B
    ), [[ecg]]  # fmt: skip


def healthypi5_packet(rng: random.Random, number: int) -> tuple[bytes, Rows]:
    ecg = rng.randrange(-(2**25), 2**25)
    vitals = (rng.randrange(3000, 4000), 97, 60 + number // 200 % 40, 16)
    return struct.pack(
        "<BBHBiiBiihBBBBB", 0x0A, 0xFA, 22, 2, ecg, rng.randrange(2**20), 0,
        rng.randrange(2**22), rng.randrange(2**22), *vitals, 0, 0x0B
    ), [[ecg]]  # fmt: skip


def healthypi5_batch(rng: random.Random, number: int) -> tuple[bytes, Rows]:
    ecg = [rng.randrange(-(2**25), 2**25) for _ in range(8)]
    impedance = [rng.randrange(2**20) for _ in range(4)]
    first = struct.pack(
        "<BBHB8i4iBBBB", 0x0A, 0xFA, 50, 3, *ecg, *impedance, 70, 16, 0, 0x0B
    )
    pulse = [rng.randrange(-(2**15), 2**15) for _ in range(8)]
    second = struct.pack(
        "<BBHB8hBBBBB", 0x0A, 0xFA, 19, 4, *pulse, 90 + number % 10, 14, 14, 0, 0x0B
    )
    return first + second, [[value] for value in ecg]


def olimex_packet(rng: random.Random, number: int) -> tuple[bytes, Rows]:
    channels = [rng.randrange(1024) for _ in range(6)]
    data = struct.pack(">BBBB6HB", 0xA5, 0x5A, 2, number % 256, *channels, 1)
    return data, [[1024 - channels[0]]]


def bitalino_frame(
    rng: random.Random, number: int, channels: int
) -> tuple[bytes, Rows]:
    """Return a frame made bit by bit: first the last byte's upper half."""
    widths = [10, 10, 10, 10, 6, 6][:channels]
    counts = [rng.randrange(2**width) for width in widths]
    bits = f"{number % 16:04b}0000{rng.randrange(16):04b}"
    bits += "".join(f"{c:0{w}b}" for c, w in zip(counts, widths, strict=True))
    bits += "0" * (-len(bits) % 8)
    frame = bytearray(int(bits, 2).to_bytes(len(bits) // 8, "big")[::-1])
    frame[-1] |= crc4(bytes(frame))
    return bytes(frame), [counts]


def crc4(frame: bytes) -> int:
    """Return the checksum of x^4 + x + 1 over *frame*, by shifting bits."""
    register = 0
    for byte in frame:
        for bit in range(7, -1, -1):
            register = register << 1 | (byte >> bit & 1)
            if register & 0x10:
                register ^= 0x13
    return register


KINDS = [
    Kind("csv", csv_line),
    Kind("csv", stamped_value, {"columns": ("timestamp", "ecg")}),
    Kind("healthypi", healthypi_packet),
    Kind("healthypi3", healthypi_packet),
    Kind("healthypi5", healthypi5_packet),
    Kind("healthypi5-batches", healthypi5_batch, packets=2, tail=26),
    Kind("openbci-cyton", cyton_packet),
    Kind("openbci-cyton-daisy", daisy_pair, packets=2),
    Kind("olimex", olimex_packet),
    Kind("olimex-125", olimex_packet),
    Kind("bitalino", partial(bitalino_frame, channels=1)),
    *(
        Kind("bitalino", partial(bitalino_frame, channels=len(channels)),
             {"channels": channels})
        for channels in ((1, 2), (1, 2, 3), (1, 2, 3, 4, 5, 6))
    ),
]  # fmt: skip
FIXED = [kind for kind in KINDS if kind.name != "csv"]
DISTINCT = [kind for kind in KINDS if kind.name not in ("healthypi3", "olimex-125")]

COUNTED = [kind for kind in DISTINCT if kind.decoder().board.counter_modulus]

every_board = pytest.mark.parametrize("kind", KINDS, ids=str)
every_format = pytest.mark.parametrize("kind", DISTINCT, ids=str)


def stream(
    kind: Kind, units: int, seed: int, first: int = 0
) -> tuple[list[bytes], NDArray[np.int32]]:
    """Return the bytes of *units* and the counts in them."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    made = [kind.make(rng, number) for number in range(first, first + units)]
    rows = [row for _, rows in made for row in rows]
    return [data for data, _ in made], np.array(rows, np.int32)


def feed(decoder: Decoder, chunks: Iterable[bytes]) -> Packets:
    """Return everything that *chunks* hold as one, each answer checked for its form."""
    got = []
    samples = fed = 0
    for chunk in chunks:
        part = checked(decoder, chunk)
        got.append(
            part._replace(
                ends=part.ends + fed,
                readings=tuple(
                    reading._replace(packet=reading.packet + samples)
                    for reading in part.readings
                ),
            )
        )
        samples += len(part.counts)
        fed += len(chunk)
    return Packets(
        np.concatenate([part.counts for part in got]),
        np.concatenate([part.counter for part in got]),
        np.concatenate([part.ends for part in got]),
        tuple(reading for part in got for reading in part.readings),
        tuple(note for part in got for note in part.notes),
        board_ms=np.concatenate([part.board_ms for part in got]),
    )


def checked(decoder: Decoder, chunk: bytes) -> Packets:
    part = decoder.feed(chunk)
    samples = len(part.counts)

    assert part.counts.dtype == np.int32
    assert part.counts.shape == (samples, len(decoder.board.leads))
    assert len(part.counter) == (samples if decoder.board.counter_modulus else 0)
    assert len(part.board_ms) in (0, samples)
    assert len(part.reasons) in (0, len(decoder.board.leads))
    assert len(part.ends) == samples
    if samples:
        assert (np.diff(part.ends) >= 0).all()
        assert part.ends[0] >= 0
        assert part.ends[-1] <= len(chunk)
    for reading in part.readings:
        assert reading.name in VITALS
        assert (reading.value is None) == bool(reading.reason)
        assert 0 <= reading.packet < samples
    return part


def cuts(data: bytes, rng: random.Random, longest: int) -> Iterator[bytes]:
    """Yield *data* in random pieces."""
    at = 0
    while at < len(data):
        size = rng.randint(1, longest)
        yield data[at : at + size]
        at += size


def damage(data: bytearray, rng: random.Random, times: int) -> None:
    """Flip, lose and add bytes, as cables, overruns and resets do; join lines."""
    for _ in range(times):
        at = rng.randrange(len(data))
        kind = rng.choice(["flip", "lose", "add", "double", "join"])
        if kind == "flip":
            data[at] ^= 1 << rng.randrange(8)
        elif kind == "lose":
            del data[at : at + rng.randrange(1, 50)]
        elif kind == "add":
            data[at:at] = rng.randbytes(rng.randrange(1, 50))
        elif kind == "join":
            newline = data.find(b"\n", at)
            data[newline : newline + 1] = b"," if newline >= 0 else b""
        else:
            data[at:at] = data[at : at + rng.randrange(1, 50)]


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
    assert np.array_equal(got.board_ms, expected.board_ms)
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


@pytest.mark.timeout(120 + FUZZ_BYTES // 500_000)
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


def test_csv_default_is_the_original_systems_record() -> None:
    got = make_decoder("csv").feed(
        b"2025-06-29T14:22:00.000000,72,0.12,-0.34,2.000001,120,80,98\n"
    )

    assert got.counts.tolist() == [[120_000, -340_000, 2_000_001]]
    assert [reading[1:] for reading in got.readings] == [
        ("heart_rate", 72.0, ""),
        ("blood_pressure_systolic", 120.0, ""),
        ("blood_pressure_diastolic", 80.0, ""),
        ("oxygen_saturation", 98.0, ""),
    ]


def test_csv_header_sets_the_order_of_columns() -> None:
    decoder = make_decoder("csv")
    got = decoder.feed(b"oxygen_saturation,ecg_lead2,note,ecg_lead1\r\n97,2,x,1\r\n")

    assert got.counts.tolist() == [[1_000_000, 2_000_000, MISSING]]
    assert got.reasons == ("", "", "not_sent")
    assert [reading[1:3] for reading in got.readings] == [("oxygen_saturation", 97.0)]


def test_csv_header_again_means_that_the_board_restarted() -> None:
    decoder = make_decoder("csv", columns=("ecg_lead1",))
    got = decoder.feed(b"ecg_lead1\n1\n2\necg_lead1\n3\n")

    assert got.counts[:, 0].tolist() == [1_000_000, 2_000_000, 3_000_000]
    assert got.notes == ("a header line again: the board has started anew",)


def test_csv_header_that_lost_its_beginning_costs_no_line() -> None:
    header = ",".join(COLUMNS).encode() + b"\n"
    unit = b"2025-06-29T14:22:00,72,1,2,3,120,80,98\n"
    for cut in range(len(header)):
        got = feed(make_decoder("csv"), [header[cut:], *[unit] * 20])

        assert got.counts.tolist() == [[1_000_000, 2_000_000, 3_000_000]] * 20, cut
        assert len(got.readings) == 8


def test_csv_header_cut_within_a_lead_leaves_the_configured_order() -> None:
    decoder = make_decoder("csv", columns=("ecg_lead1", "ecg_lead2"))

    assert decoder.feed(b"lead1,ecg_lead2\n1,2\n").counts.tolist() == [
        [1_000_000, 2_000_000]
    ]


def test_csv_header_that_lost_a_comma_costs_no_line() -> None:
    decoder = make_decoder("csv", columns=("a", "heart_rate", "b"))
    got = feed(decoder, [b"b,a,heart_rate\n2,1,60\nba,heart_rate\n", b"2,1,60\n" * 9])

    assert got.counts.tolist() == [[1_000_000, 2_000_000]] * 10
    assert "a damaged header line: the columns are as before it" in got.notes


def test_csv_numbers_before_names_are_no_header() -> None:
    decoder = make_decoder("csv", columns=("a", "b", "c"))
    got = decoder.feed(b"\n1,2,3\n1,2,c\n1,2,3\n")

    assert got.counts.tolist() == [[1_000_000, 2_000_000, 3_000_000]] * 2
    assert decoder.tally.damaged == 1


def test_csv_port_that_returns_has_the_configured_order() -> None:
    decoder = make_decoder("csv", columns=("a", "b"))
    decoder.feed(b"b,a,c\n2,1,0\n")
    decoder.restart()

    assert decoder.feed(b"\n1,2\n").counts.tolist() == [[1_000_000, 2_000_000]]


def test_csv_columns_are_the_configurations() -> None:
    decoder = make_decoder("csv", columns=("V5", "", "heart_rate"))
    got = decoder.feed(b"?\n-0.5,7,61\n+.25e0,7,61\n")

    assert decoder.board.leads == ("v5",)
    assert got.counts[:, 0].tolist() == [-500_000, 250_000]
    assert [reading[1:3] for reading in got.readings] == [("heart_rate", 61.0)]


@pytest.mark.parametrize(
    "columns", [("heart_rate",), ("timestamp",), ("I", "I"), ("I", "II", "i")]
)
def test_csv_columns_without_lead_or_twice_are_refused(
    columns: tuple[str, ...],
) -> None:
    with pytest.raises(ConfigError, match="name each once, and at least one ECG lead"):
        make_decoder("csv", columns=columns)


@pytest.mark.parametrize("longest", [1, 100, 10_000])
@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (("ecg",), "0.10,0.20,0.30"),
        (("heart_rate", "ecg"), "72,0.1,0.2,98"),
        (("a", "b"), "1,2\r,3,4"),
        (("a", "b"), "1\r,2"),
    ],
)
def test_csv_line_of_other_columns_is_damaged_however_it_comes(
    columns: tuple[str, ...], line: str, longest: int
) -> None:
    decoder = make_decoder("csv", columns=columns)
    data = f"\n{line}\n".encode() + f"{line}\n".encode() * 20
    got = feed(decoder, cuts(data, random.Random(longest), longest))

    assert not len(got.counts)
    assert decoder.tally == (0, 21, len(data))


def test_csv_first_line_counts_only_if_it_is_whole() -> None:
    cut = make_decoder("csv", columns=("ecg_lead1", "heart_rate"))
    got = cut.feed(b"23,71\n1.23,71\n")

    assert got.counts[:, 0].tolist() == [1_230_000]
    assert cut.tally == (1, 0, 6)


@pytest.mark.parametrize(
    ("line", "damaged"),
    [
        (b"1,2", 1),  # too short
        (b"1,2,3,4", 1),
        (b"1,2,0x3", 1),
        (b"1,2,nan", 1),
        (b"1,2,1_0", 1),
        (b"1,2,\xff3", 1),
        (b"1,2,3\r4", 1),
        (b"9" * 5000 + b",2,3", 1),
        (b"ESP32 ready", 0),  # words, not numbers
    ],
)
def test_csv_line_that_is_none_is_dropped_alone(line: bytes, damaged: int) -> None:
    decoder = make_decoder("csv", columns=("a", "b", "c"))
    got = feed(decoder, [b"\n1,2,3\n" + line + b"\n4,5,6\n"])

    assert got.counts.tolist() == [
        [1_000_000, 2_000_000, 3_000_000],
        [4_000_000, 5_000_000, 6_000_000],
    ]
    assert decoder.tally == (2, damaged, len(line) + 2)
    assert got.notes == (() if damaged else ("ESP32 ready",))


@pytest.mark.parametrize(
    ("value", "count", "reason"),
    [
        ("2147.483647", 2_147_483_647, ""),
        ("-2147.483647", -2_147_483_647, ""),
        ("2147.483648", MISSING, "out_of_range"),
        ("-1e400", MISSING, "out_of_range"),
        ("", MISSING, "not_sent"),
        ("!", MISSING, "lead_off"),
    ],
)
def test_csv_lead_without_a_value_says_why(value: str, count: int, reason: str) -> None:
    got = make_decoder("csv", columns=("a",)).feed(f"\n{value}\n".encode())

    assert got.counts.tolist() == [[count]]
    assert got.reasons == (reason,)


@pytest.mark.parametrize(
    ("line", "systolic", "diastolic"),
    [
        (b"1,120,80", (120.0, ""), (80.0, "")),
        (b"1,80,120", (None, "placeholder"), (None, "placeholder")),
        (b"1,90,90", (None, "out_of_range"), (None, "out_of_range")),
        (b"1,400,80", (None, "out_of_range"), (80.0, "")),
    ],
)
def test_pressure_that_cannot_be_is_none(
    line: bytes, systolic: tuple[float, str], diastolic: tuple[float, str]
) -> None:
    names = ("blood_pressure_systolic", "blood_pressure_diastolic")
    decoder = make_decoder("csv", columns=("a", *names))
    got = decoder.feed(b"\n" + line + b"\n")

    assert [reading[1:] for reading in got.readings] == [
        (names[0], *systolic),
        (names[1], *diastolic),
    ]


def test_vital_is_stated_at_a_change_and_now_and_then() -> None:
    decoder = make_decoder("csv", columns=("a", "heart_rate"))
    rates = [60] * 25 + [61] + [60] * 4
    lines = "".join(f"1,{rate}\n" for rate in rates)
    got = decoder.feed(f"\n{lines}".encode())

    assert [(r.packet, r.value) for r in got.readings] == [
        (0, 60.0),
        (10, 60.0),
        (20, 60.0),
        (25, 61.0),
        (26, 60.0),
    ]


def healthypi(version: int = 4, **fields: int) -> Packets:
    """Return what one packet with these *fields* says."""
    given = {"ecg": 7, "temp": 3650, "rr": 16, "spo2": 97, "hr": 61, "status": 0}
    given |= fields
    packet = struct.pack(
        "<BBHBhhiihBBBBBBBB", 0x0A, 0xFA, 20, 2, given["ecg"], 0, 0, 0, given["temp"],
        given["rr"], given["spo2"], given["hr"], 80, 120, given["status"], 0, 0x0B
    )  # fmt: skip
    return make_decoder("healthypi", version=version).feed(packet)


def vital(packets: Packets, name: str) -> tuple[float | None, str]:
    [(value, reason)] = [r[2:] for r in packets.readings if r.name == name]
    return value, reason


def test_healthypi_has_no_cuff() -> None:
    got = healthypi()

    assert vital(got, "blood_pressure_systolic") == (None, "placeholder")
    assert vital(got, "blood_pressure_diastolic") == (None, "placeholder")
    assert vital(got, "heart_rate") == (61.0, "")
    assert vital(got, "oxygen_saturation") == (97.0, "")
    assert vital(got, "respiration_rate") == (16.0, "")
    assert vital(got, "temperature") == (36.5, "")


@pytest.mark.parametrize(
    ("version", "status", "ecg", "saturation"),
    [
        (4, 0x02, (MISSING, "lead_off"), (97.0, "")),
        (4, 0xE0, (7, ""), (97.0, "")),
        (3, 0x01, (MISSING, "lead_off"), (97.0, "")),
        (3, 0x02, (7, ""), (None, "probe_off")),
    ],
)
def test_healthypi_lead_and_probe_off_by_version(
    version: int,
    status: int,
    ecg: tuple[int, str],
    saturation: tuple[float | None, str],
) -> None:
    got = healthypi(version, status=status)

    assert (got.counts[0, 0], got.reasons[0]) == ecg
    assert vital(got, "oxygen_saturation") == saturation


def test_healthypi_zero_is_no_value() -> None:
    got = healthypi(rr=0, spo2=0, hr=0, temp=0)

    assert vital(got, "heart_rate") == (None, "lead_off")
    assert vital(got, "respiration_rate") == (None, "lead_off")
    assert vital(got, "oxygen_saturation") == (None, "probe_off")
    assert vital(got, "temperature") == (None, "out_of_range")


def test_unknown_healthypi_is_refused() -> None:
    with pytest.raises(ConfigError, match="HealthyPi version 2"):
        make_decoder("healthypi", version=2)


def test_healthypi5_oximeter_is_stated_beside_the_ecg_that_follows() -> None:
    units, _ = stream(Kind("healthypi5-batches", healthypi5_batch), 3, seed=1)
    got = make_decoder("healthypi5-batches").feed(b"".join(units))

    saturations = [r for r in got.readings if r.name == "oxygen_saturation"]
    assert [(r.packet, r.value) for r in saturations] == [(8, 90.0), (16, 91.0)]
    assert "temperature" not in {r.name for r in got.readings}


def test_cyton_says_the_boards_own_time() -> None:
    plain, _ = cyton_packet(random.Random(1), 0)
    packets = [
        bytes((0xA0, number, *bytes(26), *ms.to_bytes(4, "big"), stop))
        for number, ms, stop in ((1, 1, 0xC3), (2, 2**32 - 1, 0xC4), (3, 7, 0xC6))
    ]
    got = make_decoder("openbci-cyton").feed(plain + b"".join(packets))

    assert got.board_ms.tolist() == [-1, 1, 2**32 - 1, 7]
    assert make_decoder("openbci-cyton", clock=True).board.start_command == b"<b"


def test_cyton_words_are_notes() -> None:
    packets = [cyton_packet(random.Random(1), number)[0] for number in range(4)]
    reply = (
        b"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\n"
        b"LIS3DH Device ID: 0x33\nFirmware: v3.1.2\n$$$"
    )
    got = make_decoder("openbci-cyton").feed(
        b"".join(packets[:2]) + reply + b"".join(packets[2:])
    )

    assert got.notes == (
        "OpenBCI V3 8-16 channel",
        "On Board ADS1299 Device ID: 0x3E",
        "LIS3DH Device ID: 0x33",
        "Firmware: v3.1.2",
    )
    assert got.counter.tolist() == [0, 1, 2, 3]


def test_cyton_daisy_keeps_the_half_that_came() -> None:
    rng = random.Random(1)
    halves = [cyton_packet(rng, number) for number in range(8)]
    del halves[2]  # the daisy's of the second sample
    del halves[4]  # the board's own of the third
    got = make_decoder("openbci-cyton-daisy").feed(b"".join(data for data, _ in halves))

    nothing = [MISSING] * 8
    row = [rows[0] for _, rows in halves]
    assert got.counts.tolist() == [
        row[1] + row[0],
        row[2] + nothing,
        nothing + row[3],
        row[5] + row[4],
    ]
    assert got.counter.tolist() == [0, 1, 2, 3]
    assert got.reasons == ("lost",) * 16


def test_cyton_stuck_counter_is_no_stream_of_samples() -> None:
    packet, _ = cyton_packet(random.Random(1), 5)

    assert len(make_decoder("openbci-cyton").feed(packet * 50).counts) == 0


def test_cyton_samples_of_upstreams_own_tests(shared: Path) -> None:
    vectors = json.loads((shared / "data/serial/vectors.json").read_text())["cyton"]
    for vector in vectors["packets"]:
        packet = bytearray.fromhex(vector["hex"])
        decoder = make_decoder("openbci-cyton")
        first = bytes(packet)
        packet[1] += 1  # the next one: a packet alone could be an accident
        got = decoder.feed(first + packet)

        assert got.counts[0].tolist() == vector["counts"]
        assert got.counter[0] == vector["sample_number"]
        assert got.board_ms[0] == vector.get("board_time_ms", -1)
    microvolts = 1000 / decoder.board.gain[0]
    assert microvolts == pytest.approx(vectors["scale_uV_per_count_gain24"], rel=1e-9)


def test_olimex_samples_of_upstreams_own_tests(shared: Path) -> None:
    vectors = json.loads((shared / "data/serial/vectors.json").read_text())["olimex"]
    for data, counts in vectors["data12"]:
        packet = b"\xa5\x5a\x02\x07" + bytes.fromhex(data) + b"\x01"
        got = make_decoder("olimex", channels=6).feed(packet)

        assert (1024 - got.counts[0]).tolist() == counts


CAPTURES = ("afib", "asys", "nsr", "s-brady", "sinus-pvc")


def whole_olimex_packets(data: bytes) -> list[tuple[int, bytes]]:
    """Return where packets begin, and they: looked for byte by byte."""
    found = []
    at = 0
    while at + 17 <= len(data):
        packet = data[at : at + 17]
        if (
            packet[:3] == b"\xa5\x5a\x02"
            and all(value < 1024 for value in struct.unpack(">6H", packet[4:16]))
            and packet[16] < 16
        ):
            found.append((at, packet))
            at += 17
        else:
            at += 1
    return found


@pytest.mark.parametrize("name", CAPTURES)
def test_olimex_capture_gives_every_whole_packet_and_no_torn_one(
    shared: Path, name: str
) -> None:
    data = (shared / f"data/serial/olimex/{name}.bin").read_bytes()
    whole = whole_olimex_packets(data)
    samples = [
        (at, packet)
        for at, packet in whole
        if not (packet[3] == 0 and packet[4:] == b"\x02\x00" * 6 + b"\x02")
    ]
    decoder = make_decoder("olimex-125")

    got = feed(decoder, cuts(data, random.Random(name), 300))

    first = [struct.unpack_from(">H", packet, 4)[0] for _, packet in samples]
    assert (1024 - got.counts[:, 0]).tolist() == first
    assert got.counter.tolist() == [packet[3] for _, packet in samples]
    assert got.ends.tolist() == [at + 17 for at, _ in samples]
    assert decoder.tally.packets == len(whole)
    assert len(whole) - len(samples) > 300
    assert got.notes == ("the board was reset", "Reset signal logged.")


def test_olimex_reset_is_noted_once_however_it_is_cut(shared: Path) -> None:
    data = (shared / "data/serial/olimex/nsr.bin").read_bytes()
    for longest in (1, 20, 2000):
        decoder = make_decoder("olimex-125")
        got = feed(decoder, cuts(data[:9000], random.Random(longest), longest))

        assert got.notes == ("the board was reset", "Reset signal logged.")


def test_bitalino_recording_gives_all_its_samples(shared: Path) -> None:
    folder = shared / "data/serial/bitalino"
    lines = (folder / "SampleECG.txt").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    decoder = make_decoder("bitalino")

    got = feed(decoder, [(folder / "SampleECG_frames.bin").read_bytes()])

    assert got.counts[:, 0].tolist() == [int(row[5]) for row in rows]
    assert got.counter.tolist() == [int(row[0]) for row in rows]
    assert decoder.tally == (22_350, 0, 0)


def test_bitalino_commands_name_rate_and_channels() -> None:
    """As the vendor's program sends them: rate 1000 Hz is 0xC3, channel 2 is bit 3."""
    assert make_decoder("bitalino").board.start_command == b"\xc3\x09"
    decoder = make_decoder("bitalino", channels=(1, 6), sampling_rate_hz=100)
    assert decoder.board.start_command == b"\x83\x85"
    assert decoder.board.leads == ("A1", "A6")


@pytest.mark.parametrize(
    "options",
    [
        {"channels": ()},
        {"channels": (2, 1)},
        {"channels": (1, 1)},
        {"channels": (0,)},
        {"sampling_rate_hz": 250},
    ],
)
def test_bitalino_that_does_not_exist_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="bitalino"):
        make_decoder("bitalino", **options)


def test_olimex_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="olimex at 256 Hz"):
        make_decoder("olimex", sampling_rate_hz=256)
