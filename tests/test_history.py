"""What was stored comes back as it was, asked for in any of the ways there are."""

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
    of,
    pose,
    second,
    segment,
    session,
    unlike,
)

from edge.database.reading import Reader
from edge.database.sums import Row
from edge.errors import StoreError
from edge.history import History
from edge.records import BoxNs, ClockReading, EcgChunk, Event, Pose, Record, Vital
from edge.store import Store


@pytest.mark.parametrize("number", [-0.0, 5e-324, 1e22, float("inf"), -float("inf")])
def test_no_number_makes_a_row_count_as_damaged(
    store: Store, path: Path, number: float
) -> None:
    random = np.random.default_rng(0)
    stated = Vital(START, "heart_rate", number, "", "upload")
    seen = pose(random, START)._replace(inference_ms=number)
    store.append([segment()._replace(sampling_rate_hz=number), stated, seen])
    if number == 0:
        store.append([EcgChunk(1, START, number, 0, np.zeros((1, 3), np.int32))])
    with History(path) as history:
        assert [vital.value for vital in history.vitals(*EVER)] == [number]
        assert [pose.inference_ms for pose in history.poses(*EVER)] == [number]
        assert history.segments()[1].sampling_rate_hz == number
        assert len(list(history.chunks(*EVER))) == (number == 0)
        assert history.damaged == 0


