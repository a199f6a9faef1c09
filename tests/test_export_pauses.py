"""
A box that has no time of its own when it starts: what passed between two of its runs is
known by what a time server says later, not by box time.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from export_rig import Row, box, edge, pose, rows
from records_store import EVER

from edge.clock import BoxClock, LedgerKeeper, Wall
from edge.history import History
from edge.join.rows import joined_rows
from edge.opening import pause_before
from edge.records import (
    EcgChunk,
    MonotonicNs,
    Record,
    Segment,
    Session,
    UtcNs,
    Vital,
)
from edge.stamps import parse_stamp
from edge.store import Store

S = 1_000_000_000
EVENING = 1_795_204_800 * S
"""2026-11-20T20:00:00Z, the true time of the first run."""
RUN_S, OFF_S = 60, 3 * 3600
SECOND = EVENING + (RUN_S + OFF_S) * S
"""The same of the second run."""
LATE_S = 4
"""The board of the second run begins so late."""
SET_AFTER_S = 20
YEARS = 20 * 365 * 86_400 * S


class Run(NamedTuple):
    """One run of the recorder, by true time."""

    number: int
    began: int  # true UTC
    believed: int  # the UTC that the machine starts with
    boot: str
    booted: int  # true UTC of monotonic 0
    set_after_s: int = SET_AFTER_S  # a time server is heard of so long after the start


def utc_of(stamp: str) -> float:
    return parse_stamp(stamp) / S


def recorded(database: Path, run: Run) -> None:
    """Record *run*: each second ten samples and a pose; a heart rate once."""
    true = run.began

    def monotonic() -> int:
        return true - run.booted

    def wall() -> Wall:
        known = true - run.began >= run.set_after_s * S
        utc = true if known else run.believed + true - run.began
        return Wall(MonotonicNs(monotonic()), UtcNs(utc), known)

    with Store(database) as store:
        last = store.last_box
        clock = BoxClock.start(last, wall, monotonic)
        keeper = LedgerKeeper(run.number, clock, wall)
        started, offset = clock.now(), clock.offset_ns
        records: list[Record] = [
            Session(run.number, run.boot, started, offset, "0.1", "P-07", "{}"),
            Segment(
                run.number, run.number, "serial", "csv", ("I",), (1000.0,), (0,), 10.0,
                True, "counter",
            ),
        ]  # fmt: skip
        with History(database) as history:
            records += pause_before(history, last, started)
        if run.number == 1:
            records.append(Vital(started, "heart_rate", 61.0, "", "serial"))
        for second in range(RUN_S):
            records += keeper.observe()
            now = clock.now()
            counts = np.zeros((10, 1), np.int32)
            if run.number == 1 or second >= LATE_S:
                records.append(EcgChunk(run.number, now, S / 10, 1000, counts))
            records.append(pose(now + S // 2, 0.5))
            true += S
        store.append(records)


RUNS = {
    "the clock stood still while it was off": (EVENING, EVENING + RUN_S * S - 7 * S),
    "it begins in 1970": (5 * S, 5 * S),
    "it began in 1970 and kept the time then": (5 * S, SECOND),
    "it began 20 years ahead": (EVENING + YEARS, EVENING),
    "it is always right": (EVENING, SECOND),
}
"""What the machine believes when each of two runs begins."""


@pytest.fixture(params=RUNS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a recording of two runs, `OFF_S` apart in truth."""
    path = tmp_path / "recording.db"
    for number, believed in enumerate(RUNS[request.param], start=1):
        began = EVENING + (number - 1) * (RUN_S + OFF_S) * S
        recorded(path, Run(number, began, believed, f"boot {number}", began - 30 * S))
    return path


def test_pause_is_as_long_as_it_was(database: Path, tmp_path: Path) -> None:
    assert edge(database, "--output", str(tmp_path / "out")) == 0

    said = json.loads((tmp_path / "out" / "manifest.json").read_text())
    whole_s = 2 * RUN_S + OFF_S
    assert said["range"]["seconds"] == pytest.approx(whole_s, abs=1)
    for stream in (said["streams"]["ecg"]["serial"], said["streams"]["pose"]["camera"]):
        (gap,) = stream["gaps_listed"]
        assert gap["seconds"] == pytest.approx(OFF_S, abs=LATE_S + 1)
        assert utc_of(gap["begin"]["utc"]) == pytest.approx(EVENING / S + RUN_S, abs=1)
        assert utc_of(gap["end"]["utc"]) == pytest.approx(SECOND / S, abs=LATE_S + 1)
        assert gap["causes"] == ["the recorder was cut off: power, a crash or a kill"]
        assert stream["gaps_seconds"] == gap["seconds"]
        assert stream["complete"] == pytest.approx(2 * RUN_S / whole_s, abs=0.001)
    events = rows(tmp_path / "out" / "events.csv")
    (pause,) = [row for row in events if row["kind"] == "gap"]
    assert float(pause["duration_s"]) == pytest.approx(OFF_S, abs=1.1)


