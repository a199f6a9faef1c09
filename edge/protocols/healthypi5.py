"""
HealthyPi 5: ECG at 128 Hz, by two firmwares.

*Single*: a packet a sample, with the vitals (Zephyr 2.1.0 `sendData`). *Batches*: eight
samples in one kind of packet, the pulse oximeter in another (firmware 1.0, `OV3`).
No counter and no checksum, but seven fixed bytes: framing is strong.
"""

import re

import numpy as np
from numpy.typing import NDArray

from edge.protocols import Board, Packets, Reading, Tally
from edge.protocols.framing import Found, Framed, Framer, Skip, lost_samples
from edge.protocols.layout import Layout
from edge.protocols.notes import Words
from edge.protocols.scan import Bytes
from edge.protocols.vitals import Stated

# protocentral_healthypi5_zephyr, app/src/data_module.c, `sendData`; skip is not 0
# where the bioimpedance is an old one. Start, length 22, type 2.
SINGLE = Layout.parse("""
u8*5     start              0afa160002
i32le    ecg
i32le    bioimpedance
u8       skip
i32le    red
i32le    infrared
i16le    temperature
u8       oxygen_saturation
u8       heart_rate
u8       respiration_rate
u8*2     stop               000b
""")

# Likewise, `send_ecg_bioz_data_ov3_format`: length 50, type 3.
BATCH = Layout.parse("""
u8*5     start              0afa320003
i32le*8  ecg
i32le*4  bioimpedance
u8       heart_rate
u8       respiration_rate
u8*2     stop               000b
""")

# Likewise, `send_ppg_data_ov3_format`: length 19, type 4. It writes the upper byte of
# the temperature twice and the lower one never, so there is none to be had.
OXIMETER = Layout.parse("""
u8*5     start              0afa130004
i16le*8  infrared
u8       oxygen_saturation
u8*2     temperature
u8*2     stop               000b
""")
OXIMETER_PACKET = re.compile(rb"\x0a\xfa\x13\x00\x04.{19}\x00\x0b", re.DOTALL)

AMPLIFIER = 80.0  # V/V, devicetree ecg-gain 2
RATE_HZ = 128
SINGLE_VITALS = (
    "heart_rate",
    "oxygen_saturation",
    "respiration_rate",
    "temperature",
)
BATCH_VITALS = ("heart_rate", "respiration_rate")
ZERO = {  # the firmware's word for no value
    "heart_rate": "lead_off",
    "respiration_rate": "lead_off",
    "oxygen_saturation": "probe_off",
}
NO_COUNTER: NDArray[np.int64] = np.empty(0, np.int64)


def board(name: str, amplifier: float) -> Board:
    """Return what both firmwares have in common."""
    return Board(
        name=name,
        leads=("ECG",),
        # MAX30001: ±1 V over 2^17 counts before the amplifier, sent times 256
        gain=(2**17 * amplifier * 256 / 1000,),
        baseline=(0,),
        sampling_rate_hz=RATE_HZ,
        counter_modulus=0,
        checked=False,
        baud=115_200,
    )


class Single(Framed):
    """Decoder of one stream, a packet a sample."""

    def __init__(self, amplifier: float) -> None:
        self.board = board("healthypi5", amplifier)
        self._framer = Framer(SINGLE)
        self._words = Words()
        self._stated = Stated(SINGLE_VITALS, RATE_HZ, ZERO)

    def feed(self, data: bytes) -> Packets:
        """Return the packets that *data* completes."""
        found = self._framer.feed(data)
        vitals = values(SINGLE, found.packets, SINGLE_VITALS)
        vitals[:, SINGLE_VITALS.index("temperature")] /= 100
        return Packets(
            counts=SINGLE.values(found.packets, "ecg"),
            counter=NO_COUNTER,
            ends=found.ends,
            readings=self._stated.feed(vitals),
            notes=self._words.feed(found.skipped),
            lost=lost_samples(found.skips, len(found.packets), SINGLE),
        )

    def restart(self) -> None:
        """Forget what is half read."""
        super().restart()
        self._stated.restart()


