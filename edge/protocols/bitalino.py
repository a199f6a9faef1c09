"""
BITalino: one to six channels, at 1, 10, 100 or 1000 Hz.

A packet has no start byte. Its last byte holds a sequence of 4 bits and a checksum of
4 bits: framing is weak, but every packet is checked. The bits are packed from the last
byte to the first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from edge.protocols import Board, Packets
from edge.protocols.framing import Framed, Framer
from edge.protocols.layout import Layout
from edge.protocols.notes import Words
from edge.protocols.scan import Bytes, Marks, Rule

# revolution-python-api, `bitalino.py`, `read`: bits and label, from the end of the
# packet; as many channels as were asked for, and the rest of the last byte is empty.
PACKET = """
4   sequence
4   checksum
4   digital
10  first
10  second
10  third
10  fourth
6   fifth
6   sixth
"""
FIELDS = [
    (int(bits), label)
    for bits, label in (line.split() for line in PACKET.split("\n")[1:-1])
]
CHANNELS = FIELDS[3:]

POLYNOMIAL = 0x13  # x⁴ + x + 1; likewise
RATES = {1: 0, 10: 1, 100: 2, 1000: 3}  # Hz, and the code of it; likewise, `start`

# PLUX, "Electrocardiography (ECG) Sensor Data Sheet": millivolts are
# (counts / 2^bits - 1/2) × 3.3 V / 1100
RANGE_MV = 3.3 / 1100 * 1000


class Bitalino(Framed):
    """Decoder of one stream."""

    def __init__(self, channels: tuple[int, ...], sampling_rate_hz: int) -> None:
        self._bits = [bits for bits, _ in CHANNELS[: len(channels)]]
        self.board = Board(
            name="bitalino",
            leads=tuple(f"A{channel}" for channel in channels),
            gain=tuple(2**bits / RANGE_MV for bits in self._bits),
            baseline=tuple(2 ** (bits - 1) for bits in self._bits),
            sampling_rate_hz=sampling_rate_hz,
            counter_modulus=16,
            checked=True,
            baud=115_200,
            start_command=start_command(channels, sampling_rate_hz),
        )
        self._framer = Framer(*framing(len(channels)))
        self._words = Words()

    def feed(self, data: bytes) -> Packets:
        """Return the packets that *data* completes."""
        found = self._framer.feed(data)
        return Packets(
            counts=unpack(found.packets, self._bits),
            counter=found.packets[:, -1].astype(np.int64) >> 4,
            ends=found.ends,
            notes=self._words.feed(found.skipped),
        )


def framing(channels: int) -> tuple[Layout, Rule]:
    """Return how packets with so many *channels* look, and follow each other."""
    size = -(-sum(bits for bits, _ in FIELDS[: 3 + channels]) // 8)
    tables = checksum_tables(size)

    def check(stream: bytes, offsets: int) -> Marks:
        rest = np.zeros(offsets, np.uint8)
        for at, table in enumerate(tables):
            part = stream[at : at + offsets].translate(table)
            rest ^= np.frombuffer(part, np.uint8)
        holds: Marks = rest == 0
        return holds

    def counter(data: Bytes, offsets: int) -> Bytes:
        return data[size - 1 : size - 1 + offsets] >> np.uint8(4)

    return Layout.parse(f"u8*{size} packet"), Rule(counter, 16, confirm=2, check=check)


def checksum_tables(size: int) -> list[bytes]:
    """
    Return for each byte of a packet what each of its values adds to the checksum; in a
    packet that is whole all of it adds up (exclusive or) to 0.
    """
    tables = []
    for at in range(size):
        after = 8 * (size - 1 - at)  # bits that follow
        tables.append(bytes(remainder(value << after) for value in range(256)))
    # the checksum itself, in the lower half of the last byte, counts as it is
    tables[-1] = bytes(remainder(v & 0xF0) ^ v & 0x0F for v in range(256))
    return tables


def remainder(bits: int) -> int:
    """Return what is left of the polynomial *bits* after division."""
    while (excess := bits.bit_length() - 5) >= 0:
        bits ^= POLYNOMIAL << excess
    return bits


def unpack(packets: Bytes, channels: list[int]) -> NDArray[np.int32]:
    """Return the counts of *channels*, each so many bits: shape (n, channels)."""
    wide = np.zeros((len(packets), 8), np.uint8)
    wide[:, 8 - packets.shape[1] :] = packets
    bits = wide.view("<u8")[:, 0]
    counts = np.empty((len(packets), len(channels)), np.int32)
    left = 64 - sum(bits for bits, _ in FIELDS[:3])
    for index, width in enumerate(channels):
        left -= width
        counts[:, index] = (bits >> np.uint64(left)) & np.uint64(2**width - 1)
    return counts


def start_command(channels: tuple[int, ...], sampling_rate_hz: int) -> bytes:
    """Return what sets the rate and starts *channels*."""
    chosen = sum(1 << (channel + 1) for channel in channels)
    return bytes((RATES[sampling_rate_hz] << 6 | 0x03, chosen | 0x01))


def decoder(channels: Sequence[int] = (2,), sampling_rate_hz: int = 1000) -> Bitalino:
    """
    Return a decoder for the ascending *channels*, 1 to 6, that the board is told to
    send; on its own board the ECG is the second.

    :raises ConfigError: if there is no such channel or rate
    """
    chosen = tuple(channels)
    if (
        not chosen
        or list(chosen) != sorted(set(chosen) & {1, 2, 3, 4, 5, 6})
        or sampling_rate_hz not in RATES
    ):
        raise ConfigError(
            f"bitalino: channels {chosen} at {sampling_rate_hz} Hz; it has channels "
            "1 to 6, to be given in this order, and 1, 10, 100 or 1000 Hz"
        )
    return Bitalino(chosen, sampling_rate_hz)
