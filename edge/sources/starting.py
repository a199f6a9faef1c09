"""
Boards that send nothing until they are told to, and are silent again when they were
off: a Cyton whose battery is changed leaves its dongle, and so the port, where it was.
"""

from edge.records import MonotonicNs, SerialChunk
from edge.sources import EcgSource

AGAIN_NS = 3_000_000_000
"""A board without a sample for so long is told again. One that does send takes no harm
(OpenBCI_Cyton_Library, `streamStart`)."""

BANNER_END = b"$$$"
"""OpenBCI: the board has said all it has to say, and listens."""

BANNER_AGAIN_NS = 1_000_000_000
"""A dongle without a board may answer each command with such an end."""


class Starter:
    """Sends a board's *command*: at once, and whenever it has fallen silent."""

    def __init__(self, source: EcgSource, command: bytes, now: MonotonicNs) -> None:
        self._source = source
        self._command = command
        self._packets = -1  # decoded when the newest sample came
        self._awake = now  # when that was, or when it was told
        self._told = now
        self._tail = b""  # of what was read last
        if command:
            source.write(command)

    def follow(self, chunk: SerialChunk | None, packets: int, now: MonotonicNs) -> None:
        """
        Tell the board again if it has to be, *now* that *chunk* was read, or nothing,
        and so many *packets* were decoded.

        :raises SourceLost: if the device disappeared
        """
        if chunk is not None:
            self._tail = (self._tail + chunk.data)[-len(BANNER_END) :]
        if packets != self._packets:
            self._packets, self._awake = packets, now
        # what ends so in a stream of samples is followed by the next one
        listens = chunk is None and self._tail == BANNER_END
        due = self._told + BANNER_AGAIN_NS if listens else self._awake + AGAIN_NS
        if self._command and now >= due:
            self._source.write(self._command)
            self._awake = self._told = now
            self._tail = b""
