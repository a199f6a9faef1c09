"""
ECG from bytes to the card: decode, clock, chunks, and store with synchronous=FULL.

Three leads at 500 Hz in the bursts that USB makes (16 ms), at full speed: once with a
commit for each 0.7 s of ECG, as often as in real time, and once as the recorder catches
up, one thread dating while another commits all that waits. And how many bytes of the
file one sample (one value of one lead) takes.
"""

import itertools
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge.clock import BoxClock
from edge.patient.heart import beat_times, ecg_mv, noise_mv, rhythm
from edge.pipeline import EcgFlow
from edge.protocols import make_decoder
from edge.recorder import TAKEN_AT_ONCE
from edge.records import MonotonicNs, SerialChunk, Session
from edge.simulator.encoders import WIRES
from edge.simulator.subject import Samples
from edge.store import Store
from edge.worker import Intake
from scripts.benches import Row, seconds

RATE_HZ = 500.0
RECORDED_S = 300
BURST_NS = 16_000_000
WAIT_S = 1.0  # for more to commit
RUNS = 5
TIMES_BAR = 500.0
BYTES_BAR = 8.0


class Recorded(NamedTuple):
    """What came of one way to record all."""

    took_s: float
    file_bytes: int
    commits: int


def rows() -> list[Row]:
    """Return speed in times real time, either way, and bytes a sample."""
    chunks = bursts(RECORDED_S)
    each, caught_up = [], []
    for _ in range(RUNS + 1):
        each.append(recorded(record_each, chunks))
        caught_up.append(recorded(catch_up, chunks))
    times, faster = speed(each[1:]), speed(caught_up[1:])
    commits = statistics.median(run.commits for run in caught_up[1:])
    sizes = statistics.median(run.file_bytes for run in each[1:])
    sample_bytes = sizes / (RECORDED_S * RATE_HZ * 3)
    return [
        Row("ingest, 3 leads at 500 Hz, bytes to card", times, 1.0, times,
            "times real time", RUNS, f">= {TIMES_BAR:.0f}", times >= TIMES_BAR),
        Row("the same as the recorder catches up", faster, 1.0, faster,
            "times real time", RUNS),
        Row("commits of that", commits / RECORDED_S * 60, None, None,
            "a minute of ECG", RUNS),
        Row("size of the file", sample_bytes, None, None, "bytes a sample", RUNS,
            f"<= {BYTES_BAR:.0f}", sample_bytes <= BYTES_BAR),
    ]  # fmt: skip


def speed(runs: list[Recorded]) -> float:
    """Return how many times faster than real time the median of *runs* was."""
    return RECORDED_S / statistics.median(run.took_s for run in runs)


def recorded(
    way: Callable[[list[SerialChunk], Store], None], chunks: list[SerialChunk]
) -> Recorded:
    """Record *chunks* one *way* into a new file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.db"
        commits = 0

        def run() -> None:
            nonlocal commits
            with Store(path, ballast_bytes=0) as store:
                store.append([Session(1, "", BoxClock(0).now(), 0, "", "", "{}")])
                way(chunks, store)
                commits = store.totals.batch

        return Recorded(seconds(run), path.stat().st_size, commits)


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


def new_flow() -> EcgFlow:
    """Return the way of the ECG of a board of 500 Hz."""
    decoder = make_decoder("openbci-cyton")
    decoder.board = decoder.board._replace(sampling_rate_hz=RATE_HZ)
    leads = ("I", "II", "III")
    return EcgFlow(decoder, BoxClock(0), 1, itertools.count(1), leads=leads)


def record_each(chunks: list[SerialChunk], store: Store) -> None:
    """Take *chunks* in one after the other, each commit waiting for the card."""
    flow = new_flow()
    for chunk in chunks:
        if records := flow.feed(chunk):
            store.append(records)
    store.append(flow.flush())


def catch_up(chunks: list[SerialChunk], store: Store) -> None:
    """Take *chunks* in as the recorder does: a thread dates, this one commits."""
    intake = Intake()

    def read() -> None:
        flow = new_flow()
        for chunk in chunks:
            if records := flow.feed(chunk):
                intake.put(records, at_once=True)
        intake.put(flow.flush())
        intake.close()

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        while not reading.done() or intake.waiting:
            if records := intake.take(WAIT_S, TAKEN_AT_ONCE):
                store.append(records)
                intake.saved(len(records))
        reading.result()
