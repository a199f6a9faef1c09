"""
OpenBCI Cyton: 8 channels at 250 Hz, with the daisy module 16 at 125 Hz.

The packets have a counter, start and stop bytes and no checksum: framing is weak.
Electrodes go to its channels as one likes, so the leads are called by their channel.

With the daisy, packets with an even counter carry its channels 9 to 16 and those with
an odd one the board's own 1 to 8; an even one and the odd one after it are a sample
(OpenBCI_Cyton_Library, `ADS_writeChannelDataAvgDaisy`).
"""

import numpy as np
from numpy.typing import NDArray

from edge.protocols import Board, Packets
from edge.protocols.framing import Found, Framed, Framer
from edge.protocols.layout import Layout
from edge.protocols.notes import Words
from edge.protocols.scan import Bytes, Rule
from edge.records import MISSING

# OpenBCI documentation, "Cyton Data Format". By the stop byte, aux holds the
# acceleration (C0), free values (C1, C2), or two bytes of these and the board's clock
# in milliseconds (C3 to C6).
PACKET = Layout.parse("""
u8       start     a0
u8       counter
i24be*8  channels
u8*2     aux
i32be    aux_or_ms
u8       stop      c0..c6
""")

# Its first words after a restart, and said then only; likewise, `boardReset`.
BANNER = "OpenBCI V3"

CHANNELS = 8  # of the board, and as many of the daisy
VOLTAGE_REFERENCE = 4.5  # V; OpenBCI documentation, "Interpreting the EEG Data"
FULL_SCALE = 2**23 - 1  # counts, likewise
GAIN = 24  # of the amplifier, as the board starts

RULE = Rule(
    lambda data, offsets: data[1 : 1 + offsets],
    modulus=256,
    confirm=1,
    slack_bytes=PACKET.size,
    copies=True,  # a radio is in between
)


class Cyton(Framed):
    """Decoder of one stream."""

    def __init__(self, daisy: bool) -> None:
        channels = CHANNELS * (1 + daisy)
        self.board = Board(
            name="openbci-cyton-daisy" if daisy else "openbci-cyton",
            leads=tuple(f"ch{number + 1}" for number in range(channels)),
            gain=(FULL_SCALE * GAIN / (VOLTAGE_REFERENCE * 1000),) * channels,
            baseline=(0,) * channels,
            sampling_rate_hz=125.0 if daisy else 250.0,
            counter_modulus=128 if daisy else 256,
            checked=False,
            baud=115_200,
            start_command=b"b",
        )
        self._daisy = daisy
        self._framer = Framer(PACKET, RULE)
        self._words = Words()
        self._half: Bytes = np.empty((0, PACKET.size), np.uint8)  # waits for its other
        self._skipped = 0  # bytes before this call

    def feed(self, data: bytes) -> Packets:
        """Return the samples that *data* completes."""
        found = self._framer.feed(data)
        notes = self._words.feed(found.skipped)
        if self._daisy:
            packets = self._paired(found.packets, found.ends)
        else:
            packets = Packets(
                counts=PACKET.values(found.packets, "channels"),
                counter=found.packets[:, 1].astype(np.int64),
                ends=found.ends,
            )
        if any(BANNER in note for note in notes):
            restarts = (self._restarted(found, packets.ends),)
            packets = packets._replace(restarts=restarts)
        self._skipped += len(found.skipped)
        return packets._replace(notes=notes) if notes else packets

    def _restarted(self, found: Found, ends: NDArray[np.int64]) -> int:
        """Return which of the samples that end at *ends* is the first after BANNER."""
        # What began in the call before ends at the beginning of this one.
        words = self._skipped + max(found.skipped.rfind(BANNER.encode()), 0)
        after = int(np.searchsorted(found.before, words, side="right"))
        if after == len(found.ends):
            return len(ends)
        return int(np.searchsorted(ends, found.ends[after]))

    def restart(self) -> None:
        """Forget what is half read."""
        self._skipped += self._framer.restart()
        self._words.restart()
        self._half = self._half[:0]

    def _paired(self, arrived: Bytes, ends: NDArray[np.int64]) -> Packets:
        """Return the samples whose halves have arrived, or been lost."""
        ends = np.concatenate((np.zeros(len(self._half), np.int64), ends))
        packets = np.concatenate((self._half, arrived))
        waits = len(packets) // 2 * 2
        number = packets[:waits, 1]
        if not (number[::2] % 2).any() and (number[1::2] - number[::2] == 1).all():
            self._half = packets[waits:]
            return pairs(packets[:waits], ends[:waits])
        return self._mended(packets, ends)

    def _mended(self, packets: Bytes, ends: NDArray[np.int64]) -> Packets:
        """As `_paired`, where halves are missing."""
        number = packets[:, 1]
        odd = number % 2 == 1
        second = np.zeros(len(packets), np.bool_)  # of its sample
        second[1:] = odd[1:] & (number[1:] - number[:-1] == 1)
        sample = np.cumsum(~second) - 1
        waits = len(packets) - 1 if len(packets) and not odd[-1] else len(packets)
        self._half = packets[waits:]
        packets, odd, sample = packets[:waits], odd[:waits], sample[:waits]
        samples = int(sample[-1]) + 1 if waits else 0
        counts = np.full((samples, 2 * CHANNELS), MISSING, np.int32)
        channels = PACKET.values(packets, "channels")
        counts[sample[odd], :CHANNELS] = channels[odd]
        counts[sample[~odd], CHANNELS:] = channels[~odd]
        last = np.flatnonzero(np.diff(sample, append=samples))  # of each sample
        return Packets(
            counts=counts,
            counter=packets[last, 1].astype(np.int64) // 2,
            ends=ends[:waits][last],
            reasons=tuple(
                "lost" if lost else "" for lost in (counts == MISSING).any(axis=0)
            ),
        )


def pairs(packets: Bytes, ends: NDArray[np.int64]) -> Packets:
    """Return the samples in *packets*, whole and in order, the daisy's half first."""
    halves = PACKET.values(packets, "channels").reshape(-1, 2, CHANNELS)
    return Packets(
        counts=halves[:, ::-1].reshape(-1, 2 * CHANNELS),
        counter=packets[1::2, 1].astype(np.int64) // 2,
        ends=ends[1::2],
    )


def decoder(daisy: bool = False) -> Cyton:
    """Return a decoder, for a board with the *daisy* or without."""
    return Cyton(daisy)
