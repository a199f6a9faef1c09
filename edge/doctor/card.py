"""The disk that the recording lies on."""

import os

from edge.config import Settings, unseen_by_units
from edge.database.folder import fleeting, free_bytes
from edge.doctor.machine import AS_ROOT, Finding, Machine
from edge.health import WORN_PERCENT, Health

UNIT = "etc/systemd/system/edge.service"
LOW_FREE_BYTES = 500_000_000


def check(settings: Settings, machine: Machine) -> list[Finding]:
    """Return the findings on the data folder."""
    return [*sight(settings, machine), *folder_and_disk(settings, machine)]


def sight(settings: Settings, machine: Machine) -> list[Finding]:
    """Say if the installed recorder is kept from the data folder."""
    why = unseen_by_units(settings.box.data_dir)
    if not why or not (machine.root / UNIT).exists():
        return []
    mend = "set [box] data_dir to /var/lib/ecg-pose-edge, then: sudo scripts/install"
    return [Finding("disk", "fault", why, mend)]


def folder_and_disk(settings: Settings, machine: Machine) -> list[Finding]:
    """Look at the folder as any program sees it, and at the disk that it is on."""
    folder = settings.box.data_dir
    if not folder.is_dir():
        mend = f"sudo install -d -o edge -g edge -m 750 {folder}"
        return [Finding("disk", "fault", f"there is no folder {folder}", mend)]
    if warning := fleeting(folder):
        mend = "mount a disk there, or set [box] data_dir; an overlay root needs"
        mend += " overlayroot=tmpfs:recurse=0"
        return [Finding("disk", "fault", warning, mend)]
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        mend = "replace the card; until then: sudo mount -o remount,rw /"
        return [Finding("disk", "fault", f"{folder} is read-only", mend)]
    return [space(settings), *wear(settings, machine)]


def space(settings: Settings) -> Finding:
    """Compare the free space with what the recording may still grow by."""
    folder = settings.box.data_dir
    free, used = free_bytes(folder), 0
    says = f"{free / 1e9:.1f} GB free"
    if free < LOW_FREE_BYTES:
        mend = f"sudo du -xh {folder} / | sort -h | tail"
        return Finding("disk", "fault", says, mend)
    try:
        used = settings.database.stat().st_size
    except PermissionError:
        says += f"; this user may not look into {folder}"
        return Finding("disk", "warning", says, AS_ROOT)
    except FileNotFoundError:
        pass
    wanted = settings.store.capacity_gb * 1e9 - used
    says += f", the recording may grow by {wanted / 1e9:.1f} GB"
    if free < wanted:
        mend = f"set [store] capacity_gb to {(used + free) * 0.9 / 1e9:.1f}"
        return Finding("disk", "warning", says, mend)
    return Finding("disk", "ok", says)


def wear(settings: Settings, machine: Machine) -> list[Finding]:
    """Say how much of its life the card has used, where it tells."""
    reading = Health(settings.box.data_dir, machine.root).read()
    if reading.disk_wear_percent is None:
        return []
    says = f"{reading.disk_wear_percent} % of its life used"
    if reading.disk_wear_percent >= WORN_PERCENT:
        return [Finding("disk", "warning", says, "replace it soon, export before")]
    return [Finding("disk", "ok", says)]
