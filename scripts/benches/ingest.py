"""
ECG from bytes to the card: decode, clock, chunks, and store with synchronous=FULL.

Three leads at 500 Hz in the bursts that USB makes (16 ms), at full speed; and how many
bytes of the file one sample (one value of one lead) takes.
"""

import itertools
import statistics
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from edge.clock import BoxClock
from edge.patient.heart import beat_times, ecg_mv, noise_mv, rhythm
from edge.pipeline import EcgFlow
from edge.protocols import make_decoder
from edge.records import MonotonicNs, Record, SerialChunk, Session
from edge.simulator.encoders import WIRES
from edge.simulator.subject import Samples
from edge.store import Store
from scripts.benches import Row, seconds

RATE_HZ = 500.0
RECORDED_S = 300
BURST_NS = 16_000_000
COMMIT_BURSTS = 31  # half a second
RUNS = 5
TIMES_BAR = 500.0
BYTES_BAR = 8.0


def rows() -> list[Row]:
    """Return speed in times real time, and bytes a sample."""
    chunks = bursts(RECORDED_S)
    took: list[float] = []
    sizes: list[float] = []
    for _ in range(RUNS + 1):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "recording.db"
            took.append(seconds(partial(record, chunks, path)))
            sizes.append(path.stat().st_size)
    times = RECORDED_S / statistics.median(took[1:])
    each = statistics.median(sizes) / (RECORDED_S * RATE_HZ * 3)
    return [
        Row("ingest, 3 leads at 500 Hz, bytes to card", times, 1.0, times,
            "times real time", RUNS, f">= {TIMES_BAR:.0f}", times >= TIMES_BAR),
        Row("size of the file", each, None, None, "bytes a sample", RUNS,
            f"<= {BYTES_BAR:.0f}", each <= BYTES_BAR),
    ]  # fmt: skip


def bursts(length_s: int) -> list[SerialChunk]:
    """Return what a board of 500 Hz sends, as it arrives."""
    count = int(length_s * RATE_HZ)
    number = np.arange(count)
    at_s = number / RATE_HZ
    heart = rhythm(1)
    lead_mv = ecg_mv(at_s, beat_times(-1.0, length_s + 1.0, heart))
    lead_mv = lead_mv + noise_mv(number, at_s, heart, 1)
    samples = Samples(number, lead_mv, at_s, 70.0, 120.0, 80.0, 98.0)
    packets = WIRES["openbci-cyton"].encode(samples)
    each = round(BURST_NS * RATE_HZ / 1e9)
    return [
        SerialChunk(
            MonotonicNs((first // each + 1) * BURST_NS + 500_000),
            b"".join(packets[first : first + each]),
        )
        for first in range(0, count, each)
    ]


def record(chunks: list[SerialChunk], path: Path) -> None:
    """Take *chunks* in as the recorder does."""
    decoder = make_decoder("openbci-cyton")
    decoder.board = decoder.board._replace(sampling_rate_hz=RATE_HZ)
    clock = BoxClock(0)
    flow = EcgFlow(decoder, clock, 1, itertools.count(1), leads=("I", "II", "III"))
    store = Store(path, ballast_bytes=0)
    waiting: list[Record] = [Session(1, "", clock.now(), 0, "", "", "{}")]
    for number, chunk in enumerate(chunks):
        waiting += flow.feed(chunk)
        if number % COMMIT_BURSTS == 0 and waiting:
            store.append(waiting)
            waiting = []
    store.append(waiting + flow.flush())
    store.close()
