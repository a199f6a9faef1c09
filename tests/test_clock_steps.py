"""The wall clock is set 10,000 times during a recording: nothing of it moves."""

import random
from pathlib import Path

import numpy as np
import pytest
from export_rig import rows
from records_store import segment

from edge.__main__ import main
from edge.clock import BoxClock, LedgerKeeper, Wall
from edge.history import History
from edge.records import (
    BoxNs,
    ClockReading,
    EcgChunk,
    Event,
    MonotonicNs,
    Pose,
    Record,
    Session,
    UtcNs,
)
from edge.store import Store

STEPS = 10_000
S = 1_000_000_000
MS = 1_000_000
NOON = 1_767_268_800 * S
YEAR = 365 * 86_400 * S
POINTS = np.zeros((17, 3), np.float32)
DATED = ("timestamp", "ecg_timestamp", "clock_synchronised")


def steps_of(seed: int) -> list[int]:
    """Return steps of one millisecond to twenty years, to and fro."""
    dice = random.Random(seed)
    steps, off = [MS, -MS], 0
    while len(steps) < STEPS:
        size = int(10 ** dice.uniform(6, 17.8))
        steps.append(-size if off > 0 else size)
        off += steps[-1]
    assert 19 * YEAR < max(map(abs, steps)) < 20.1 * YEAR
    return steps


def record(path: Path, steps: list[int], server: bool) -> list[int]:
    """
    Record a pose and a second of ECG between two steps each; return the steps that
    the ledger tells of. A time *server* is reached in the end.
    """
    now, wall = 5 * S, NOON - 5 * S

    def read() -> Wall:
        return Wall(MonotonicNs(now), UtcNs(now + wall), reached)

    reached = False
    clock = BoxClock.start(None, read, lambda: now)
    keeper = LedgerKeeper(1, clock, read)
    session = Session(1, "boot", clock.now(), clock.offset_ns, "", "", "{}")
    records: list[Record] = [session, segment()]
    for number in range(STEPS):
        records += keeper.observe()
        start = clock.box(MonotonicNs(now))
        counts = np.full((10, 3), number, np.int32)
        records.append(EcgChunk(1, start, 1e8, 0, counts))
        exposed = BoxNs(start + number * 7919 % 1000 * MS)
        records.append(
            Pose(
                exposed, 0, "sensor", "camera", "pose", POINTS,
                640, 480, 0, "", "cpu", 1.0,
            )
        )  # fmt: skip
        now += S
        wall += steps[number] if steps else 0
    if server:
        reached, wall = True, NOON - 5 * S
    records += keeper.observe()
    with Store(path) as store:
        for first in range(0, len(records), 3000):
            store.append(records[first : first + 3000])
    return [one.step_ns for one in records if isinstance(one, ClockReading)]


def exported(path: Path) -> list[dict[str, str]]:
    """Return the joined table of the recording at *path*, as the export writes it."""
    out = path.with_suffix(".csv")
    assert main(["export", "--database", str(path), "--output", str(out)]) == 0
    return rows(out)


@pytest.mark.parametrize("server", [False, True])
def test_steps_of_the_wall_clock_change_no_join(tmp_path: Path, server: bool) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    steps = steps_of(seed)
    calm, shaken = tmp_path / "calm.db", tmp_path / "shaken.db"

    record(calm, [], server)
    told = record(shaken, steps, server)

    one, other = exported(calm), exported(shaken)
    assert len(one) == STEPS
    if server:  # then the date is known, and with it every label
        assert calm.with_suffix(".csv").read_bytes() == (
            shaken.with_suffix(".csv").read_bytes()
        )
    for row in one + other:
        for name in DATED:
            del row[name]
    assert one == other
    # A server's date undoes the last step before it is seen.
    assert [step for step in told if step][: STEPS - 1] == steps[: STEPS - 1]


def test_every_step_is_an_event_and_nothing_is_deleted(tmp_path: Path) -> None:
    steps = steps_of(1)
    path = tmp_path / "edge.db"

    record(path, steps, server=False)

    ever = BoxNs(0), BoxNs(2**62)
    with History(path) as history:
        events: list[Event] = list(history.events(*ever))
        starts = [chunk.start for chunk in history.chunks(*ever)]
    told = [one.detail["step_ns"] for one in events if one.kind == "clock step"]
    assert told == steps
    assert starts == [NOON + number * S for number in range(STEPS)]
