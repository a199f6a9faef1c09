"""Streams of every board that is decoded, made up with what they must give."""

import random
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.protocols import Decoder, Packets, make_decoder
from edge.records import VITALS

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
                restarts=tuple(at + samples for at in part.restarts),
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
        restarts=tuple(at for part in got for at in part.restarts),
    )


def checked(decoder: Decoder, chunk: bytes) -> Packets:
    part = decoder.feed(chunk)
    samples = len(part.counts)

    assert part.counts.dtype == np.int32
    assert part.counts.shape == (samples, len(decoder.board.leads))
    assert len(part.counter) == (samples if decoder.board.counter_modulus else 0)
    assert len(part.reasons) in (0, len(decoder.board.leads))
    assert len(part.ends) == samples
    assert all(0 <= at <= samples for at in part.restarts)
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
