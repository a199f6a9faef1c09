"""
Kill −9 at random moments: what was counted as saved is there afterwards.

``EDGE_SEEDS=FIRST:STOP`` runs that range of seeds, one kill each; a campaign takes
thousands, the test run a few.
"""

import os
import random
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from box import Box

from edge.history import History
from edge.records import BoxNs, EcgChunk
from edge.simulator import SimulatedBoard

FIRST, STOP = map(int, os.environ.get("EDGE_SEEDS", "0:6").split(":"))
ALWAYS = BoxNs(0), BoxNs(2**62)
RECORDING_WITHIN_S = 3.0
CHUNK_NS = 1_000_000_000  # the longest


class Seen(NamedTuple):
    """What was on the card, as an outsider read it before the kill."""

    saved: int  # samples the recorder had counted in this session
    chunks: list[EcgChunk]


@pytest.mark.timeout(60 + 10 * (STOP - FIRST))
def test_saved_samples_survive_kills(tmp_path: Path) -> None:
    print(f"seeds {FIRST} to {STOP - 1}")
    box = Box(tmp_path)
    slowest_s = 0.0
    with SimulatedBoard(tmp_path / "ecg-board"):
        box.start()
        for seed in range(FIRST, STOP):
            before = look(box, random.Random(seed))
            box.kill()
            check(box, before)
            began = time.monotonic()
            box.start()
            box.until(lambda state: state.saved["samples"] > 0)
            slowest_s = max(slowest_s, time.monotonic() - began)
        assert box.stop() == 0
    print(f"{STOP - FIRST} kills, recording again within {slowest_s:.2f} s")
    check_gaps(box, STOP - FIRST)
    if STOP - FIRST >= 100:  # a figure of a quiet machine, not of a crowded test run
        assert slowest_s <= RECORDING_WITHIN_S


def look(box: Box, chance: random.Random) -> Seen:
    """Let the box record for a random while; return what it said was saved."""
    end = time.monotonic() + chance.uniform(0.0, 1.2)
    saved = box.until(lambda state: state.saved["samples"] > 0).saved["samples"]
    while time.monotonic() < end:
        saved = box.client.state().saved["samples"]
    history = History(box.settings.database)
    chunks = list(history.chunks(*ALWAYS))
    history.close()
    return Seen(saved, chunks)


def check(box: Box, before: Seen) -> None:
    """Everything that was there still is, bit for bit."""
    with sqlite3.connect(box.settings.database) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    history = History(box.settings.database)
    after = list(history.chunks(*ALWAYS))
    session = history.sessions()[-1].id
    segments = history.segments()
    history.close()
    for had, has in zip(before.chunks, after, strict=False):
        assert had[:4] == has[:4]
        assert np.array_equal(had.counts, has.counts)
    assert len(after) >= len(before.chunks)
    mine = [chunk for chunk in after if segments[chunk.segment].session == session]
    assert sum(chunk.counts.size for chunk in mine) >= before.saved


def check_gaps(box: Box, kills: int) -> None:
    """Gap events cover every pause between two sessions, to its first sample."""
    history = History(box.settings.database)
    sessions = history.sessions()
    segments = history.segments()
    chunks = list(history.chunks(*ALWAYS))
    gaps = [event for event in history.events(*ALWAYS) if event.kind == "gap"]
    assert len(sessions) == kills + 1
    for earlier, later in zip(sessions, sessions[1:], strict=False):
        last = max(c.start for c in chunks if segments[c.segment].session == earlier.id)
        first = min(c.start for c in chunks if segments[c.segment].session == later.id)
        reached = last + CHUNK_NS
        for gap in sorted(gaps):
            if gap.began <= reached:
                reached = max(reached, gap.ended or 0)
        assert reached >= first, f"between sessions {earlier.id} and {later.id}"
