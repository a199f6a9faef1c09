"""
All requests of `test_web_fuzz.py`, with one seed after the other.

    python tests/requests_fuzz.py requests FIRST:STOP

prints one line of JSON with the figures; it fails if any request was not answered as
it should be.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

FUZZ = Path(__file__).parent / "test_web_fuzz.py"
DESCRIBED, MUTATED, RAW = 22_000, 14_000, 6_000
"""Requests of a seed where EDGE_FUZZ is 1, by how they are drawn."""


def main() -> int:
    """Send all requests of some seeds and print how many they were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaign", choices=["requests"])
    parser.add_argument("seeds", metavar="FIRST:STOP")
    seeds = range(*map(int, parser.parse_args().seeds.split(":")))
    began = time.monotonic()
    for seed in seeds:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "2", FUZZ],
            env={**os.environ, "EDGE_FUZZ": "1", "EDGE_SEED": str(seed)},
            stdout=sys.stderr,
            check=False,
        )
        if done.returncode:
            print(f"seed {seed} failed, see above", file=sys.stderr)
            return 1
    took = round(time.monotonic() - began, 1)
    sent = len(seeds) * (DESCRIBED + MUTATED + RAW)
    print(json.dumps({"requests": sent, "seconds": took}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