def test_pose_finds_no_ecg_of_before_the_pause(database: Path, tmp_path: Path) -> None:
    words = ["--tolerance-ms", "5000", "--tables", "joined"]
    assert edge(database, "--output", str(tmp_path / "out"), *words) == 0

    found = rows(tmp_path / "out" / "joined.csv")
    with History(database) as history:
        shown = list(joined_rows(history, *EVER, 5 * S))

    assert len(found) == len(shown) == 2 * RUN_S
    for row, live in zip(found, shown, strict=True):
        assert row["ecg_matched"] == "True"
        assert live.sample is not None
        pose_s, ecg_s = utc_of(row["timestamp"]), utc_of(row["ecg_timestamp"])
        apart_ms = 1000 * (ecg_s - pose_s)
        assert abs(apart_ms) < 5000
        assert float(row["difference_ms"]) == pytest.approx(apart_ms, abs=0.01)
        assert live.sample.difference_ms == pytest.approx(apart_ms, abs=0.01)
        age_ms = 1000 * (ecg_s - EVENING / S)
        assert int(row["heart_rate_age_ms"]) == pytest.approx(age_ms, abs=1)
        assert live.vitals["heart_rate"].age_ms == pytest.approx(age_ms, abs=1)


def test_stretches_that_meet_hold_every_row_once(
    database: Path, tmp_path: Path
) -> None:
    """Cut within the first run, in the pause and in the second, by a local clock."""
    cuts = ["", "2026-11-21T07:00:30.25", "2026-11-21T08", "2026-11-21T10:01:30", ""]
    tables = ("joined", "ecg", "vitals")
    found: dict[str, list[Row]] = {name: [] for name in tables}
    for number, (first, until) in enumerate(pairwise(cuts)):
        out = tmp_path / f"part {number}"
        words = ["--zone", "Australia/Lord_Howe", f"--from={first}", f"--to={until}"]
        assert edge(database, *words, "--output", str(out)) == 0
        for name in tables:
            found[name] += rows(out / f"{name}.csv")

    assert edge(database, "--output", str(tmp_path / "whole")) == 0
    for name in tables:
        assert found[name] == rows(tmp_path / "whole" / f"{name}.csv"), name


def test_sessions_never_reach_into_each_other(tmp_path: Path) -> None:
    """Nobody ever tells the time, and the machine goes on with one it kept before."""
    path = tmp_path / "recording.db"
    for number, believed in enumerate((EVENING, EVENING + 20 * S), start=1):
        began = EVENING + (number - 1) * (RUN_S + OFF_S) * S
        run = Run(number, began, believed, f"boot {number}", began - 30 * S, 10**6)
        recorded(path, run)

    words = ["--tolerance-ms", "2000", "--output", str(tmp_path / "out")]
    assert edge(path, *words) == 0

    found = rows(tmp_path / "out" / "joined.csv")
    matched = [row for row in found if row["ecg_matched"] == "True"]
    assert len(matched) > RUN_S
    for row in matched:
        apart_ms = (box(row, "ecg_box") - box(row, "pose_box")) / 1e6
        assert float(row["difference_ms"]) == pytest.approx(apart_ms, abs=1e-3)


def test_runs_of_one_boot_are_as_far_apart_as_the_machine_knows(tmp_path: Path) -> None:
    """The recorder was restarted after somebody had set the clock back."""
    path = tmp_path / "recording.db"
    for number, believed in enumerate((EVENING, EVENING - YEARS), start=1):
        began = EVENING + (number - 1) * (RUN_S + OFF_S) * S
        recorded(path, Run(number, began, believed, "a boot", EVENING - 30 * S))

    assert edge(path, "--output", str(tmp_path / "out")) == 0

    said = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert said["range"]["seconds"] == pytest.approx(2 * RUN_S + OFF_S, abs=1)
