"""
The store alone: speed with synchronous=FULL, size of the file, time of a look-up.

Three leads at 500 Hz in chunks of one second. One commit a second, as the box does it,
is beside bare `sqlite3` that writes the same number of bytes with the same pragmas:
both wait for the same disk. Sixty seconds a commit show what the store itself costs.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.history import History
from edge.patient.heart import beat_times, ecg_mv, noise_mv, rhythm
from edge.records import BoxNs, EcgChunk, Segment, Session
from edge.store import Store
from scripts.benches import Row, seconds, side_by_side

S = 1_000_000_000
RATE_HZ = 500
LEADS = ("I", "II", "III")
COUNTS_PER_MV = 24.0 * (2**23 - 1) / 4500  # OpenBCI Cyton: 24 bit, the widest we have
DIFFERENT_S = 60  # of ECG that is then repeated
ONE_BY_ONE_S = 300
TOGETHER_S = 1800
RUNS = 5

SPEED_BAR = 2000.0
BYTES_BAR = 8.0
FLAT_BAR = 0.5


def rows() -> list[Row]:
    """Return speed, size and look-up time, each with its bar."""
    recorded = seconds_of_ecg()
    with tempfile.TemporaryDirectory() as folder:
        return [
            *speed(Path(folder), recorded),
            *size(Path(folder), recorded),
            look_up(Path(folder), recorded),
        ]


def seconds_of_ecg() -> list[EcgChunk]:
    """Return a minute of ECG as a board of 24 bits sends it, a chunk a second."""
    count = DIFFERENT_S * RATE_HZ
    number = np.arange(count)
    at_s = number / RATE_HZ
    heart = rhythm(1)
    lead_mv = ecg_mv(at_s, beat_times(-1.0, DIFFERENT_S + 1.0, heart))
    lead_mv = lead_mv + noise_mv(number, at_s, heart, 1)
    counts = np.round(lead_mv[:, : len(LEADS)] * COUNTS_PER_MV).astype(np.int32)
    period_ns = S / RATE_HZ
    return [
        EcgChunk(1, BoxNs(0), period_ns, 1_000_000, counts[first : first + RATE_HZ])
        for first in range(0, count, RATE_HZ)
    ]


def dated(recorded: list[EcgChunk], first_s: int, stop_s: int) -> Iterator[EcgChunk]:
    """Yield a chunk for each second from *first_s* up to *stop_s*."""
    for second in range(first_s, stop_s):
        yield recorded[second % len(recorded)]._replace(start=BoxNs(second * S))


def begun(path: Path) -> Store:
    """Return a new store that knows its session and segment."""
    store = Store(path, ballast_bytes=0)
    gain, baseline = (COUNTS_PER_MV,) * len(LEADS), (0,) * len(LEADS)
    segment = Segment(
        1, 1, "serial", "openbci-cyton", LEADS, gain, baseline, RATE_HZ, True, "counter"
    )
    store.append([Session(1, "", BoxNs(0), 0, "", "", "{}"), segment])
    return store


def speed(folder: Path, recorded: list[EcgChunk]) -> list[Row]:
    """Return the speed of one commit a second, beside bare SQLite, and of many."""
    bare = bare_sqlite(folder / "bare.db")
    blob = bytes(RATE_HZ * len(LEADS) * 2)
    ours = begun(folder / "one.db")
    at = iter(range(0, 10**9, ONE_BY_ONE_S))

    def one_by_one() -> None:
        first = next(at)
        for chunk in dated(recorded, first, first + ONE_BY_ONE_S):
            ours.append([chunk])

    def bare_one_by_one() -> None:
        for _ in range(ONE_BY_ONE_S):
            bare.execute("INSERT INTO chunks (counts) VALUES (?)", (blob,))

    took, peer, ratio = side_by_side(one_by_one, bare_one_by_one, RUNS)
    ours.close()
    bare.close()
    together = begun(folder / "many.db")

    def minute_by_minute() -> None:
        first = next(at)
        for start in range(first, first + TOGETHER_S, 60):
            together.append(dated(recorded, start, start + 60))

    times = sorted(TOGETHER_S / seconds(minute_by_minute) for _ in range(RUNS))
    together.close()
    median = times[RUNS // 2]
    return [
        Row("append, a commit a second, against bare sqlite3", ONE_BY_ONE_S / took,
            ONE_BY_ONE_S / peer, ratio, "times real time", RUNS),
        Row("append, a commit a minute", median, 1.0, median, "times real time", RUNS,
            f">= {SPEED_BAR:.0f}", median >= SPEED_BAR),
    ]  # fmt: skip


def bare_sqlite(path: Path) -> sqlite3.Connection:
    """Return a connection that syncs each commit, to a table of blobs."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE chunks (id INTEGER PRIMARY KEY, counts BLOB)")
    return connection


def size(folder: Path, recorded: list[EcgChunk]) -> list[Row]:
    """Return how many bytes of the file a sample takes."""
    path = folder / "size.db"
    with begun(path) as store:
        for first in range(0, 3600, 60):
            store.append(dated(recorded, first, first + 60))
    each = path.stat().st_size / (3600 * RATE_HZ * len(LEADS))
    return [
        Row("size of the file, 24-bit board", each, None, None, "bytes a sample", 1,
            f"<= {BYTES_BAR:.0f}", each <= BYTES_BAR),
    ]  # fmt: skip


def look_up(folder: Path, recorded: list[EcgChunk]) -> Row:
    """Return how long a look-up takes among 10^4 and among 10^7 samples."""
    few, many = 10**4, 10**7
    each = RATE_HZ * len(LEADS)
    paths = [folder / f"{count}.db" for count in (few, many)]
    for path, count in zip(paths, (few, many), strict=True):
        with begun(path) as store:
            for first in range(0, count // each + 1, 60):
                stop = min(first + 60, count // each + 1)
                store.append(dated(recorded, first, stop))
    with History(paths[0]) as small, History(paths[1]) as large:
        random = np.random.default_rng(1)
        took, peer, ratio = side_by_side(
            lambda: look_ups(large, random, many // each),
            lambda: look_ups(small, random, few // each),
            RUNS,
        )
    return Row(
        "look-up of a second among 10^7 samples, against 10^4", took * 1000,
        peer * 1000, ratio, "µs", RUNS, f"ratio >= {FLAT_BAR:.2f}", ratio >= FLAT_BAR,
    )  # fmt: skip


def look_ups(history: History, random: np.random.Generator, length_s: int) -> None:
    """Look up the ECG at 1000 random instants."""
    for at in random.integers(0, length_s * S, 1000):
        around = S // RATE_HZ
        found = list(history.chunks(BoxNs(int(at) - around), BoxNs(int(at) + around)))
        assert found
