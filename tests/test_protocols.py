"""
Decoders of ECG boards: the same promises for all, then what is special about each.

EDGE_FUZZ_BYTES sets how many fuzzed bytes each board is fed (10⁷ unless set).
"""

import os
import random
import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import ConfigError
from edge.protocols import DECODERS, Decoder, Packets, make_decoder
from edge.records import MISSING, VITALS

FUZZ_BYTES = int(float(os.environ.get("EDGE_FUZZ_BYTES", "1e7")))


class Kind(NamedTuple):
    """A board as these tests make its bytes: by struct, packet by packet."""

    name: str
    make: Callable[[random.Random, int], tuple[bytes, list[int]]]
    # a whole packet and its expected counts; the int is the number of the packet
    options: dict[str, object] = {}  # noqa: RUF012

    def decoder(self) -> Decoder:
        return make_decoder(self.name, **self.options)


def cyton_packet(rng: random.Random, number: int) -> tuple[bytes, list[int]]:
    counts = [rng.randrange(-(2**23), 2**23) for _ in range(8)]
    channels = b"".join(count.to_bytes(3, "big", signed=True) for count in counts)
    return struct.pack("BB24s6sB", 0xA0, number % 256, channels, b"", 0xC0), counts


def csv_packet(rng: random.Random, number: int) -> tuple[bytes, list[int]]:
    leads = [rng.randrange(-5_000_000, 5_000_000) for _ in range(3)]
    words = [f"{lead / 1e6:.6f}" for lead in leads]
    stamp = f"2025-06-29T14:22:{number % 60:02d}.{rng.randrange(10**6):06d}"
    line = f"{stamp},{60 + number // 50 % 40},{','.join(words)},120,80,98\n"
    return line.encode(), leads


KINDS = [
    Kind("csv", csv_packet),
    Kind("openbci-cyton", cyton_packet),
]
FIXED = [kind for kind in KINDS if kind.name != "csv"]


def names(kind: Kind) -> str:
    return "-".join([kind.name, *map(str, kind.options.values())])


every_board = pytest.mark.parametrize("kind", KINDS, ids=names)
fixed_boards = pytest.mark.parametrize("kind", FIXED, ids=names)


def stream(
    kind: Kind, packets: int, seed: int
) -> tuple[list[bytes], NDArray[np.int32]]:
    print(f"seed {seed}")
    rng = random.Random(seed)
    made = [kind.make(rng, number) for number in range(packets)]
    return [data for data, _ in made], np.array(
        [counts for _, counts in made], np.int32
    )


def feed(decoder: Decoder, chunks: list[bytes]) -> Packets:
    """Return everything that *chunks* hold, checked for its form, as one."""
    got = [checked(decoder, chunk) for chunk in chunks]
    shift = np.cumsum([0, *(len(part.counts) for part in got)])
    return Packets(
        np.concatenate([part.counts for part in got]),
        np.concatenate([part.counter for part in got]),
        np.concatenate([part.ends for part in got]),
        tuple(
            reading._replace(packet=reading.packet + int(at))
            for at, part in zip(shift[:-1], got, strict=True)
            for reading in part.readings
        ),
        tuple(note for part in got for note in part.notes),
    )


def checked(decoder: Decoder, chunk: bytes) -> Packets:
    part = decoder.feed(chunk)
    packets = len(part.counts)

    assert part.counts.dtype == np.int32
    assert part.counts.shape == (packets, len(decoder.board.leads))
    assert len(part.counter) == (packets if decoder.board.counter_modulus else 0)
    assert len(part.ends) == packets
    assert (np.diff(part.ends) >= 0).all()
    if packets:
        assert part.ends[0] >= 0
        assert part.ends[-1] <= len(chunk)
    for reading in part.readings:
        assert reading.name in VITALS
        assert (reading.value is None) == bool(reading.reason)
        assert 0 <= reading.packet < packets
    return part


def cuts(data: bytes, rng: random.Random, longest: int) -> list[bytes]:
    chunks = []
    while data:
        size = rng.randint(1, longest)
        chunks.append(data[:size])
        data = data[size:]
    return chunks


def test_every_board_of_the_table_is_tested() -> None:
    assert {kind.name for kind in KINDS} == set(DECODERS)


@every_board
def test_clean_stream_is_decoded_whole(kind: Kind) -> None:
    packets, counts = stream(kind, 1000, seed=1)

    decoder = kind.decoder()
    got = feed(decoder, [b"".join(packets)])

    assert np.array_equal(got.counts, counts)
    assert got.ends.tolist() == np.cumsum([len(packet) for packet in packets]).tolist()
    assert decoder.tally == (1000, 0, 0)
    if decoder.board.counter_modulus:
        expected = np.arange(1000) % decoder.board.counter_modulus
        assert np.array_equal(got.counter, expected)


@every_board
@pytest.mark.parametrize("longest", [1, 3, 7, 40, 400, 4000])
def test_every_cut_decodes_alike(kind: Kind, longest: int) -> None:
    packets, _ = stream(kind, 300, seed=longest)
    rng = random.Random(longest)
    damaged = bytearray(b"".join(packets))
    for _ in range(30):
        at = rng.randrange(len(damaged))
        damage = rng.choice(["flip", "lose", "add"])
        if damage == "flip":
            damaged[at] ^= 1 << rng.randrange(8)
        elif damage == "lose":
            del damaged[at : at + rng.randrange(1, 50)]
        else:
            damaged[at:at] = rng.randbytes(rng.randrange(1, 50))
    whole, cut = kind.decoder(), kind.decoder()

    expected = feed(whole, [bytes(damaged)])
    got = feed(cut, cuts(bytes(damaged), rng, longest))

    assert np.array_equal(got.counts, expected.counts)
    assert np.array_equal(got.counter, expected.counter)
    assert got.readings == expected.readings
    assert got.notes == expected.notes
    assert cut.tally == whole.tally


def test_unknown_board_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no board 'ekg'; known are csv, "):
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
