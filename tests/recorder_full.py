"""A whole box, recorder and page, whose disk another's file fills again and again."""

import contextlib
import http.client
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from box import MORTAL, Box, wait_for
from recorder_kills import ALWAYS, PATIENCE_S, SAMPLE_NS
from store_full import fill_up, run_inside, small_disk
from storecheck import Counts

from edge.history import History
from edge.records import BoxNs
from edge.simulator import SimulatedBoard
from edge.web.server import listen

CYCLES = 20
"""Of one box on one disk."""

RESUMES_WITHIN_S = 10.0


def box_full(first: int, stop: int) -> Counts:
    """Run `box_full_inside` in a mount namespace of its own."""
    return run_inside("box-full-inside", first, stop)


def box_full_inside(first: int, stop: int) -> Counts:
    """
    Fill the disk of a running box once a seed, and make room again.

    While it is full the page must answer; with room again samples must be saved within
    RESUMES_WITHIN_S; what is missing in the end must be a gap. Wants to be alone in a
    mount namespace.
    """
    resumed_s: list[float] = []
    answers = refusals = 0
    for begin in range(first, stop, CYCLES):
        seeds = range(begin, min(begin + CYCLES, stop))
        with small_disk(ext4=bool(begin // CYCLES % 2)) as disk:
            box = Box(disk / "data", within_s=PATIENCE_S)
            try:
                with SimulatedBoard(box.folder / "ecg-board"), page(box) as port:
                    box.start()
                    for seed in seeds:
                        took_s, answered = one_filling(box, disk, port, seed)
                        resumed_s.append(took_s)
                        answers += answered
                    assert box.stop() == 0
            finally:
                box.end()
            refusals += nothing_is_missing_in_silence(box)
    assert max(resumed_s) <= RESUMES_WITHIN_S, f"resumed after {max(resumed_s):.1f} s"
    return {
        "cycles": stop - first,
        "answers_of_the_page": answers,
        "times_the_store_was_lost": refusals,
        "gaps_not_marked": 0,
        "median_until_saved_ms": round(1000 * statistics.median(resumed_s)),
        "slowest_until_saved_ms": round(1000 * max(resumed_s)),
    }


@contextlib.contextmanager
def page(box: Box) -> Iterator[int]:
    """Run `edge web` on *box* and give its port."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    with box.file.open("a") as file:
        file.write(f"[web]\nport = {port}\n")
    command = [sys.executable, "-m", "edge", "web", "--config", str(box.file)]
    with (box.folder.parent / "web.log").open("w") as log:
        process = subprocess.Popen([*MORTAL, *command], stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def one_filling(box: Box, disk: Path, port: int, seed: int) -> tuple[float, int]:
    """
    Fill *disk* for a random while.

    Returns after how many seconds of room samples were saved again, and how often the
    page answered meanwhile.
    """
    chance = random.Random(seed)
    box.until(lambda state: state.saved["samples"] > 0)
    fill_up(disk / "filler")
    greedy = chance.random() < 0.5  # it takes what the ballast frees
    end = time.monotonic() + chance.uniform(0.0, 6.0)
    answered = 0
    while time.monotonic() < end:
        if greedy:
            fill_up(disk / "filler")
        wait_for(lambda: alive(port), within_s=PATIENCE_S)
        answered += 1
        time.sleep(0.1)
    (disk / "filler").unlink()
    began = time.monotonic()
    saved = box.client.state().saved["samples"]
    box.until(lambda state: state.saved["samples"] > saved)
    took_s = time.monotonic() - began
    wait_for(lambda: alive(port), within_s=PATIENCE_S)
    return took_s, answered + 1


def alive(port: int) -> bool | None:
    """Return whether the page and its data are served, None if it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        for path in ("/", "/status"):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, f"{path}: {answer.status} {body[:300]!r}"
        return bool(json.loads(body))
    except ConnectionRefusedError:  # it has only just been started
        return None
    finally:
        connection.close()


def nothing_is_missing_in_silence(box: Box) -> int:
    """
    Assert that each pause between two chunks is a gap event.

    Returns how often the store was said to be lost.
    """
    with History(box.settings.database) as history:
        assert history.damaged == 0
        chunks = list(history.chunks(*ALWAYS))
        events = list(history.events(*ALWAYS))
    reached = chunks[0].start
    gaps = [event for event in events if event.kind == "gap" and event.stream == "ecg"]
    for chunk in chunks:
        for gap in gaps:
            if gap.began <= reached + 5 * SAMPLE_NS:
                reached = max(reached, gap.ended or reached)
        assert chunk.start <= reached + 5 * SAMPLE_NS, f"missing from {reached}"
        length = round(len(chunk.counts) * chunk.period_ns)
        reached = max(reached, BoxNs(chunk.start + length))
    lost = [e for e in events if e.kind == "state" and e.stream == "store"]
    return sum("full" in event.cause for event in lost)
