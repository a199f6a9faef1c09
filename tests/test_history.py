"""What was stored comes back as it was, asked for in any of the ways there are."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from records_store import (
    EVER,
    START,
    S,
    quick_folder,
    second,
    segment,
    session,
    unlike,
)

from edge.history import History
from edge.records import ClockReading, EcgChunk, Event, Pose, Record, Vital
from edge.store import Store


def of(kind: type, records: list[Record]) -> list[Record]:
    return [record for record in records if type(record) is kind]


@pytest.fixture
def path() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder / "edge.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as store:
        store.append([session(), segment()])
        yield store


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
        poses = list(history.poses(START + 3 * S, START + 30 * S))
        blocks = list(history.pose_blocks(START + 3 * S, START + 30 * S))

    fields = set(Pose._fields)
    assert set(blocks[0]._fields) == fields
    for name in fields:
        column = [value for block in blocks for value in getattr(block, name)]
        assert np.array_equal(column, [getattr(pose, name) for pose in poses])