@pytest.mark.parametrize("seed", range(20))
def test_every_record_comes_back_as_it_was(store: Store, path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    given: list[Record] = []
    for number in range(20):
        batch = second(random, START + number * S)
        store.append(batch)
        given += batch
    with History(path) as history:
        assert unlike(list(history.chunks(*EVER)), of(EcgChunk, given)) == []
        assert unlike(list(history.poses(*EVER)), of(Pose, given)) == []
        assert unlike(list(history.vitals(*EVER)), of(Vital, given)) == []
        assert unlike(list(history.events(*EVER)), of(Event, given)) == []
        assert history.clock_readings() == of(ClockReading, given)
        assert history.sessions() == [session()]
        assert history.segments() == {1: segment()}
        assert history.damaged == 0


@pytest.mark.parametrize("seed", range(5))
def test_latest_chunk_before_an_instant_is_of_its_source(
    tmp_path: Path, seed: int
) -> None:
    random = np.random.default_rng(seed)
    starts = [START + int(random.integers(0, 60)) * S for _ in range(50)]
    chunks = [
        chunk(random, at)._replace(segment=n % 2 + 1) for n, at in enumerate(starts)
    ]
    since, at = BoxNs(START + 10 * S), BoxNs(START + 30 * S)
    with Store(tmp_path / "recording.db", ballast_bytes=0) as store:
        store.append([session(), segment(1), segment(2, "upload"), *chunks])
    with History(tmp_path / "recording.db") as history:
        found = history.latest_chunk(1, "serial", since, at)
        assert found is not None
        assert history.latest_chunk(2, "serial", since, at) is None
        assert history.latest_chunk(1, "serial", at, at) is None
    assert found.start == max(one for one in starts[::2] if since <= one < at)


def test_counts_tell_posted_records_from_recorded_ones(tmp_path: Path) -> None:
    sizes = ((1, 50), (2, 1), (3, 7))
    counts = {number: np.ones((size, 3), np.int32) for number, size in sizes}
    with Store(tmp_path / "recording.db", ballast_bytes=0) as store:
        store.append([session(), segment(1), segment(2, "upload")])
        store.append([segment(3, "file")])
        store.append([EcgChunk(n, START, 2e6, 0, c) for n, c in counts.items()])
    with History(tmp_path / "recording.db") as history:
        found = history.counts()

    assert found.instants == 58
    assert found.posted == 1
    assert found.samples == 58 * 3


def test_blocks_of_poses_say_what_the_poses_say(store: Store, path: Path) -> None:
    random = np.random.default_rng(5)
    for number in range(40):
        store.append(second(random, START + number * S))
    with History(path) as history:
        stretch = BoxNs(START + 3 * S), BoxNs(START + 30 * S)
        poses = list(history.poses(*stretch))
        blocks = list(history.pose_blocks(*stretch))

    fields = set(Pose._fields)
    assert set(blocks[0]._fields) == fields
    for name in fields:
        column = [value for block in blocks for value in getattr(block, name)]
        assert np.array_equal(column, [getattr(pose, name) for pose in poses])


# Asked in other ways, against lists


@pytest.fixture
def many(store: Store) -> list[Record]:
    """Twenty minutes with chunks that overlap, in an order that is not theirs."""
    random = np.random.default_rng(11)
    given: list[Record] = []
    for number in random.permutation(300):
        given += second(random, START + int(number) * 4 * S + int(random.integers(S)))
    store.append(given)
    return given


@pytest.mark.parametrize("seed", range(10))
def test_what_has_part_in_an_interval_is_found_in_order(
    many: list[Record], path: Path, seed: int
) -> None:
    random = np.random.default_rng(seed)
    edges = [at for record in many for at in covers(record)]
    begin, end = sorted(int(at) for at in random.choice(edges, 2))
    begin, end = begin + int(random.integers(-1, 2)), end + int(random.integers(-1, 2))
    asked = BoxNs(begin), BoxNs(end)

    def expected(kind: type) -> list[Record]:
        inside = [
            record
            for record in of(kind, many)
            if covers(record)[0] < end and covers(record)[1] >= begin
        ]
        return sorted(inside, key=lambda record: covers(record)[0])

    with History(path) as history:
        assert unlike(list(history.chunks(*asked)), expected(EcgChunk)) == []
        assert unlike(list(history.poses(*asked)), expected(Pose)) == []
        assert unlike(list(history.vitals(*asked)), expected(Vital)) == []
        assert unlike(list(history.events(*asked)), expected(Event)) == []


def test_many_that_overlap_are_read_once_each(store: Store, path: Path) -> None:
    random = np.random.default_rng(4)
    begins = [BoxNs(START + number * S // 20) for number in range(600)]
    chunks = [chunk(random, begin) for begin in begins]
    events = [Event(at, BoxNs(at + 9 * S), "gap", "ecg", "") for at in begins]
    store.append([*chunks, *events])

    with History(path) as history:
        assert [one.start for one in history.chunks(*EVER)] == begins
        assert [one.began for one in history.events(*EVER)] == begins


def test_a_gap_of_a_week_costs_no_reader_what_it_passed(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = 60 * S
    told = [
        Event(BoxNs(START + k * minute), None, "state", "ecg", "") for k in range(1000)
    ]
    last = BoxNs(START + 1000 * minute)
    store.append([*told, Event(START, last, "gap", "ecg", "unplugged")])
    read: list[Row] = []
    fetch = Reader.fetch

    def watched(reader: Reader, query: str, values: Row = ()) -> list[Row]:
        rows = fetch(reader, query, values)
        read.extend(rows)
        return rows

    monkeypatch.setattr(Reader, "fetch", watched)
    with History(path) as history:
        found = list(history.events(BoxNs(last - minute), last))

    assert [event.kind for event in found] == ["gap", "state"]
    assert len(read) == 2


def test_the_latest_vitals_are_the_newest_of_each(
    many: list[Record], path: Path
) -> None:
    vitals = [record for record in many if isinstance(record, Vital)]
    with History(path) as history:
        for at in (START - 1, START + 7 * S, START + 600 * S, START + 10**6 * S):
            before = sorted(
                (one for one in vitals if one.sampled <= at),
                key=lambda one: one.sampled,
            )
            assert history.latest_vitals(BoxNs(at)) == {one.name: one for one in before}


def test_the_span_is_that_of_all_records(many: list[Record], path: Path) -> None:
    data = [r for r in many if isinstance(r, EcgChunk | Pose | Vital | Event)]
    edges = [at for record in data for at in covers(record)]
    with History(path) as history:
        assert history.span() == (min(edges), max(edges))


def test_an_empty_recording_has_no_span(store: Store, path: Path) -> None:
    with History(path) as history:
        assert history.span() is None
        assert list(history.chunks(*EVER)) == []
        assert history.latest_vitals(START) == {}


def test_a_live_page_gets_every_row_once(store: Store, path: Path) -> None:
    random = np.random.default_rng(2)
    given: list[Record] = []
    seen: list[Record] = []
    with History(path) as history:
        newest = history.newest()["poses"]
        for number in range(60):
            batch = second(random, START - number * S)  # late rows too
            store.append(batch)
            given += of(Pose, batch)
            while page := history.since("poses", newest, limit=7):
                assert [row_id for row_id, _ in page] == sorted(
                    row_id for row_id, _ in page
                )
                newest = page[-1][0]
                seen += [record for _, record in page]
    assert unlike(seen, given) == []


def test_rows_that_come_while_reading_do_no_harm(store: Store, path: Path) -> None:
    random = np.random.default_rng(3)
    for number in range(600):
        store.append([chunk(random, START + number * S)])
    with History(path) as history:
        reading = history.chunks(*EVER)
        starts = [next(reading).start for _ in range(300)]
        for number in range(600, 700):
            store.append([chunk(random, START + number * S)])
            store.append([chunk(random, START - number * S)])
        starts += [one.start for one in reading]
    assert starts == [START + number * S for number in range(700)]


# What cannot be read


def test_without_a_recording_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no recording to read"):
        History(tmp_path / "edge.db")
    (tmp_path / "edge.db").write_bytes(b"")
    with pytest.raises(StoreError, match="empty"):
        History(tmp_path / "edge.db")
    (tmp_path / "edge.db").write_text("a letter")
    with pytest.raises(StoreError, match="not a database"):
        History(tmp_path / "edge.db")


def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "edge.db") as other:
        other.execute("CREATE TABLE chunks (a)")
    other.close()
    before = (tmp_path / "edge.db").read_bytes()
    with pytest.raises(StoreError, match="not a recording"):
        History(tmp_path / "edge.db")
    assert (tmp_path / "edge.db").read_bytes() == before


def test_a_reader_cannot_write(store: Store, path: Path) -> None:
    with History(path) as history, pytest.raises(StoreError, match="readonly"):
        history._reader.fetch("DELETE FROM chunks")
