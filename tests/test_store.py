"""The one writer: what it keeps, and what leaves."""

import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from records_store import (
    BALLAST,
    EVER,
    START,
    S,
    chunk,
    event,
    fill,
    pose,
    reading,
    second,
    segment,
    session,
    starts,
    vital,
)

from edge.history import History
from edge.records import BoxNs, ClockReading, EcgChunk, Record, UtcNs, Vital
from edge.store import Store

H = 3600 * S


# What it remembers


def test_a_new_store_has_stored_nothing(path: Path) -> None:
    with Store(path) as store:
        assert store.last_box is None
        assert (store.next_session, store.next_segment) == (1, 1)
        assert store.totals.batch == 0


def test_reopening_goes_on_where_it_was(path: Path) -> None:
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([session(3), segment(7)])
        fill(store, range(5))
        before = store.totals
    with Store(path, ballast_bytes=BALLAST) as store:
        assert store.totals == before
        assert (store.next_session, store.next_segment) == (4, 8)
        fill(store, range(5, 9))
    assert starts(path) == list(range(9))


def test_the_newest_instant_is_that_of_the_last_sample(store: Store) -> None:
    counts = np.zeros((500, 3), np.int32)
    store.append([EcgChunk(1, START, 2e6, 0, counts)])
    assert store.last_box == START + 499 * 2_000_000


def test_uploads_do_not_move_the_newest_instant(store: Store) -> None:
    random = np.random.default_rng(0)
    later = START + 400 * H
    store.append([segment(2, "upload")])
    store.append([chunk(random, later, 2), pose(random, later, "upload")])
    store.append([Vital(BoxNs(later), "heart_rate", 60.0, "", "file")])
    assert store.last_box == START
    assert store.totals.recorded_ns == 0


def test_a_clock_reading_moves_the_newest_instant(store: Store) -> None:
    """The next session begins after it, though nothing else came to be recorded."""
    at = BoxNs(START + 60 * S)
    store.append([ClockReading(1, at, UtcNs(at), False, 0)])
    assert store.last_box == at


def test_no_records_make_no_transaction(store: Store) -> None:
    before = store.totals
    store.append([])
    assert store.totals == before


def test_what_is_stored_is_not_held_in_memory(store: Store) -> None:
    record = chunk(np.random.default_rng(0), START)
    before = sys.getrefcount(record)
    store.append([record])
    assert sys.getrefcount(record) == before


def test_a_session_may_be_stated_again(store: Store, path: Path) -> None:
    better = session()._replace(subject="bed 2")
    store.append([better])
    with History(path) as history:
        assert history.sessions() == [better]


@pytest.mark.parametrize(
    "spoilt",
    [
        EcgChunk(1, START, 2e6, 0, np.zeros((5, 3), np.float64)),
        EcgChunk(1, START, 2e6, 0, np.zeros(5, np.int32)),
        EcgChunk(1, START, float("nan"), 0, np.zeros((5, 3), np.int32)),
        EcgChunk(1, START, float("inf"), 0, np.zeros((5, 3), np.int32)),
        EcgChunk(1, BoxNs(2**64), 2e6, 0, np.zeros((5, 3), np.int32)),
        pose(np.random.default_rng(0), START)._replace(
            keypoints=np.zeros((3, 3), np.float32)
        ),
        event(np.random.default_rng(0), START)._replace(
            detail=cast(dict[str, object], {(1, 2): 3})
        ),
        "no record at all",
    ],
)
def test_what_no_row_can_hold_becomes_an_event(
    store: Store, path: Path, spoilt: Record
) -> None:
    fine = chunk(np.random.default_rng(1), START)
    store.append([spoilt, fine])
    with History(path) as history:
        assert len(list(history.chunks(*EVER))) == 1
        (said,) = history.events(*EVER)
    assert (said.kind, said.stream) == ("drop", "store")


def test_a_chunk_without_samples_is_no_row(store: Store) -> None:
    store.append([EcgChunk(1, START, 2e6, 0, np.zeros((0, 3), np.int32))])
    assert store.totals.chunks == 0


def test_totals_count_what_was_given(store: Store) -> None:
    random = np.random.default_rng(5)
    given: list[Record] = []
    for number in range(30):
        batch = second(random, START + number * S)
        store.append(batch)
        given += batch
    chunks = [record for record in given if isinstance(record, EcgChunk)]
    assert store.totals.samples == sum(chunk.counts.size for chunk in chunks)
    assert store.totals.chunks == len(chunks)
    assert store.totals.vitals == sum(isinstance(record, Vital) for record in given)


# What leaves


