"""
A whole box whose card does not answer for a while: a frozen file system under it.

What comes in meanwhile waits in memory and is written afterwards, so that nothing is
missing; the recorder says that its card is late.
"""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from box import Box
from recorder_full import nothing_is_missing_in_silence
from recorder_kills import PATIENCE_S
from store_full import no_mounts, run_inside, small_disk
from storecheck import Counts

from edge.history import History
from edge.recorder import CARD_LIMIT_S
from edge.records import BoxState
from edge.simulator import SimulatedBoard

SHORTEST_S, LONGEST_S = 5.0, CARD_LIMIT_S - 5.0
"""Of one hanging; seed 0 is the shortest. The watchdog ends one that is longer."""


def hang(first: int, stop: int) -> Counts:
    """Run `hang_inside` in a mount namespace of its own."""
    return run_inside("hang-inside", first, stop)


def hang_inside(first: int, stop: int) -> Counts:
    """
    Let the disk of a box hang once a seed, and count the gaps that it left.

    Wants to be alone in a mount namespace.
    """
    hung_s = slowest_s = 0.0
    saved = gaps = 0
    for seed in range(first, stop):
        longest_s = LONGEST_S if seed else SHORTEST_S
        length_s = random.Random(seed).uniform(SHORTEST_S, longest_s)
        with small_disk(ext4=True) as disk:
            box = Box(disk / "data", within_s=PATIENCE_S)
            try:
                with SimulatedBoard(box.folder / "ecg-board"):
                    slowest_s = max(slowest_s, one_hanging(box, disk, length_s))
                    assert box.stop() == 0
            finally:
                box.end()
            nothing_is_missing_in_silence(box)
            samples, missing = kept(box)
            saved += samples
            gaps += missing
        hung_s += length_s
    assert not gaps, f"{gaps} gaps from a card that did not answer"
    return {
        "hangings": stop - first,
        "seconds_hung": round(hung_s),
        "samples": saved,
        "gaps": gaps,
        "slowest_until_saved_ms": round(1000 * slowest_s),
    }


def one_hanging(box: Box, disk: Path, length_s: float) -> float:
    """Freeze *disk* under *box*; return how long after it the backlog was saved."""
    box.start()
    box.until(lambda state: state.saved["samples"] > 2000)
    with frozen(disk):
        end = time.monotonic() + length_s
        box.until(lambda state: store_state(state) == "stale")
        while time.monotonic() < end:
            state = box.client.state()
            assert store_state(state) == "stale", state
            time.sleep(0.5)
    began = time.monotonic()
    box.until(lambda later: later.saved["samples"] > state.saved["samples"])
    took_s = time.monotonic() - began
    box.until(lambda state: store_state(state) == "ok")
    return took_s


FREEZE = 'fsfreeze -f "$0" || exit; echo frozen; read -r _; fsfreeze -u "$0"'


@contextmanager
def frozen(disk: Path) -> Iterator[None]:
    """
    Let every write to the file system *disk* wait.

    It thaws also if this process is killed: else whoever writes could not be ended, and
    its loop device not be had back, until the machine is started anew.
    """
    with subprocess.Popen(
        ["sh", "-c", FREEZE, str(disk)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == b"frozen\n"
        yield
    assert shell.returncode == 0


def store_state(state: BoxState) -> str:
    """Return the state of the store."""
    return next(part.state for part in state.streams if part.name == "store")


def kept(box: Box) -> tuple[int, int]:
    """Return how many samples there are, and how many gaps after the first second."""
    with History(box.settings.database) as history:
        span = history.span()
        assert span
        first, last = span
        gaps = [event for event in history.events(first, last) if event.kind == "gap"]
        late = [gap for gap in gaps if gap.began > first + 10**9]
        return history.counts().samples, len(late)


def no_freezing() -> str:
    """Return why no file system can be frozen here, "" if one can."""
    if not shutil.which("fsfreeze", path=f"{os.environ['PATH']}:/sbin:/usr/sbin"):
        return "fsfreeze is missing"
    return no_mounts()
