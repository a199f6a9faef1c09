"""
OpenBCI Cyton: 8 leads at 250 Hz, with the daisy module 16 at 125 Hz.

The packets have a counter, start and stop bytes and no checksum: framing is weak.
Channels of the ADC are free to be wired as one likes, so the leads are called by
their channel.
"""

import numpy as np

from edge.protocols import Board, Packets, Tally
from edge.protocols.framing import Framer
from edge.protocols.layout import Layout
from edge.protocols.scan import Rule

# OpenBCI documentation, "Cyton Data Format"; the counter wraps at 256.
PACKET = Layout.parse("""
u8       start     a0
u8       counter
i24be*8  channels
u8*6     aux
u8       stop      c0..c6
""")

VOLTAGE_REFERENCE = 4.5  # volts; OpenBCI documentation, "Interpreting the EEG Data"
FULL_SCALE = 2**23 - 1  # counts, likewise
GAINS = (1, 2, 4, 6, 8, 12, 24)  # of the ADS1299's amplifier; the board starts with 24


class Cyton:
    """Decoder of one stream."""

    def __init__(self, gain: float) -> None:
        self.board = Board(
            name="openbci-cyton",
            leads=tuple(f"ch{number}" for number in range(1, 9)),
            gain=(FULL_SCALE * gain / (VOLTAGE_REFERENCE * 1000),) * 8,
            baseline=(0,) * 8,
            sampling_rate_hz=250.0,
            counter_modulus=256,
            checked=False,
            baud=115_200,
            start_command=b"b",
            stop_command=b"s",
        )
        self._framer = Framer(
            PACKET,
            Rule(
                lambda data, offsets: data[1 : 1 + offsets],
                modulus=256,
                confirm=1,
                slack_bytes=PACKET.size,
            ),
        )

    def feed(self, data: bytes) -> Packets:
        """Return the packets that *data* completes."""
        found = self._framer.feed(data)
        return Packets(
            counts=PACKET.values(found.packets, "channels"),
            counter=found.packets[:, 1].astype(np.int64),
            ends=found.ends,
        )

    @property
    def tally(self) -> Tally:
        """Return what was accepted and what was dropped so far."""
        return self._framer.tally


def decoder(gain: float = 24.0) -> Cyton:
    """Return a decoder; *gain* is that of the amplifier as the board was set."""
    return Cyton(gain)
