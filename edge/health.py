"""
How the machine itself does: heat, power, memory, wear of the card.

Everything is read from /sys and /proc, so that no rights and no programs are needed.
What a machine does not tell is ``None``. A supply that sagged once is told until the
next start: the flags of a Raspberry Pi are gone seconds later.
"""

import os
from pathlib import Path
from typing import NamedTuple

from edge.records import BoxNs, Event

HOT_C, COOL_C = 80.0, 75.0
"""A Raspberry Pi slows down from 80 °C on; told again only after it was below 75."""
LOW_MEMORY, ENOUGH_MEMORY = 0.08, 0.12
"""Share of the memory that is available."""
WORN_PERCENT = 80
"""Share of its life that an eMMC says it has used."""

# Bits of the firmware's answer: raspberrypi.com documentation, "get_throttled".
UNDER_VOLTAGE = 1 << 0 | 1 << 16
SLOWED = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 17 | 1 << 18 | 1 << 19

SECTOR_BYTES = 512
"""Of /sys/class/block/*/stat, whatever the disk's own (kernel, admin-guide/iostats)."""


class Reading(NamedTuple):
    """One look at the machine; ``None`` where it does not say."""

    temperature_c: float | None  # of its hottest sensor
    under_voltage: bool | None  # now, or at any time since the box started
    slowed: bool | None  # its clock was lowered: heat or power, likewise
    memory_available: float | None  # share of all memory, 0 to 1
    disk_wear_percent: int | None  # used life of an eMMC by its own estimate
    disk_written_bytes: int | None  # by everybody since boot, on the data's disk


class Health:
    """
    Reads the machine and remembers what must not be missed.

    *root* stands for / and *data_dir* is the folder whose disk is meant.
    """

    def __init__(self, data_dir: Path, root: Path = Path("/")) -> None:
        self._root = root
        self._disk = disk_of(data_dir, root)
        self._under_voltage: bool | None = None
        self._slowed: bool | None = None
        self._told: set[str] = set()
        self.state: dict[str, object] = {}
        """The newest reading that was judged, and the sentences of its troubles."""

    def read(self) -> Reading:
        """Return how the machine does now, with the latched flags."""
        flags = power_flags(self._root)
        if flags is not None:
            self._under_voltage = bool(self._under_voltage or flags & UNDER_VOLTAGE)
            self._slowed = bool(self._slowed or flags & SLOWED)
        return Reading(
            temperature_c=temperature(self._root),
            under_voltage=self._under_voltage,
            slowed=self._slowed,
            memory_available=memory_available(self._root),
            disk_wear_percent=wear(self._disk),
            disk_written_bytes=written(self._disk),
        )

    def changes(self, reading: Reading, now: BoxNs) -> tuple[Event, ...]:
        """Return an event for each trouble in *reading* that was not there before."""
        troubles = dict(found(reading, self._told))
        new = [name for name in troubles if name not in self._told]
        self._told = set(troubles)
        detail: dict[str, object] = reading._asdict()
        self.state = {**detail, "troubles": list(troubles.values())}
        return tuple(
            Event(now, None, "state", "box", troubles[name], detail) for name in new
        )


def found(reading: Reading, told: set[str]) -> list[tuple[str, str]]:
    """Return name and sentence of each trouble; those *told* end with hysteresis."""
    hot = COOL_C if "heat" in told else HOT_C
    low = ENOUGH_MEMORY if "memory" in told else LOW_MEMORY
    troubles = [
        (reading.under_voltage, "power", "the supply sagged below 4.63 V"),
        (reading.slowed, "slowed", "the processor was slowed down by heat or power"),
        (above(reading.temperature_c, hot), "heat", "the processor is too hot"),
        (above(low, reading.memory_available), "memory", "memory is running out"),
        (
            above(reading.disk_wear_percent, WORN_PERCENT),
            "wear",
            "the card is worn out",
        ),
    ]
    return [(name, text) for true, name, text in troubles if true]


def above(value: float | None, limit: float | None) -> bool:
    """Return whether both are known and *value* is at least *limit*."""
    return value is not None and limit is not None and value >= limit


def temperature(root: Path) -> float | None:
    """Return the hottest thermal zone, in °C."""
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    celsius = [value / 1000 for zone in zones if (value := number(zone)) is not None]
    return max(celsius, default=None)


def power_flags(root: Path) -> int | None:
    """Return the firmware's power and heat bits; ``None`` if it is no Raspberry Pi."""
    flags: int | None = None
    for path in (root / "sys/devices/platform").glob("*/*firmware/get_throttled"):
        flags = (flags or 0) | (number(path, base=16) or 0)
    for name in (root / "sys/class/hwmon").glob("hwmon*/name"):
        if text(name) == "rpi_volt":  # its number moves from boot to boot
            alarm = number(name.parent / "in0_lcrit_alarm")
            flags = (flags or 0) | (UNDER_VOLTAGE if alarm else 0)
    return flags


def memory_available(root: Path) -> float | None:
    """Return the share of the memory that programs could still get."""
    lines = text(root / "proc/meminfo").splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
    if not kib.get("MemTotal") or "MemAvailable" not in kib:
        return None
    return kib["MemAvailable"] / kib["MemTotal"]


def disk_of(folder: Path, root: Path) -> Path | None:
    """Return the /sys folder of the disk that holds *folder*, partition left aside."""
    try:
        device = folder.stat().st_dev
    except OSError:
        return None
    block = root / "sys/dev/block" / f"{os.major(device)}:{os.minor(device)}"
    if not block.exists():
        return None
    block = block.resolve()
    return block.parent if (block / "partition").exists() else block


def wear(disk: Path | None) -> int | None:
    """
    Return the used life of an eMMC in percent, the worse of its two estimates.

    JEDEC eMMC 5.0, EXT_CSD 268 and 269: steps of 10 %, 11 is beyond the end.
    """
    if disk is None:
        return None
    words = text(disk / "device/life_time").split()
    worse = max((int(word, 16) for word in words), default=0)
    return worse * 10 or None


def written(disk: Path | None) -> int | None:
    """Return the bytes written to *disk* since boot."""
    fields = text(disk / "stat").split() if disk else []
    return int(fields[6]) * SECTOR_BYTES if len(fields) > 6 else None


def text(path: Path) -> str:
    """Return the text of a /sys file without its line end, "" if there is none."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def number(path: Path, base: int = 10) -> int | None:
    """Return the number in a /sys file, ``None`` if there is none."""
    try:
        return int(text(path), base)
    except ValueError:
        return None
