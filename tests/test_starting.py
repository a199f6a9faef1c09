"""Boards that send only when they are told to: when they are told again."""

import pytest

from edge.records import MonotonicNs, SerialChunk
from edge.sources import EcgSource
from edge.sources.starting import Starter

TENTH = 100_000_000


class Listening(EcgSource):
    """A port that keeps what was written."""

    identity = ""

    def __init__(self) -> None:
        self.told: list[int] = []  # tenths of a second
        self.now = 0

    def write(self, data: bytes) -> None:
        assert data == b"b"
        self.told.append(self.now)

    def read(self, timeout_s: float) -> SerialChunk | None:
        return None

    def close(self) -> None:
        pass


def told(said: dict[int, bytes], sending: range, command: bytes = b"b") -> list[int]:
    """
    Return when, in the tenths of 10 s, a board is told that has *said* something
    then, and sends samples in the tenths of *sending*.
    """
    port = Listening()
    starter = Starter(port, command, MonotonicNs(0))
    packets = 0
    for port.now in range(1, 100):
        at = MonotonicNs(port.now * TENTH)
        packets += port.now in sending
        data = said.get(port.now, b"\xa0$$$\xc0" if port.now in sending else b"")
        starter.follow(SerialChunk(at, data) if data else None, packets, at)
    return port.told


@pytest.mark.parametrize(
    ("said", "sending", "expected"),
    [
        ({}, range(100), [0]),
        ({}, range(20), [0, 49, 79]),
        ({}, range(0), [0, 31, 61, 91]),
        ({40: b"v3.1.2\n$$$"}, range(20), [0, 41, 71]),
        ({40: b"v3.1.2\n$", 41: b"$", 43: b"$"}, range(20), [0, 44, 74]),
        ({3: b"nobody$$$", 13: b"nobody$$$"}, range(0), [0, 10, 20, 50, 80]),
    ],
)
def test_silent_board_is_told_again(
    said: dict[int, bytes], sending: range, expected: list[int]
) -> None:
    assert told(said, sending) == expected


def test_board_without_command_is_told_nothing() -> None:
    assert told({40: b"$$$"}, range(20), command=b"") == []
