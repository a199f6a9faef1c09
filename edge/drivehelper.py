"""
Mounts or releases one USB drive for the recorder, which has no right to.

Runs as root for one connection (edge-drive@.service): reads one line,
``mount NAME`` or ``release NAME`` with NAME as in /sys/class/block, and answers with
one line: ``ok PATH`` or ``error SENTENCE``. Only USB drives with vfat or exfat are
touched, and only below `PLACE`. systemd does the mounting, so that the mount shows in
the recorder's view of the files and ends by itself when the drive is pulled.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PLACE = Path("/run/ecg-pose-edge/drive")
MOUNTS = Path("/proc/self/mountinfo")
OWNER = "edge"
FILE_SYSTEMS = ("vfat", "exfat")
"""File systems whose drivers are exposed to what a stranger's drive holds."""
OPTIONS = "rw,nosuid,nodev,noexec,noatime,errors=continue"
"""A drive that was pulled has broken files: the export finds and removes its own, for
which the kernel must not make the drive read-only."""
NAME = re.compile(r"sd[a-z]{1,2}[0-9]{0,3}")
LONGEST_REQUEST = 64
TIMEOUT_S = 45.0

Run = Callable[[list[str]], str]
"""Runs a command and returns its output; raises RuntimeError with its complaint."""


class Refused(Exception):
    """The request will not be done; the message is for people."""


def main() -> int:
    """Answer the one request on standard input."""
    sys.stdout.write(answer(sys.stdin.readline(LONGEST_REQUEST), run) + "\n")
    return 0


def answer(request: str, run: Run) -> str:
    """Return the answer to one line of request."""
    verb, _, name = request.strip().partition(" ")
    try:
        if not NAME.fullmatch(name):
            raise Refused(f"{name!r} is not the name of a drive")
        if verb == "mount":
            return f"ok {mount(name, run)}"
        if verb == "release":
            return f"ok {release(name, run)}"
        raise Refused(f"unknown request {verb!r}")
    except (Refused, RuntimeError) as refusal:
        return f"error {' '.join(str(refusal).split())}"


def mount(name: str, run: Run) -> Path:
    """
    Mount the drive *name* and return where.

    :raises Refused: if it is not a USB drive, or has a file system that is not taken
    """
    about = properties(name, run)
    if about.get("SUBSYSTEM") != "block" or about.get("ID_BUS") != "usb":
        raise Refused(f"{name} is not a USB drive")
    kind = about.get("ID_FS_TYPE", "")
    if kind not in FILE_SYSTEMS:
        raise Refused(
            f"the drive has {kind or 'no'} file system; format it as exFAT or FAT32"
        )
    if f" /dev/{name} " in MOUNTS.read_text():
        raise Refused(f"{name} is mounted already")
    place = PLACE / name
    flush = ",flush" if kind == "vfat" else ""
    owner = f",uid={OWNER},gid={OWNER},umask=0077"
    command = ["systemd-mount", "--collect", "--bind-device"]
    command += ["--automount=no", "--fsck=no"]
    command += [f"--type={kind}", f"--options={OPTIONS}{owner}{flush}"]
    run([*command, f"/dev/{name}", str(place)])
    return place


def release(name: str, run: Run) -> Path:
    """Write out and unmount the drive *name*; return where it was."""
    place = PLACE / name
    run(["systemd-umount", str(place)])
    return place


def properties(name: str, run: Run) -> dict[str, str]:
    """Return what udev knows of the block device *name*."""
    lines = run(["udevadm", "info", "--query=property", f"--name=/dev/{name}"])
    return dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)


def run(command: list[str]) -> str:
    """
    Return the output of *command*.

    :raises RuntimeError: with what it printed, if it failed
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr or done.stdout}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
