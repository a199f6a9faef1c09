"""
Removable USB drives: which are there, and the way onto one of them.

The recorder may not mount anything; a helper that may (`edge.drivehelper`) does it when
asked on a socket. What it answers is not believed: a drive is written to only through
a handle on its root that was checked to be a mount of that very device.
"""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from edge.errors import ExportError

HELPER = Path("/run/ecg-pose-edge/drive.sock")
ANSWER_WITHIN_S = 60.0
"""As long as the helper itself may run (edge-drive@.service)."""
LONGEST_ANSWER = 4096

FILE_SYSTEMS = ("vfat", "exfat")
"""Those that the helper mounts."""

SECTOR_BYTES = 512
"""Of /sys/class/block/*/size, whatever the disk's own (kernel, sysfs-block)."""

NAME = re.compile(r"sd[a-z]{1,2}[0-9]{0,3}")


class Drive(NamedTuple):
    """One file system on a USB drive, or a drive without any."""

    name: str  # as in /sys/class/block: "sda1"
    id: str  # stays the same in another port: serial number and file system
    label: str  # for people: its own label, else maker and model
    size: int  # bytes, as the drive states it
    file_system: str  # "vfat", "exfat", another, or "" if there is none
    read_only: bool  # by a switch on it
    device: tuple[int, int]  # major and minor number
    insertion: str  # another each time it is plugged in; "" where nobody counts

    @property
    def fault(self) -> str:
        """Why it cannot be written to, one sentence; "" if it may well be."""
        if not self.file_system:
            return "the drive has no file system; format it as exFAT or FAT32"
        if self.file_system not in FILE_SYSTEMS:
            return (
                f"the drive has the file system {self.file_system}; "
                "format it as exFAT or FAT32"
            )
        if self.read_only:
            return "the drive is read-only; look for a switch on it"
        return ""


def present(root: Path = Path("/")) -> list[Drive]:
    """
    Return the USB drives that are plugged in, *root* standing for /.

    A disk of which any part is mounted elsewhere than by the helper is the box's own
    and left out.
    """
    folder = root / "sys/class/block"
    if not folder.is_dir():
        return []
    own = own_devices(root)
    found = []
    for entry in sorted(folder.iterdir()):
        if not NAME.fullmatch(entry.name) or "/usb" not in str(entry.resolve()):
            continue
        parts = partitions(entry)
        disk = entry.resolve().parent if (entry / "partition").exists() else entry
        family = [disk, *partitions(disk)]
        if not parts and not any(numbers(member) in own for member in family):
            found.append(described(entry, disk, root))
    return found


def partitions(disk: Path) -> list[Path]:
    """Return the partitions of the block device *disk*."""
    inner = disk.resolve()
    return [path.parent for path in sorted(inner.glob("*/partition"))]


def own_devices(root: Path) -> set[tuple[int, int]]:
    """Return the numbers of the devices that are mounted, but not by the helper."""
    place = str(HELPER.parent / "drive")
    return {mount.device for mount in mounts(root) if not mount.point.startswith(place)}


def described(entry: Path, disk: Path, root: Path) -> Drive:
    """Return the drive of the block device *entry*, which is *disk* or a part of it."""
    device = numbers(entry)
    known = udev_properties(root, device)
    serial = known.get("ID_SERIAL", "") or known.get("ID_MODEL", "unknown")
    maker = f"{known.get('ID_VENDOR', '')} {known.get('ID_MODEL', '')}"
    label = known.get("ID_FS_LABEL") or maker.replace("_", " ").strip() or entry.name
    return Drive(
        name=entry.name,
        id=f"{serial}/{known.get('ID_FS_UUID', '')}",
        label=label,
        size=int(read(entry / "size") or 0) * SECTOR_BYTES,
        file_system=known.get("ID_FS_TYPE", ""),
        read_only=read(entry / "ro") == "1",
        device=device,
        insertion=read(disk / "diskseq"),
    )


def numbers(entry: Path) -> tuple[int, int]:
    """Return major and minor number of the block device *entry*, 0, 0 if it went."""
    major, _, minor = read(entry / "dev").partition(":")
    return (int(major), int(minor)) if minor else (0, 0)


def udev_properties(root: Path, device: tuple[int, int]) -> dict[str, str]:
    """Return what udev found out about a block device."""
    text = read(root / "run/udev/data" / f"b{device[0]}:{device[1]}")
    lines = (line[2:] for line in text.splitlines() if line.startswith("E:"))
    return dict(line.split("=", 1) for line in lines if "=" in line)


def read(path: Path) -> str:
    """Return the text of a small file without blanks around, "" if it went."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


class Mount(NamedTuple):
    """One line of /proc/self/mountinfo."""

    device: tuple[int, int]
    point: str
    options: frozenset[str]


def mounts(root: Path = Path("/")) -> list[Mount]:
    """Return what is mounted, the latest last (`proc(5)`)."""
    found = []
    for line in read(root / "proc/self/mountinfo").splitlines():
        fields = line.split(" ")
        major, _, minor = fields[2].partition(":")
        point = re.sub(r"\\([0-7]{3})", lambda o: chr(int(o[1], 8)), fields[4])
        options = frozenset(fields[5].split(","))
        found.append(Mount((int(major), int(minor)), point, options))
    return found


def open_root(drive: Drive, point: Path) -> int:
    """
    Return a handle on the root of *drive*, which is to be mounted on *point*.

    :raises ExportError: if anything else is there, or it can run programs
    """
    at = [mount for mount in mounts() if mount.point == str(point)]
    if not at or at[-1].device != drive.device:
        raise ExportError(f"{point} is not the drive {drive.label}; insert it again")
    if missing := {"nosuid", "nodev", "noexec"} - at[-1].options:
        raise ExportError(f"{point} is mounted without {', '.join(sorted(missing))}")
    try:
        handle = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise ExportError(f"the drive cannot be opened: {error.strerror}") from error
    device = os.fstat(handle).st_dev
    if (os.major(device), os.minor(device)) != drive.device:
        os.close(handle)
        raise ExportError("the drive was removed; insert it again")
    return handle


@contextmanager
def mounted(drive: Drive, helper: Path | None = None) -> Iterator[int]:
    """
    Have *drive* mounted, give a handle on its root, and have it unmounted, by the
    *helper* on this socket.

    The handle belongs to the caller, who closes it before the end. When this returns
    without an error, the drive is safe to remove.

    :raises ExportError: if it cannot be mounted or released
    """
    if drive.fault:
        raise ExportError(drive.fault)
    helper = helper or HELPER
    place = str(helper.parent / "drive")
    if any(m.device == drive.device and m.point.startswith(place) for m in mounts()):
        ask(helper, f"release {drive.name}")  # left by a process that was killed
    point = Path(ask(helper, f"mount {drive.name}"))
    try:
        yield open_root(drive, point)
    except BaseException:
        with suppress(ExportError):  # the first error is the one to tell
            ask(helper, f"release {drive.name}")
        raise
    ask(helper, f"release {drive.name}")


def ask(helper: Path, request: str) -> str:
    """
    Return what the helper answers to one *request* after "ok".

    :raises ExportError: if it refuses or does not answer
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_WITHIN_S)
            connection.connect(str(helper))
            connection.sendall(request.encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline(LONGEST_ANSWER).decode(errors="replace")
    except OSError as error:
        raise ExportError(
            f"the helper that mounts drives does not answer on {helper} ({error}); "
            "is edge-drive.socket enabled?"
        ) from error
    verb, _, rest = line.strip().partition(" ")
    if verb != "ok":
        raise ExportError(rest or "the helper that mounts drives gave no answer")
    return rest
