"""A row that is not what was stored is left out, counted, and not taken for another."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from records_store import (
    EVER,
    START,
    S,
    chunk,
    covers,
    event,
    of,
    pose,
    reading,
    second,
    segment,
    session,
    unlike,
    vital,
)

from edge.database.soundness import trouble
from edge.errors import StoreError
from edge.history import History
from edge.records import BoxNs, ClockReading, EcgChunk, Pose, Record, Vital
from edge.store import Store

CHANGES = {
    "chunks": {
        "segment": "segment + 1", "start": "start + 1", "last": "last + 1",
        "period_ns": "period_ns * 1.0000001", "uncertainty_ns": "0",
        "samples": "samples - 1", "codes": "'---'",
        "counts": "zeroblob(length(counts))",
        "offsets_us": "x'00000000'", "reasons": "'[]'", "crc": "crc + 1",
    },
    "poses": {
        "exposed": "exposed + 1", "uncertainty_ns": "uncertainty_ns + 1",
        "state": "'x'", "keypoints": "zeroblob(204)", "width": "641",
        "height": "481", "inference_ms": "-1.0", "picture": "'x'", "origin": "NULL",
    },
    "pose_origins": {
        "stamp": "'given'", "source": "'x'", "rotation": "7", "model": "'x'",
        "device": "'x'",
    },
    "vitals": {
        "sampled": "sampled + 1", "name": "name || 'x'", "value": "1e9",
        "reason": "'x'", "source": "CAST(x'FF' AS TEXT)", "derived": "2",
    },
    "events": {
        "began": "began + 1", "ended": "began + 99", "kind": "'x'", "stream": "'x'",
        "cause": "CAST(x'FFFE' AS TEXT)", "detail": "'{}'",
    },
    "clock_readings": {
        "session": "2", "box": "box + 1", "utc": "utc + 1",
        "synchronised": "1 - synchronised", "step_ns": "step_ns + 1",
    },
    "segments": {
        "session": "2", "source": "'x'", "board": "'x'", "leads": "'[]'",
        "gain": "'[1.0, 1.0, 1.0]'", "baseline": "'[]'", "sampling_rate_hz": "250.0",
        "checked": "0", "stamp": "'x'",
    },
    "sessions": {
        "boot_id": "'x'", "started": "0", "offset_ns": "6", "version": "'x'",
        "subject": "'x'", "configuration": "'x'",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "column"),
    [(t, column) for t, changed in CHANGES.items() for column in changed],
)
def test_a_row_that_was_changed_is_left_out_and_counted(
    store: Store, path: Path, table: str, column: str
) -> None:
    random = np.random.default_rng(1)
    at = START
    store.append([event(random, at)._replace(ended=BoxNs(at + 5)), reading(random, at)])
    store.append([chunk(random, at), vital(random, at)])
    store.append(
        [
            pose(random, at)._replace(
                state="pose", keypoints=np.ones((17, 3), np.float32)
            )
        ]
    )
    with sqlite3.connect(path) as other:
        other.execute(f"UPDATE {table} SET {column} = {CHANGES[table][column]}")
    other.close()
    with History(path) as history:
        found: dict[str, list[Record]] = {
            "chunks": list(history.chunks(*EVER)),
            "poses": list(history.poses(*EVER)),
            "vitals": list(history.vitals(*EVER)),
            "events": list(history.events(*EVER)),
            "clock_readings": list(history.clock_readings()),
            "segments": list(history.segments().values()),
            "sessions": list(history.sessions()),
        }
        hurt = "poses" if table == "pose_origins" else table
        assert {name for name, records in found.items() if not records} == {hurt}
        assert history.damaged == 1
        # The other ways to the same rows.
        for kind in ("chunks", "poses", "vitals", "events", "clock_readings"):
            assert len(history.since(kind, 0)) == (kind != hurt)
        assert bool(history.latest_vitals(EVER[1])) == (hurt != "vitals")


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_anywhere_is_found(path: Path, seed: int) -> None:
    """Each row that is read is as it was; what is missing is said, or seen at start."""
    random = np.random.default_rng(seed)
    given: list[Record] = []
    with Store(path, ballast_bytes=1 << 14) as store:
        store.append([session(), segment()])
        for number in range(30):
            batch = second(random, START + number * S)
            store.append(batch)
            given += batch
    whole = path.read_bytes()
    places: dict[tuple[str, int], Record] = {
        (type(one).__name__, covers(one)[0]): one
        for one in given
        if not isinstance(one, ClockReading)
    }
    wanted = len(of(EcgChunk, given)), len(of(Pose, given)), len(of(Vital, given))
    unseen = 0
    for _ in range(80):
        data = bytearray(whole)
        data[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
        path.write_bytes(data)
        counts, said = read_all(path, places)
        if counts != wanted and not said:
            assert trouble(path), "rows are missing, and nobody says so"
            unseen += 1
    print(f"seed {seed}: {unseen} of 80 seen only by the look at start")


def read_all(
    path: Path, places: dict[tuple[str, int], Record]
) -> tuple[tuple[int, ...], bool]:
    """Return how many rows of each kind can be read, and whether a loss is told."""
    counts = []
    said = False
    try:
        with History(path) as history:
            for kind in ("chunks", "poses", "vitals"):
                rows = [record for _, record in history.since(kind, 0, 10_000)]
                counts.append(len(rows))
                for record in rows:
                    given = places.get((type(record).__name__, covers(record)[0]))
                    assert given is not None, f"never recorded: {record}"
                    assert unlike([record], [given]) == []
            said = history.damaged > 0
    except StoreError:
        said = True
    return tuple(counts), said
