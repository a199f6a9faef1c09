"""What the checks look at: the files of a machine, its programs, and one finding."""

import subprocess
from pathlib import Path
from typing import Literal, NamedTuple

AS_ROOT = "sudo edge doctor"
"""What mends a finding that says no more than what this user may not see."""

Level = Literal["ok", "warning", "fault"]

COMMAND_TIMEOUT_S = 10.0


class Finding(NamedTuple):
    """What is true of one part, and the one command that mends it."""

    part: str  # "camera", "serial", …
    level: Level
    says: str  # one sentence
    mend: str = ""  # a command, or what to do by hand; "" if there is nothing to mend


def judged(part: str, level: Level, says: str, mend: str, fine: str = "") -> Finding:
    """Return a finding that, where it is ok, has no mend and says *fine* if given."""
    if level == "ok":
        return Finding(part, level, fine or says)
    return Finding(part, level, says, mend)


class Machine:
    """This machine, or with another *root* a folder that looks like one."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def text(self, path: str) -> str:
        """Return the text of a file without its line end, "" if there is none."""
        try:
            return (self.root / path).read_text("utf-8", "replace").strip(" \n\0")
        except OSError:
            return ""

    def glob(self, pattern: str) -> list[Path]:
        """Return the paths that match *pattern* below the root, sorted."""
        return sorted(self.root.glob(pattern))

    def run(self, *command: str) -> str:
        """Return what *command* prints, "" if it is not there or fails silently."""
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.strip()

    def usb(self) -> dict[str, Path]:
        """Return each USB device that is plugged in: "1a6e:089a" → its /sys folder."""
        found = {}
        for vendor in self.glob("sys/bus/usb/devices/*/idVendor"):
            folder = vendor.parent
            product = (folder / "idProduct").read_text().strip()
            found[f"{vendor.read_text().strip()}:{product}"] = folder
        return found

    def has_user(self, user: str) -> bool:
        """Return whether /etc/passwd has *user*."""
        return any(
            line.startswith(f"{user}:") for line in self.text("etc/passwd").splitlines()
        )