class Batches:
    """
    Decoder of one stream, eight samples a packet. The oximeter's packets lie between
    those of the ECG, so they are found in what these leave over.
    """

    def __init__(self, amplifier: float) -> None:
        self.board = board("healthypi5-batches", amplifier)._replace(batch=8)
        self._ecg = Framer(BATCH)
        self._oximeter = Framer(OXIMETER)
        self._words = Words()
        self._stated = Stated(BATCH_VITALS, RATE_HZ // 8, ZERO)
        self._saturation = Stated(("oxygen_saturation",), RATE_HZ // 8, ZERO)
        self._left_over = 0  # bytes that the oximeter's framer was fed
        self._waiting: list[tuple[int, float]] = []  # where in these, and the value

    @property
    def tally(self) -> Tally:
        """Return what was accepted and what was dropped so far."""
        ecg, oximeter = self._ecg.tally, self._oximeter.tally
        return Tally(
            ecg.packets + oximeter.packets,
            ecg.damaged + oximeter.damaged,
            oximeter.skipped_bytes,
        )

    def feed(self, data: bytes) -> Packets:
        """Return the samples that *data* completes."""
        ecg = self._ecg.feed(data)
        oximeter = self._oximeter.feed(ecg.skipped)
        stated = self._stated.feed(values(BATCH, ecg.packets, BATCH_VITALS))
        readings = [*stated, *self._saturations(oximeter, ecg.before)]
        readings.sort(key=lambda reading: reading.packet)
        self._left_over += len(ecg.skipped)
        skips = [
            Skip(packet, OXIMETER_PACKET.sub(b"", data)) for packet, data in ecg.skips
        ]
        return Packets(
            counts=BATCH.values(ecg.packets, "ecg").reshape(-1, 1),
            counter=NO_COUNTER,
            ends=np.repeat(ecg.ends, 8),
            readings=tuple(r._replace(packet=r.packet * 8) for r in readings),
            notes=self._words.feed(oximeter.skipped),
            lost=lost_samples(skips, len(ecg.packets), BATCH, samples=8),
        )

    def restart(self) -> None:
        """Forget what is half read."""
        self._left_over += self._ecg.restart()
        self._oximeter.restart()
        self._waiting.clear()
        for part in (self._words, self._stated, self._saturation):
            part.restart()

    def _saturations(
        self, oximeter: Found, before: NDArray[np.int64]
    ) -> tuple[Reading, ...]:
        """Return what the oximeter states, each beside the ECG packet after it."""
        sent = values(OXIMETER, oximeter.packets, ("oxygen_saturation",))[:, 0]
        ends = self._left_over + oximeter.ends
        self._waiting += zip(ends.tolist(), sent.tolist(), strict=True)
        places = np.searchsorted(before, [end for end, _ in self._waiting]).tolist()
        ready = sum(place < len(before) for place in places)
        stated = self._saturation.feed(
            np.array([[value] for _, value in self._waiting[:ready]]).reshape(-1, 1)
        )
        del self._waiting[:ready]
        return tuple(r._replace(packet=places[r.packet]) for r in stated)


def values(
    layout: Layout, packets: Bytes, names: tuple[str, ...]
) -> NDArray[np.float64]:
    """Return the vitals *names* in *packets*: shape (n, names)."""
    columns = [layout.values(packets, name)[:, 0] for name in names]
    return np.stack(columns, axis=1).astype(np.float64)


def decoder(batches: bool = False, amplifier: float = AMPLIFIER) -> Single | Batches:
    """
    Return a decoder for the firmware that sends *batches*, or the other one.
    *amplifier* is the gain of the ECG channel, as set in the firmware.
    """
    return Batches(amplifier) if batches else Single(amplifier)
