"""
Kill −9 at random moments: what was counted as saved is there afterwards.

``EDGE_SEEDS=FIRST:STOP`` runs that range of seeds, one kill each; a campaign takes
thousands, the test run a few.
"""

import os
from pathlib import Path

import pytest
from box import Box
from recorder_kills import lives

FIRST, STOP = map(int, os.environ.get("EDGE_SEEDS", "0:6").split(":"))
RECORDING_WITHIN_S = 3.0


@pytest.mark.timeout(600 + 10 * (STOP - FIRST))
def test_saved_samples_survive_kills(tmp_path: Path) -> None:
    print(f"seeds {FIRST} to {STOP - 1}")
    box = Box(tmp_path)
    try:
        took_s, saved = lives(box, range(FIRST, STOP))
    finally:
        box.end()
    print(f"{STOP - FIRST} kills, {saved} samples, again within {max(took_s):.2f} s")
    if STOP - FIRST >= 100:  # a figure of a quiet machine, not of a crowded test run
        assert max(took_s) <= RECORDING_WITHIN_S
