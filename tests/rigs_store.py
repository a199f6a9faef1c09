"""
Campaigns against the store: what it acknowledged is there, whatever happens.

Each takes a range of seeds and raises AssertionError with the seed that failed. The
test run takes a small slice; a long one is started by hand:

    python tests/rigs_store.py NAME FIRST:STOP

prints one line of JSON with the figures.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable

from recorder_full import box_full, box_full_inside
from recorder_hung import hang, hang_inside
from recorder_kills import recorder
from store_cuts import cut, fail
from store_damage import damage
from store_days import days
from store_full import full, full_outside
from store_kills import kill
from storecheck import Counts

from edge.database import writer


def main() -> int:
    """Run one campaign and print its figures."""
    logging.disable()
    writer.RESERVE_BYTES = 1 << 19
    campaigns: dict[str, Callable[[int, int], Counts]] = {
        "recorder": recorder, "kill": kill, "cut": cut, "fail": fail, "damage": damage,
        "days": days,
        "full": full_outside, "full-inside": full,
        "box-full": box_full, "box-full-inside": box_full_inside,
        "hang": hang, "hang-inside": hang_inside,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaign", choices=campaigns)
    parser.add_argument("seeds", metavar="FIRST:STOP")
    arguments = parser.parse_args()
    first, stop = map(int, arguments.seeds.split(":"))
    began = time.monotonic()
    counts = campaigns[arguments.campaign](first, stop)
    took = round(time.monotonic() - began, 1)
    print(json.dumps({"seeds": arguments.seeds, **counts, "seconds": took}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
