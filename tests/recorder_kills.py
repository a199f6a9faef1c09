"""Kill −9 of the recorder itself, at random moments; the board goes on sending."""

import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from box import Box
from storecheck import Counts

from edge.history import History
from edge.join import sample_times
from edge.records import BoxNs, EcgChunk
from edge.simulator import SimulatedBoard

ALWAYS = BoxNs(0), BoxNs(2**62)
SAMPLE_NS = 4_000_000  # of the simulated board
LIVES = 25
"""Kills of one recording; what it then holds is still read in no time."""

PATIENCE_S = 300.0
"""A campaign shares its machine with others that may take all of it."""


class Seen(NamedTuple):
    """What was on the card, as an outsider read it before the kill."""

    saved: int  # samples the recorder had counted in this session
    chunks: list[EcgChunk]


def recorder(first: int, stop: int) -> Counts:
    """
    Kill a recorder once a seed and start it again.

    What was saved is compared value by value, what was missed must be a gap.
    """
    lives_s: list[float] = []
    saved = 0
    for begin in range(first, stop, LIVES):
        folder = Path(tempfile.mkdtemp(prefix="edge-kills-"))
        box = Box(folder, within_s=PATIENCE_S)
        try:
            took_s, samples = lives(box, range(begin, min(begin + LIVES, stop)))
        finally:
            box.end()
        lives_s += took_s
        saved += samples
        shutil.rmtree(folder)
    return {
        "kills": stop - first,
        "saved_samples": saved,
        "lost": 0,
        "median_until_recording_ms": round(1000 * statistics.median(lives_s)),
        "slowest_until_recording_ms": round(1000 * max(lives_s)),
    }


def lives(box: Box, seeds: range) -> tuple[list[float], int]:
    """
    Kill *box* once for each of *seeds*.

    Returns how many seconds it took each time until samples were saved again, and how
    many were counted as saved in all.
    """
    took_s: list[float] = []
    saved = 0
    with SimulatedBoard(box.folder / "ecg-board"):
        box.start()
        for seed in seeds:
            before = look(box, random.Random(seed))
            saved += before.saved
            box.kill()
            check(box, before, seed)
            began = time.monotonic()
            box.start()
            box.until(lambda state: state.saved["samples"] > 0)
            took_s.append(time.monotonic() - began)
        assert box.stop() == 0
    check_gaps(box, len(seeds))
    return took_s, saved


def look(box: Box, chance: random.Random) -> Seen:
    """Let the box record for a random while; return what it said was saved."""
    end = time.monotonic() + chance.uniform(0.0, 1.2)
    saved = box.until(lambda state: state.saved["samples"] > 0).saved["samples"]
    while time.monotonic() < end:
        saved = box.client.state().saved["samples"]
    with History(box.settings.database) as history:
        return Seen(saved, list(history.chunks(*ALWAYS)))


def check(box: Box, before: Seen, seed: int) -> None:
    """Everything that was there still is, bit for bit."""
    where = f"seed {seed}"
    with sqlite3.connect(box.settings.database) as database:
        said = database.execute("PRAGMA integrity_check").fetchall()
    database.close()
    assert said == [("ok",)], f"{where}: {said[:3]}"
    with History(box.settings.database) as history:
        after = list(history.chunks(*ALWAYS))
        session = history.sessions()[-1].id
        segments = history.segments()
    for had, has in zip(before.chunks, after, strict=False):
        assert had[:4] == has[:4], where
        assert np.array_equal(had.counts, has.counts), where
    assert len(after) >= len(before.chunks), where
    mine = [chunk for chunk in after if segments[chunk.segment].session == session]
    assert sum(chunk.counts.size for chunk in mine) >= before.saved, where


def check_gaps(box: Box, kills: int) -> None:
    """Gap events cover every pause between two sessions, from sample to sample."""
    with History(box.settings.database) as history:
        sessions = history.sessions()
        segments = history.segments()
        chunks = list(history.chunks(*ALWAYS))
        gaps = [event for event in history.events(*ALWAYS) if event.kind == "gap"]
    assert len(sessions) == kills + 1
    for earlier, later in zip(sessions, sessions[1:], strict=False):
        reached = max(
            int(sample_times(chunk)[-1])
            for chunk in chunks
            if segments[chunk.segment].session == earlier.id
        )
        first = min(c.start for c in chunks if segments[c.segment].session == later.id)
        for gap in sorted(gaps):
            if gap.began <= reached + SAMPLE_NS and gap.stream in ("", "ecg"):
                reached = max(reached, gap.ended or 0)
        where = f"between sessions {earlier.id} and {later.id} of {box.folder}"
        assert reached >= first, f"{where}: {(first - reached) / 1e9} s without cause"
