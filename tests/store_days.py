"""Simulated days of recording: memory, handles and the file must not grow."""

import os
from pathlib import Path

import numpy as np
from records_store import (
    START,
    S,
    event,
    quick_folder,
    reading,
    segment,
    session,
    vital,
)
from storecheck import BALLAST_BYTES, Counts, batch

from edge.history import History
from edge.records import BoxNs, EcgChunk, Pose, Record
from edge.store import Store

DAY_S = 86_400
CAPACITY_BYTES = 8 << 20
SEGMENT_S = 97  # a board that loses continuity so often
DIFFERENT = 500  # seconds of recording that come again and again


def days(first: int, stop: int) -> Counts:
    """
    Record the days *first* to *stop*, a commit a simulated second, restarted daily.

    A board that flaps, vitals, events and a clock ledger make every table turn over.
    """
    known = [batch(0, number) for number in range(DIFFERENT)]
    sizes, memory_kb, handles, threads = [], [], [], []
    with quick_folder() as folder:
        path = folder / "edge.db"
        for day in range(first, stop):
            one_day(path, day, known)
            sizes.append(path.stat().st_size)
            memory_kb.append(resident_kb())
            handles.append(len(list(Path("/proc/self/fd").iterdir())))
            threads.append(len(list(Path("/proc/self/task").iterdir())))
        tables_are_bounded(path)
    growth_kb = memory_kb[-1] - memory_kb[max(len(memory_kb) // 10, 1)]
    assert max(sizes) <= CAPACITY_BYTES, f"{max(sizes)} bytes"
    assert handles[-1] == handles[0], f"handles: {handles}"
    assert threads[-1] == threads[0], f"threads: {threads}"
    assert growth_kb < 1024, f"memory, day by day: {memory_kb}"
    return {
        "days": stop - first,
        "commits": (stop - first) * DAY_S,
        "file_bytes": max(sizes),
        "capacity_bytes": CAPACITY_BYTES,
        "memory_growth_kb": growth_kb,
        "handles": handles[-1],
        "threads": threads[-1],
    }


def one_day(path: Path, day: int, known: list[list[Record]]) -> None:
    """Record one day from midnight to midnight."""
    random = np.random.default_rng(day)
    begun = START + day * DAY_S * S
    with Store(path, CAPACITY_BYTES, ballast_bytes=BALLAST_BYTES) as store:
        number_of_session = store.next_session
        store.append([session(number_of_session, begun)])
        for second in range(DAY_S):
            at = begun + second * S
            new: list[Record] = []
            if second % SEGMENT_S == 0:
                new += [segment(store.next_segment), event(random, at)]
            if second % 60 == 0:
                told = reading(random, at)._replace(session=number_of_session)
                new += [told, vital(random, at)]
            chunk, pose = known[second % DIFFERENT][:2]
            assert isinstance(chunk, EcgChunk)
            assert isinstance(pose, Pose)
            number = store.next_segment - (1 if second % SEGMENT_S else 0)
            new.append(chunk._replace(segment=number, start=BoxNs(at)))
            new.append(pose._replace(exposed=BoxNs(at)))
            store.append(new)


def tables_are_bounded(path: Path) -> None:
    """Assert that no small table has kept what belongs to rows that have left."""
    with History(path) as history:
        chunks = len(list(history.chunks(BoxNs(0), BoxNs(2**62))))
        assert len(history.segments()) < chunks // SEGMENT_S + 80
        assert len(history.sessions()) < 5
        assert len(history.clock_readings()) < chunks


def resident_kb() -> int:
    """Return the memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
