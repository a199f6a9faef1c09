"""
Decoders of ECG boards: megabytes a second, on clean streams and on noise, and the
microseconds a call takes that brings four packets, as USB does every 16 ms.

The peer is the plain way to do it: a loop that looks at one packet after the other
with `struct`, and moves one byte on where there is none. Times are processor times.
"""

import statistics
import struct
import time
from collections.abc import Callable

import numpy as np

from edge.protocols import make_decoder
from edge.protocols.bitalino import remainder
from edge.simulator.encoders import CSV_FIELDS
from scripts.benches import Row

CLEAN_BYTES = 4_000_000
NOISE_BYTES = 4_000_000
READ_BYTES = 65_536
BURST_PACKETS = 4
BURSTS = 2000
RUNS = 5
CLEAN_BAR, NOISE_BAR, CALL_BAR = 20.0, 50.0, 50.0  # MB/s, MB/s, µs

HEADERS = {  # by size: what a packet begins with, and where its values are
    17: (b"\xa5\x5a\x02", struct.Struct(">4x6Hx")),
    27: (b"\x0a\xfa\x14\x00\x02", struct.Struct("<5x2h2ih6Bxx")),
    29: (b"\x0a\xfa\x16\x00\x02", struct.Struct("<5x2iB2ih3Bxx")),
    33: (b"\xa0", struct.Struct(">xB24s6sB")),
}


def rows() -> list[Row]:
    """Return three figures a board."""
    found = []
    noise = np.random.default_rng(1).bytes(NOISE_BYTES)
    for name, (stream, packet_bytes) in streams().items():
        clean = speed(name, stream)
        peer = plain_speed(stream, packet_bytes) if packet_bytes in HEADERS else None
        ratio = clean / peer if peer else None
        dirty = speed(name, noise)
        burst = call_us(name, stream, packet_bytes or 60)
        # eight samples a packet, and one of the oximeter's with each: a quarter second
        batched = name == "healthypi5-batches"
        found += [
            Row(f"{name}: clean", clean, peer, ratio, "MB/s", RUNS,
                f">= {CLEAN_BAR:.0f}", clean >= CLEAN_BAR),
            Row(f"{name}: noise", dirty, None, None, "MB/s", RUNS,
                f">= {NOISE_BAR:.0f}", dirty >= NOISE_BAR),
            Row(f"{name}: a call of 4 packets", burst, None, None, "us", RUNS,
                "" if batched else f"<= {CALL_BAR:.0f}",
                None if batched else burst <= CALL_BAR),
        ]  # fmt: skip
    return found


def streams() -> dict[str, tuple[bytes, int]]:
    """Return for each board bytes that it might send, and the size of its packet."""
    return {
        "csv": (lines(), 0),
        "healthypi": packets(27, b"\x0a\xfa\x14\x00\x02", b"\x00\x0b", vitals=17),
        "healthypi5": packets(29, b"\x0a\xfa\x16\x00\x02", b"\x00\x0b", vitals=22),
        "healthypi5-batches": (batches(), 83),
        "openbci-cyton": packets(33, b"\xa0", b"\xc0", counter=1),
        "openbci-cyton-daisy": packets(33, b"\xa0", b"\xc0", counter=1),
        "olimex": packets(17, b"\xa5\x5a\x02", b"\x01", counter=3, high_byte=3),
        "bitalino": (bitalino(), 3),
    }


def packets(
    size: int,
    start: bytes,
    stop: bytes,
    counter: int = 0,
    high_byte: int = 255,
    vitals: int = 0,
) -> tuple[bytes, int]:
    """Return packets of random values; from byte *vitals* on they stay the same."""
    count = CLEAN_BYTES // size
    made = np.random.default_rng(2).integers(0, 256, (count, size), np.uint8)
    made[:, 4:-1:2] = np.minimum(made[:, 4:-1:2], high_byte)
    if vitals:
        made[:, vitals:] = 60
    if counter:
        made[:, counter] = np.arange(count) % 256
    made[:, : len(start)] = np.frombuffer(start, np.uint8)
    made[:, -len(stop) :] = np.frombuffer(stop, np.uint8)
    return made.tobytes(), size


def lines() -> bytes:
    """Return lines with the fields of the original system."""
    rng = np.random.default_rng(3)
    values = rng.normal(0, 0.5, (CLEAN_BYTES // 60, 3))
    header = ",".join(CSV_FIELDS)
    body = "".join(
        f"2025-06-29T14:22:{number // 10 % 60:02d}.{number % 10}00000,"
        f"{70 + number // 500 % 20},{one:.3f},{two:.3f},{three:.3f},120,80,98\n"
        for number, (one, two, three) in enumerate(values.tolist())
    )
    return f"{header}\n{body}".encode()


def batches() -> bytes:
    """Return packets of ECG with one of the oximeter after each."""
    count = CLEAN_BYTES // 83
    made = np.random.default_rng(4).integers(0, 256, (count, 83), np.uint8)
    made[:, 53:] = 60
    for at, fixed in ((0, b"\x0a\xfa\x32\x00\x03"), (55, b"\x00\x0b"),
                      (57, b"\x0a\xfa\x13\x00\x04"), (81, b"\x00\x0b")):  # fmt: skip
        made[:, at : at + len(fixed)] = np.frombuffer(fixed, np.uint8)
    return made.tobytes()


def bitalino() -> bytes:
    """Return packets of one channel."""
    count = CLEAN_BYTES // 3 // 10
    values = np.random.default_rng(5).integers(0, 1024, count).tolist()
    made = bytearray()
    for number, value in enumerate(values):
        bits = number % 16 << 20 | value << 2
        made += (bits | remainder(swapped(bits)) << 16).to_bytes(3, "little")
    whole = len(made) // 48 * 48  # so that the sequence goes on when it is repeated
    return bytes(made[:whole]) * 10


def swapped(bits: int) -> int:
    """Return the 24 *bits* with the bytes in the order in which they are sent."""
    return int.from_bytes(bits.to_bytes(3, "little"), "big")


def speed(name: str, stream: bytes) -> float:
    """Return the megabytes a second at which the decoder takes *stream*."""
    return len(stream) / 1e6 / median_s(lambda: decode(name, stream, READ_BYTES))


def call_us(name: str, stream: bytes, packet_bytes: int) -> float:
    """Return the microseconds of a call with a burst; bursts end in mid-packet."""
    burst = BURST_PACKETS * packet_bytes
    some = stream[: burst * BURSTS + packet_bytes // 2]
    return median_s(lambda: decode(name, some, burst)) * 1e6 / (len(some) / burst)


def plain_speed(stream: bytes, size: int) -> float:
    """Return the megabytes a second of the plain loop."""
    some = stream[: CLEAN_BYTES // 8]
    return len(some) / 1e6 / median_s(lambda: decode_plainly(some, size))


def decode(name: str, stream: bytes, read_bytes: int) -> None:
    """Feed *stream* to a new decoder."""
    decoder = make_decoder(name)
    for at in range(0, len(stream), read_bytes):
        decoder.feed(stream[at : at + read_bytes])


def decode_plainly(stream: bytes, size: int) -> list[tuple[int, ...]]:
    """Return the values of the packets in *stream*, looked for one by one."""
    start, values = HEADERS[size]
    found = []
    at = 0
    while at + size <= len(stream):
        if stream.startswith(start, at):
            found.append(values.unpack_from(stream, at))
            at += size
        else:
            at += 1
    return found


def median_s(call: Callable[[], object]) -> float:
    """Return the processor time of *call*: the median, after one to warm up."""
    took = []
    for _ in range(RUNS + 1):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return statistics.median(took[1:])
