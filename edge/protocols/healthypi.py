"""
HealthyPi v3 and v4: ECG at 125 Hz, and vitals in every packet.

No counter and no checksum, but seven fixed bytes: framing is strong. There is no cuff:
what the firmware sends as blood pressure are the constants 80 and 120.
"""

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from edge.protocols import Board, Packets
from edge.protocols.framing import Framed, Framer, lost_samples
from edge.protocols.layout import Layout
from edge.protocols.notes import Words
from edge.protocols.scan import Bytes
from edge.protocols.vitals import PLACEHOLDER, Stated
from edge.records import MISSING

# protocentral_healthypi_v4, Healthypiv4_Arduino.ino (`DataPacket`), and
# protocentral-healthypi-v3, docs/index.md; start, length 20, type 2.
PACKET = Layout.parse("""
u8*5     start        0afa140002
i16le    ecg
i16le    respiration
i32le    infrared
i32le    red
i16le    temperature
u8       respiration_rate
u8       oxygen_saturation
u8       heart_rate
u8*2     pressure
u8       status
u8*2     stop         000b
""")

MICROVOLTS_PER_COUNT = 2.42e6 / 12 / 2**15
"""
ADS1292R with its reference of 2.42 V, amplifier set to 12, upper 16 of 24 bits; before
the gain of the firmware's filter, which is not stated.
"""

LEAD_OFF = {3: 0x01, 4: 0x1F}  # bits of the status, by version
PROBE_OFF = {3: 0x02, 4: 0x00}

VITALS = (
    "heart_rate",
    "oxygen_saturation",
    "respiration_rate",
    "temperature",
    "blood_pressure_systolic",
    "blood_pressure_diastolic",
)
ZERO = {  # the firmware's word for no value
    "heart_rate": "lead_off",
    "respiration_rate": "lead_off",
    "oxygen_saturation": "probe_off",
}
RATE_HZ = 125


class HealthyPi(Framed):
    """Decoder of one stream."""

    def __init__(self, version: int) -> None:
        self.board = Board(
            name=f"healthypi{version}" if version == 3 else "healthypi",
            leads=("ECG",),
            gain=(1000 / MICROVOLTS_PER_COUNT,),
            baseline=(0,),
            sampling_rate_hz=RATE_HZ,
            counter_modulus=0,
            checked=False,
            baud=115_200,
        )
        self._lead_off = LEAD_OFF[version]
        self._probe_off = PROBE_OFF[version]
        self._framer = Framer(PACKET)
        self._words = Words()
        self._stated = Stated(VITALS, RATE_HZ, ZERO)

    def feed(self, data: bytes) -> Packets:
        """Return the packets that *data* completes."""
        found = self._framer.feed(data)
        counts = PACKET.values(found.packets, "ecg")
        status = PACKET.values(found.packets, "status")
        off = status & self._lead_off != 0
        counts[off] = MISSING
        return Packets(
            counts=counts,
            counter=np.empty(0, np.int64),
            ends=found.ends,
            readings=self._stated.feed(self._vitals(found.packets, status[:, 0])),
            notes=self._words.feed(found.skipped),
            reasons=("lead_off" if off.any() else "",),
            lost=lost_samples(found.skips, len(counts), PACKET),
        )

    def restart(self) -> None:
        """Forget what is half read."""
        super().restart()
        self._stated.restart()

    def _vitals(self, packets: Bytes, status: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the vitals in *packets*: shape (n, vitals)."""
        values = np.full((len(packets), len(VITALS)), PLACEHOLDER)
        for index, name in enumerate(VITALS[:4]):
            values[:, index] = PACKET.values(packets, name)[:, 0]
        values[status & self._probe_off != 0, VITALS.index("oxygen_saturation")] = 0
        values[:, VITALS.index("temperature")] /= 100
        return values


def decoder(version: int = 4) -> HealthyPi:
    """
    Return a decoder for the board's *version*, 3 or 4.

    :raises ConfigError: if it is neither
    """
    if version not in LEAD_OFF:
        raise ConfigError(f"HealthyPi version {version}: 3 and 4 are known, and 5")
    return HealthyPi(version)
