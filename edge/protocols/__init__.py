"""
ECG boards: bytes in, packets out, no I/O.

A decoder keeps the partial packet between calls, finds its way back within one
packet after garbage, counts what it drops, and never raises on input.
"""

from importlib import import_module
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError


class Board(NamedTuple):
    """What is fixed about one kind of board."""

    name: str
    leads: tuple[str, ...]  # columns of Packets.counts
    gain: tuple[float, ...]  # counts per millivolt, one for each lead
    baseline: tuple[int, ...]  # counts at 0 mV
    sampling_rate_hz: float  # nominal; 0 for a board that sends at its own pace
    counter_modulus: int  # the counter runs 0 … modulus − 1; 0 for no counter
    checked: bool  # packets carry a checksum
    baud: int
    start_command: bytes = b""  # to be sent after opening
    batch: int = 1  # samples in a packet


class Reading(NamedTuple):
    """A vital inside a run of packets."""

    packet: int  # index of the packet that carried it
    name: str  # a name of records.VITALS
    value: float | None
    reason: str  # why there is no value, "" where there is one


class Packets(NamedTuple):
    """What a decoder made of some bytes: n packets, in order."""

    counts: NDArray[np.int32]  # shape (n, leads); records.MISSING where no value
    counter: NDArray[np.int64]  # shape (n,), as sent; shape (0,) without counter
    ends: NDArray[np.int64]
    # shape (n,): bytes of this call up to each packet's end; 0 for one that had arrived
    # before and could be told from garbage only now
    readings: tuple[Reading, ...] = ()
    notes: tuple[str, ...] = ()  # what the board said in words, a reset
    reasons: tuple[str, ...] = ()  # why values are missing, one a lead; "" if none
    restarts: tuple[int, ...] = ()
    # packets before which the board said that it was restarted; n if none came since
    lost: NDArray[np.int64] = np.empty(0, np.int64)
    # shape (n,): samples lost just before each, where the board has no counter to tell;
    # shape (0,) where none was


class Tally(NamedTuple):
    """Counts since the decoder was made."""

    packets: int  # accepted
    damaged: int  # framed, but refused: checksum, stop byte, range
    skipped_bytes: int  # belonging to no accepted packet


class Decoder(Protocol):
    """Bytes of one board to packets."""

    board: Board

    def feed(self, data: bytes) -> Packets:
        """Return the packets that *data* completes. Never raises on input."""

    def restart(self) -> None:
        """Forget what is half read: the port was lost, and what comes next is new."""

    @property
    def tally(self) -> Tally:
        """Return what was accepted and what was dropped so far."""


DECODERS: dict[str, tuple[str, dict[str, object]]] = {
    "csv": ("edge.protocols.csv", {}),
    "healthypi": ("edge.protocols.healthypi", {}),
    "healthypi3": ("edge.protocols.healthypi", {"version": 3}),
    "healthypi5": ("edge.protocols.healthypi5", {}),
    "healthypi5-batches": ("edge.protocols.healthypi5", {"batches": True}),
    "openbci-cyton": ("edge.protocols.cyton", {}),
    "openbci-cyton-daisy": ("edge.protocols.cyton", {"daisy": True}),
    "olimex": ("edge.protocols.olimex", {}),
    "olimex-125": ("edge.protocols.olimex", {"sampling_rate_hz": 125}),
    "bitalino": ("edge.protocols.bitalino", {}),
}
"""Board name to module and options; each module has ``decoder(**options)``."""


def make_decoder(name: str, **options: object) -> Decoder:
    """
    Return a new decoder for the board *name*.

    :raises ConfigError: if there is no such board or it does not know an option
    """
    if name not in DECODERS:
        raise ConfigError(f"no board {name!r}; known are {', '.join(sorted(DECODERS))}")
    module, given = DECODERS[name]
    try:
        decoder: Decoder = import_module(module).decoder(**{**given, **options})
    except TypeError as error:
        raise ConfigError(f"board {name}: {error}") from error
    return decoder
