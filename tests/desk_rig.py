"""A desk for exports whose command is a small program, and a drive."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from export_rig import START

from edge.drives import Drive
from edge.export.desk import Desk
from edge.records import Record

WITHIN_S = 120.0
STICK = Drive("sda1", "stick/1", "STICK", 1 << 20, "vfat", False, (8, 1), "1")


class Bench:
    """A desk whose command is a small program, and the drives that a test plugs in."""

    def __init__(self, folder: Path, program: str) -> None:
        self.drives: list[Drive] = []
        self.kept: list[Record] = []
        self.folder = folder
        self.program = program
        self.desk = self.fresh()

    def close(self) -> None:
        self.desk.close()

    def fresh(self) -> Desk:
        """Return a desk as after a restart of the recorder."""
        run = [sys.executable, "-c", self.program, str(self.folder / "ran")]
        return Desk(run, self.folder, self.kept.extend, lambda: START, self.drives.copy)

    def ask(self, what: str, **request: Any) -> dict[str, Any]:
        return self.desk.handlers()[f"export {what}"](request, b"")

    def turns(self, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Let the desk take turns until its state is so."""
        end = time.monotonic() + WITHIN_S
        while time.monotonic() < end:
            self.desk.turn()
            if until(state := self.ask("state")):
                return state
            threading.Event().wait(0.01)
        pytest.fail(f"the desk stays at {state}")

    def ran(self) -> list[str]:
        """Return the options of each run of the program."""
        file = self.folder / "ran"
        return file.read_text().splitlines() if file.exists() else []


WORKS = """
import json, sys
with open(sys.argv[1], "a") as file: print(*sys.argv[2:], file=file)
print(json.dumps({"begin": "5", "end": "9", "drive": "stick/1"}))
print(json.dumps({"share": 0.5, "remaining_s": 3, "written": 7, "file": "ecg.csv"}))
print(json.dumps({"done": True, "files": ["ecg.csv"], "size": 14, "place": "x"}))
"""
FAILS = """
import json, sys
with open(sys.argv[1], "a") as file: print(*sys.argv[2:], file=file)
print(json.dumps({"begin": "5", "end": "9", "drive": "stick/1"}), flush=True)
sys.exit("edge: ecg.csv: the drive was removed")
"""
NOTHING = """
import json, sys
with open(sys.argv[1], "a") as file: print(*sys.argv[2:], file=file)
print(json.dumps({"nothing": "nothing was recorded since the last export to STICK"}))
"""
HANGS = """
import sys, time
with open(sys.argv[1], "a") as file: print(*sys.argv[2:], file=file)
time.sleep(60)
"""
STOPS = """
import json, signal, sys, time
def tell(word):
    with open(sys.argv[1], "a") as file: print(word, file=file)
def stop(*_):
    tell("stopped")
    sys.exit()
signal.signal(signal.SIGTERM, stop)
tell("began")
print(json.dumps({"share": 0.25}), flush=True)
time.sleep(60)
"""


def over(state: dict[str, Any]) -> bool:
    return state["state"] in ("done", "failed")
