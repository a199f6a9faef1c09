"""
Olimex SHIELD-EKG-EMG on an Arduino: up to six channels of 10 bits.

Two sketches talk alike: the maker's at 57,600 bit/s, 250 Hz, and Paul Logston's at
115,200 bit/s, 125 Hz. There is no checksum, but the values leave no room for a start
byte inside a packet: framing is strong. The shield turns the signal upside down
(logston/olimex-ekg-emg, `olimex/exg.py`); here it is put upright.
"""

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from edge.protocols import Board, Packets
from edge.protocols.framing import Framed, Framer
from edge.protocols.layout import Layout
from edge.protocols.notes import Words
from edge.protocols.scan import Bytes, Marks, Rule

# Both sketches, `struct Olimexino328_packet`; its "256 Hz" come out as 250, since the
# timer counts whole milliseconds.
PACKET = Layout.parse("""
u8*3     start     a55a02
u8       counter
u16be*6  channels  0..3ff
u8       switches  0..f
""")

BAUD = {250: 57_600, 125: 115_200}  # by sampling rate
UPSIDE_DOWN = 1024
GAIN = 2848  # 10 × 80 × 3.56: the shield's, its trimmer as delivered
MICROVOLTS_PER_COUNT = 5e6 / 2**10 / GAIN  # with a reference of 5 V

# Logston's sketch, `write_reset_signal`: a second of such packets after a restart
RESET_SWITCHES = 2
RESET_CHANNEL = 0x200

RULE = Rule(lambda data, offsets: data[3 : 3 + offsets], modulus=256)


class Olimex(Framed):
    """Decoder of one stream."""

    def __init__(self, sampling_rate_hz: int, channels: int) -> None:
        self.board = Board(
            name="olimex" if sampling_rate_hz == 250 else "olimex-125",
            leads=("ECG", *(f"ch{number}" for number in range(2, channels + 1))),
            gain=(1000 / MICROVOLTS_PER_COUNT,) * channels,
            baseline=(UPSIDE_DOWN // 2,) * channels,
            sampling_rate_hz=sampling_rate_hz,
            counter_modulus=256,
            checked=False,
            baud=BAUD[sampling_rate_hz],
        )
        self._channels = channels
        self._framer = Framer(PACKET, RULE)
        self._words = Words()
        self._resetting = False

    def feed(self, data: bytes) -> Packets:
        """Return the samples that *data* completes."""
        found = self._framer.feed(data)
        channels = PACKET.values(found.packets, "channels")
        reset = resets(found.packets, channels)
        notes = self._words.feed(found.skipped)
        begins = np.flatnonzero(reset > np.append(self._resetting, reset)[:-1])
        if len(begins):
            notes = ("the board was reset", *notes)
        if len(reset):
            self._resetting = bool(reset[-1])
        sample = ~reset
        return Packets(
            counts=UPSIDE_DOWN - channels[sample, : self._channels],
            counter=found.packets[sample, 3].astype(np.int64),
            ends=found.ends[sample],
            notes=notes,
            restarts=tuple(int(sample[:begin].sum()) for begin in begins),
        )

    def restart(self) -> None:
        """Forget what is half read."""
        super().restart()
        self._resetting = False


def resets(packets: Bytes, channels: NDArray[np.int32]) -> Marks:
    """Return which of *packets* are no samples but say that the board was reset."""
    signal: Marks = (packets[:, -1] == RESET_SWITCHES) & (packets[:, 3] == 0)
    signal &= (channels == RESET_CHANNEL).all(axis=1)
    return signal


def decoder(sampling_rate_hz: int = 250, channels: int = 1) -> Olimex:
    """
    Return a decoder for the sketch that samples at 250 or at 125 Hz, which gives the
    first so many *channels*; the first is the ECG.

    :raises ConfigError: if there is no such sketch, or no such channel
    """
    if sampling_rate_hz not in BAUD or not 1 <= channels <= 6:
        raise ConfigError(
            f"olimex at {sampling_rate_hz} Hz with {channels} channels: "
            "it has 250 or 125 Hz, and 1 to 6 channels"
        )
    return Olimex(sampling_rate_hz, channels)