def test_the_file_grows_to_its_plateau_and_keeps_the_newest(path: Path) -> None:
    capacity = 1_500_000
    with Store(path, capacity, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        fill(store, range(200))
        assert starts(path) == list(range(200))
        fill(store, range(200, 1200))
        assert store.totals.chunks == 1200
        kept = starts(path)
        assert kept == list(range(kept[0], 1200))
        assert len(kept) > 300
        assert cast(float, store.storage()["hours_left"]) < 0.02
    assert 0.9 * capacity < path.stat().st_size <= capacity


def test_all_tables_leave_together(path: Path) -> None:
    with Store(path, 500_000, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        random = np.random.default_rng(1)
        for number in range(1000):
            at = START + number * S
            batch: list[Record] = [chunk(random, at), pose(random, at)]
            batch += [vital(random, at), event(random, at), reading(random, at)]
            store.append(batch)
    with History(path) as history:
        begun = (BoxNs(START), BoxNs(START + 1000 * S))
        oldest = [
            next(history.chunks(*begun)).start,
            next(history.poses(*begun)).exposed,
            next(history.vitals(*begun)).sampled,
            next(history.events(*begun)).began,
        ]
    assert max(oldest) - min(oldest) <= 20 * S
    assert min(oldest) > START + 100 * S


def test_hours_are_hours_of_recording(path: Path) -> None:
    """Switched off for a year, or dated wrong by one, nothing gets old."""
    with Store(path, retention_h=1.0, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        for number in range(30):
            store.append(
                [Vital(BoxNs(START + number * 60 * S), "a", 1.0, "", "serial")]
            )
    year = 365 * 24 * H
    with Store(path, retention_h=1.0, ballast_bytes=BALLAST) as store:
        store.append([session(2, START + year)])
        for number in range(20):
            at = BoxNs(START + year + number * 60 * S)
            store.append([Vital(at, "b", 1.0, "", "serial")])
        with History(path) as history:
            names = [vital.name for vital in history.vitals(*EVER)]
        assert (names.count("a"), names.count("b")) == (30, 20)
        for number in range(20, 120):
            at = BoxNs(START + year + number * 60 * S)
            store.append([Vital(at, "b", 1.0, "", "serial")])
        with History(path) as history:
            names = [vital.name for vital in history.vitals(*EVER)]
        assert names.count("a") == 0
        assert 60 <= names.count("b") <= 62


def test_one_instant_far_ahead_makes_nothing_old(path: Path) -> None:
    with Store(path, retention_h=2.0, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        fill(store, range(100))
        store.append([Vital(BoxNs(START + 10**6 * H), "a", 1.0, "", "serial")])
        fill(store, range(100, 110))
    assert starts(path) == list(range(110))


def test_late_records_are_kept_as_long_as_others(path: Path) -> None:
    """What was recorded long ago and uploaded now is not the oldest."""
    with Store(path, 500_000, ballast_bytes=BALLAST) as store:
        store.append([session(), segment(), segment(2, "upload")])
        fill(store, range(500))
        late = [chunk(np.random.default_rng(n), START - n * H, 2) for n in range(1, 9)]
        store.append(late)
        fill(store, range(500, 550))
        with History(path) as history:
            found = list(history.chunks(BoxNs(0), START))
        assert [one.start for one in found] == sorted(one.start for one in late)
        fill(store, range(550, 1500))
        with History(path) as history:
            assert list(history.chunks(BoxNs(0), START)) == []


def test_uploads_alone_reach_a_plateau_too(path: Path) -> None:
    with Store(path, 600_000, ballast_bytes=BALLAST) as store:
        store.append([session(), segment(1, "upload")])
        fill(store, range(1000))
        assert starts(path)[-1] == 999
    assert path.stat().st_size <= 600_000


def test_segments_and_sessions_leave_with_their_rows(path: Path) -> None:
    random = np.random.default_rng(3)
    number = 0
    for life in range(1, 31):
        with Store(path, 400_000, ballast_bytes=BALLAST) as store:
            begun = START + life * 1000 * S
            ledger_line = reading(random, begun)._replace(session=life)
            store.append([session(life, begun), ledger_line])
            for step in range(40):
                number += 1
                at = begun + step * 12 * S
                store.append([segment(number)._replace(session=life)])
                store.append([chunk(random, at, number), pose(random, at)])
    with History(path) as history:
        chunks = list(history.chunks(*EVER))
        segments = history.segments()
        sessions = history.sessions()
        ledger = history.clock_readings()
    assert {one.segment for one in chunks} <= set(segments)
    assert len(segments) < number / 2
    assert {one.session for one in segments.values()} <= {one.id for one in sessions}
    assert len(sessions) < 25
    assert len(ledger) == len(sessions)


def test_what_dates_a_session_is_kept_as_long_as_it(path: Path) -> None:
    """Its first reading, each step, each change of what stands behind the clock."""

    def at(minute: int, synchronised: bool, step_ns: int = 0) -> ClockReading:
        box = BoxNs(START + minute * 60 * S)
        return ClockReading(1, box, UtcNs(box + step_ns), synchronised, step_ns)

    told = {0: at(0, True), 10: at(10, True, H), 20: at(20, False), 30: at(30, True)}
    with Store(path, retention_h=1.0, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        for minute in range(300):
            usual = at(minute, not 20 <= minute < 30)
            vital = Vital(usual.box, "a", 1.0, "", "serial")
            store.append([told.get(minute, usual), vital])
    with History(path) as history:
        ledger = history.clock_readings()
    assert ledger[: len(told)] == list(told.values())
    assert 60 <= len(ledger) <= 66


def test_a_smaller_capacity_is_approached_in_steps(path: Path) -> None:
    with Store(path, 3_000_000, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        fill(store, range(600))
    large = path.stat().st_size
    with Store(path, 800_000, ballast_bytes=BALLAST) as store:
        fill(store, range(600, 700))
        assert cast(int, store.storage()["bytes"]) <= 800_000
        kept = starts(path)
        assert kept == list(range(kept[0], 700))
    assert path.stat().st_size <= large
