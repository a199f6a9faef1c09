"""What somebody wants kept stays in the ring, and never stops the recording."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from records_store import BALLAST, EVER, START, S, fill, segment, session, starts

from edge.export.tables import veiled
from edge.history import History
from edge.records import BoxNs, Kept, Released
from edge.store import Store

CAPACITY_BYTES = 1_500_000
"""Some hundred seconds of `fill`."""


def seconds(begin: int, end: int, why: str = "a fall") -> Kept:
    return Kept(BoxNs(START + begin * S), BoxNs(START + end * S), why)


def kept(path: Path) -> dict[int, Kept]:
    with History(path) as history:
        return history.kept()


@pytest.fixture
def full(path: Path) -> Iterator[Store]:
    """Return a store whose ring has turned, but for the seconds 50 to 100."""
    with Store(path, CAPACITY_BYTES, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        fill(store, range(200))
        store.append([seconds(50, 100)])
        fill(store, range(200, 1500))
        yield store


def test_kept_stretch_stays_while_the_ring_turns(full: Store, path: Path) -> None:
    inside = [second for second in starts(path) if second < 200]
    # A chunk that reaches into the stretch has part in it.
    assert inside in (list(range(50, 100)), list(range(49, 100)))
    newest = [second for second in starts(path) if second >= 200]
    assert newest == list(range(newest[0], 1500))
    with History(path) as history:
        assert list(history.segments()) == [1]
        assert len(list(history.poses(*seconds(50, 100)[:2]))) == 50
        left_before = history.left_before()
    assert left_before is not None
    assert newest[0] <= (left_before - START) / S <= newest[0] + 1
    assert kept(path) == {1: seconds(50, 100)}


def test_released_stretch_leaves_and_the_other_stays(full: Store, path: Path) -> None:
    full.append([seconds(1400, 1410, "another"), Released(1)])
    fill(full, range(1500, 1510))

    assert min(starts(path)) > 200
    assert kept(path) == {2: seconds(1400, 1410, "another")}
    assert path.stat().st_size <= CAPACITY_BYTES


def test_release_is_finished_after_a_restart(full: Store, path: Path) -> None:
    """The power may go when the wish is on the card and the rows are still there."""
    full.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM protected")
    connection.close()
    assert min(starts(path)) < 200

    with Store(path, CAPACITY_BYTES, ballast_bytes=BALLAST) as store:
        fill(store, range(1500, 1510))
        assert min(starts(path)) > 200


def test_stretch_that_is_yet_to_come_is_kept(path: Path) -> None:
    with Store(path, CAPACITY_BYTES, ballast_bytes=BALLAST) as store:
        store.append([session(), segment(), seconds(20, 30)])
        fill(store, range(1000))
        assert set(range(20, 30)) <= set(starts(path))


def test_what_is_kept_gives_way_before_recording_stops(full: Store, path: Path) -> None:
    """The owner has set less capacity than what is kept takes."""
    full.append([seconds(1100, 1400, "the night")])
    full.close()
    with Store(path, CAPACITY_BYTES // 4, ballast_bytes=BALLAST) as store:
        fill(store, range(1500, 1510))
        with History(path) as history:
            told = [e.cause for e in history.events(*EVER) if not veiled(e).cause]
        fill(store, range(1510, 1700))

    first, second = told
    assert "a fall" in first
    assert "the night" in second
    assert starts(path)[-1] == 1699
    assert kept(path) == {}


def test_weight_is_about_what_leaves_with_it(full: Store, path: Path) -> None:
    with History(path) as history:
        told = history.weight_bytes(*seconds(50, 100)[:2])
        rows = len(list(history.chunks(*seconds(50, 100)[:2])))
    assert rows >= 50
    with History(path) as history:
        held = sum(c.counts.nbytes for c in history.chunks(*seconds(50, 100)[:2]))
    assert 0.05 * held < told < 2 * held
