"""
Samples to bytes, as ECG boards send them: what `edge.protocols` takes apart.

Kept apart from the decoders and written from the boards' documents alone, so that
the one can be the other's witness.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.simulator.subject import Samples

CSV_FIELDS = (
    "timestamp",
    "heart_rate",
    "ecg_lead1",
    "ecg_lead2",
    "ecg_lead3",
    "blood_pressure_systolic",
    "blood_pressure_diastolic",
    "oxygen_saturation",
)
"""The columns of an ECG record of the original system."""

CSV_EPOCH = np.datetime64("2025-06-29T14:22:00.000000", "us")
"""What a CSV board without a battery believes to be the time when it is switched on:
the first record of the original system's sample file."""

CYTON_GAIN = 4.5 / 24 / (2**23 - 1) * 1000
"""
Millivolts a count at gain 24: 4.5 V / gain / (2^23 - 1).
Source: OpenBCI Documentation, Cyton data format.
"""

GRAVITY = 8000  # 1 g in counts of 0.002/16 g


class Encoder(Protocol):
    """Samples of one patient to the packets of one board."""

    def __call__(self, samples: Samples) -> list[bytes]:
        """Return one packet for each sample, in order."""


class Wire(NamedTuple):
    """What is fixed about one kind of simulated board."""

    encode: Encoder
    sampling_rate_hz: float
    counter_modulus: int  # 0 for a board without counter
    baud: int
    banner: bytes  # what it says when switched on or reset


def cyton(samples: Samples) -> list[bytes]:
    """Return Cyton packets: leads I, II and III on channels 1 to 3, the others 0."""
    count = len(samples.number)
    # OpenBCI documentation, "Cyton Data Format"
    packets = np.zeros((count, 33), np.uint8)
    packets[:, 0] = 0xA0
    packets[:, 1] = samples.number % 256
    packets[:, 2:11] = _int24(cyton_counts(samples.millivolts))
    packets[:, 30:32] = np.frombuffer(GRAVITY.to_bytes(2, "big"), np.uint8)
    packets[:, 32] = 0xC0
    return [row.tobytes() for row in packets]


def cyton_counts(millivolts: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return *millivolts*, shape (n, leads), as a Cyton's counts, same shape."""
    limit = 2**23 - 1
    return np.clip(np.rint(millivolts / CYTON_GAIN), -limit, limit).astype(np.int32)


def csv(samples: Samples) -> list[bytes]:
    """Return one line for each sample, with the fields of the original system."""
    stamps = CSV_EPOCH + np.rint(samples.seconds * 1e6).astype("timedelta64[us]")
    vitals = f"{samples.systolic:.0f},{samples.diastolic:.0f},{samples.saturation:.0f}"
    return [
        f"{stamp},{samples.heart_rate:.0f},{one:.3f},{two:.3f},{three:.3f},"
        f"{vitals}\r\n".encode()
        for stamp, (one, two, three) in zip(
            np.datetime_as_string(stamps, "us"), samples.millivolts, strict=True
        )
    ]


def _int24(counts: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return *counts*, shape (n, k), as big-endian bytes of shape (n, 3k)."""
    rows, leads = counts.shape
    four = counts.astype(">i4").view(np.uint8).reshape(rows, leads, 4)
    return four[:, :, 1:].reshape(rows, leads * 3)


WIRES: dict[str, Wire] = {
    "csv": Wire(csv, 10.0, 0, 115_200, (",".join(CSV_FIELDS) + "\r\n").encode()),
    "openbci-cyton": Wire(
        cyton,
        250.0,
        256,
        115_200,
        b"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\n"
        b"LIS3DH Device ID: 0x33\nFirmware: v3.1.2\n$$$",
    ),
}
"""Board name, as in `edge.protocols.DECODERS`, to how it talks."""
