"""
The long campaigns, one after the other; run by `scripts/test --campaign [FIRST:STOP]`.

Without seeds each takes the range after the one that `campaigns.md` ends with, as many
as its issue asks for; with seeds, all take those. Every line of figures is printed and
appended to that file. Ends with the first campaign that loses something.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LEDGER = HERE / "campaigns.md"
SEEDS_A_RUN = {
    "recorder": 2000,  # kills of the recorder
    "kill": 2000,  # kills of a process that stores, nothing else
    "cut": 15,  # each 7,000 states of a disk whose power was cut
    "fail": 20,  # each a disk that fails at every operation in turn
    "damage": 10_000,  # damaged files
    "full": 200,  # cycles of a disk that fills and empties
    "box-full": 200,  # the same under a whole box with its page
    "hang": 20,  # hangings of the card, a minute each
    "days": 30,  # simulated days at a commit a second
    "faults": 100,  # of each kind: the board's cable, the Edge TPU, the camera
    "requests": 1,  # each 42,000 requests to the page, as described, mutated and raw
}
RIGS = {"faults": "faults.py", "requests": "requests_fuzz.py"}
LINE = re.compile(r"^\| ([\w-]+) \| (\d+):(\d+) \|", re.MULTILINE)


def main() -> int:
    """Run every campaign; 0 if nothing was lost in any."""
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    for name in SEEDS_A_RUN:
        seeds = given or following(name)
        done = subprocess.run(
            [sys.executable, HERE / RIGS.get(name, "rigs_store.py"), name, seeds],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            print(f"{name} {seeds} failed, see above")
            return 1
        note(name, seeds, json.loads(done.stdout))
    return 0


def following(name: str) -> str:
    """Return the range of seeds after the last one of *name* in the ledger."""
    stops = [
        int(stop) for was, _, stop in LINE.findall(LEDGER.read_text()) if was == name
    ]
    first = max(stops, default=0)
    return f"{first}:{first + SEEDS_A_RUN[name]}"


def note(name: str, seeds: str, figures: dict[str, object]) -> None:
    """Print *figures* and append them to the ledger."""
    figures.pop("seeds", None)
    words = ", ".join(f"{key.replace('_', ' ')} {n:,}" for key, n in figures.items())
    commit = subprocess.run(
        ["git", "-C", HERE, "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    line = f"| {name} | {seeds} | {words} | {commit.stdout.strip()} |"
    print(line, flush=True)
    with LEDGER.open("a") as ledger:
        ledger.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
