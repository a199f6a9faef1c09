"""Recorded sessions: bytes of a board and pictures as a replay finds them."""

import itertools
import random
import time
from pathlib import Path

import numpy as np

from edge.clock import BoxClock
from edge.pipeline import EcgFlow
from edge.protocols import make_decoder
from edge.records import Frame, MonotonicNs, Record, SerialChunk
from edge.sources.recording import (
    FrameLog,
    SerialLog,
    serial_path,
    write_settings,
)
from edge.sources.replay import shift_of

BAUD = 115_200


Chunks = list[SerialChunk]


def cyton_packets(count: int, seed: int) -> list[bytes]:
    print(f"seed {seed}")
    rng = random.Random(seed)
    return [
        bytes((0xA0, number % 256)) + rng.randbytes(30) + b"\xc0"
        for number in range(count)
    ]


def chunks(seed: int, count: int = 60, every_ns: int = 16_000_000) -> Chunks:
    """Return bursts of four Cyton packets, some of them damaged."""
    units = cyton_packets(4 * count, seed)
    rng = random.Random(seed)
    data = [b"".join(units[at : at + 4]) for at in range(0, len(units), 4)]
    for index in rng.sample(range(count), count // 10):
        data[index] = data[index][: rng.randrange(132)]
    return [
        SerialChunk(MonotonicNs(10**12 + i * every_ns + rng.randrange(every_ns)), part)
        for i, part in enumerate(data)
    ]


def frames(count: int = 5) -> list[Frame]:
    rng = np.random.default_rng(1)
    return [
        Frame(
            number,
            MonotonicNs(10**12 + number * 10**7),
            MonotonicNs(10**12 + number * 10**7 + 3_000_000),
            "sensor" if number else "arrival",
            rng.integers(0, 256, (48, 64, 3), np.uint8),
            number,
        )
        for number in range(count)
    ]


def session(
    folder: Path, parts: list[Chunks], pictures: int = 0, recorder: int = 0
) -> Path:
    """
    Return *folder* with a recorded session in it. Replayed by the process *recorder*,
    if that is given, it begins now.
    """
    folder.mkdir()
    began = shift_of(-(10**12), recorder) - time.monotonic_ns() if recorder else 10**12
    write_settings(folder, {"board": "openbci-cyton", "began_ns": began})
    for number, part in enumerate(parts, 1):
        with SerialLog(serial_path(folder, number)) as log:
            for chunk in part:
                log.append(chunk)
    if pictures:
        with FrameLog(folder) as log:
            for frame in frames(pictures):
                log.append(frame)
    return folder


def records(sent: list[Chunks]) -> list[Record]:
    """Return what the recorder would keep of *sent*, part by part."""
    flow = EcgFlow(make_decoder("openbci-cyton"), BoxClock(0), 1, itertools.count(1))
    kept: list[Record] = []
    for part in sent:
        for chunk in part:
            kept += flow.feed(chunk)
        kept += flow.lost("the cable")
    return kept
