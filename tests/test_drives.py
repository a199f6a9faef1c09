"""Which drives are there, and that nothing else is taken for one."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drive_helper import Helper, drive_helper

from edge.drives import Drive, ask, mounted, mounts, open_root, present
from edge.errors import ExportError

STICK = {
    "ID_BUS": "usb",
    "ID_VENDOR": "SanDisk",
    "ID_MODEL": "Cruzer_Blade",
    "ID_SERIAL": "SanDisk_Cruzer_Blade_4C53",
}


class Machine:
    """A /sys, /run/udev and /proc with the block devices that a test plugs in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys/class/block").mkdir(parents=True)
        (root / "run/udev/data").mkdir(parents=True)
        (root / "proc/self").mkdir(parents=True)
        self.mounts: list[str] = []

    def plug(
        self,
        name: str,
        bus: str = "usb",
        ro: int = 0,
        sectors: int = 2048,
        **known: str,
    ) -> None:
        """Make the block device *name*, a partition if it ends in a digit."""
        disk = name.rstrip("0123456789")
        place = self.root / f"sys/devices/{bus}1/block/{disk}"
        if name != disk:
            place /= name
        place.mkdir(parents=True, exist_ok=True)
        number = f"8:{ord(disk[-1]) * 16 + int(name[len(disk) :] or 0)}"
        for file, text in {"dev": number, "size": "2048", "ro": str(ro)}.items():
            (place / file).write_text(text + "\n")
        if name == disk:
            (place / "diskseq").write_text("7\n")
        else:
            (place / "partition").write_text("1\n")
        (self.root / "sys/class/block" / name).symlink_to(place)
        lines = [f"E:{key}={value}" for key, value in {**STICK, **known}.items()]
        (self.root / f"run/udev/data/b{number}").write_text("\n".join(["S:x", *lines]))

    def mount(self, device: str, point: str) -> None:
        """Have *device* mounted on *point*."""
        self.mounts.append(f"30 1 {device} / {point} rw,relatime shared:1 - vfat /d rw")
        (self.root / "proc/self/mountinfo").write_text("\n".join(self.mounts) + "\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_stick_with_a_partition(machine: Machine) -> None:
    machine.plug("sda")
    machine.plug("sda1", ID_FS_TYPE="exfat", ID_FS_UUID="1A2B", ID_FS_LABEL="STUDY")

    (drive,) = present(machine.root)

    assert drive == Drive(
        "sda1", "SanDisk_Cruzer_Blade_4C53/1A2B", "STUDY", 2048 * 512, "exfat", False,
        (8, 97 * 16 + 1), "7",
    )  # fmt: skip
    assert drive.fault == ""


@pytest.mark.parametrize(
    ("known", "ro", "says"),
    [
        ({}, 0, "no file system"),
        ({"ID_FS_TYPE": "ntfs"}, 0, "file system ntfs"),
        ({"ID_FS_TYPE": "vfat"}, 1, "read-only"),
    ],
)
def test_what_cannot_be_written_is_said(
    machine: Machine, known: dict[str, Any], ro: int, says: str
) -> None:
    machine.plug("sdb", ro=ro, **known)

    (drive,) = present(machine.root)

    assert says in drive.fault
    assert drive.label == "SanDisk Cruzer Blade"
    with pytest.raises(ExportError, match=says), mounted(drive, machine.root):
        pass


def test_only_usb_drives_count(machine: Machine) -> None:
    machine.plug("sda1", bus="ata", ID_FS_TYPE="vfat")
    machine.plug("mmcblk0")
    assert present(machine.root) == []


def test_disk_that_the_box_runs_from_is_left_out(machine: Machine) -> None:
    machine.plug("sda")
    machine.plug("sda1", ID_FS_TYPE="vfat")
    machine.plug("sda2", ID_FS_TYPE="vfat")
    machine.plug("sdb")
    machine.plug("sdb1", ID_FS_TYPE="vfat")
    machine.mount(f"8:{97 * 16 + 2}", "/")
    machine.mount(f"8:{98 * 16 + 1}", "/run/ecg-pose-edge/drive/sdb1")

    assert [drive.name for drive in present(machine.root)] == ["sdb1"]


def test_machine_without_sysfs_has_none(tmp_path: Path) -> None:
    assert present(tmp_path) == []
    assert mounts(tmp_path) == []


def test_mount_points_are_unescaped(machine: Machine) -> None:
    machine.mount("8:1", r"/media/my\040stick")
    assert mounts(machine.root)[0].point == "/media/my stick"


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[Helper]:
    with drive_helper(tmp_path) as helper:
        yield helper


def test_root_of_the_mounted_drive_is_opened(helper: Helper) -> None:
    ask(helper.path, "mount sda1")
    drive = helper.drive
    handle = open_root(drive, helper.point)
    try:
        assert os.fstat(handle).st_dev == helper.point.stat().st_dev
    finally:
        os.close(handle)
    ask(helper.path, "release sda1")

    with pytest.raises(ExportError, match="is not the drive"):
        open_root(drive, helper.point)


def test_another_mount_in_its_place_is_refused(helper: Helper) -> None:
    ask(helper.path, "mount sda1")
    drive = helper.drive
    subprocess.run(["mount", "-t", "tmpfs", "x", helper.point], check=True)

    with pytest.raises(ExportError, match="is not the drive"):
        open_root(drive, helper.point)


def test_mount_that_can_run_programs_is_refused(helper: Helper) -> None:
    helper.options = "nosuid"
    ask(helper.path, "mount sda1")

    with pytest.raises(ExportError, match="without nodev, noexec"):
        open_root(helper.drive, helper.point)


def test_what_the_helper_refuses_is_said(helper: Helper) -> None:
    helper.refuses = "sda1 is not a USB drive"
    drive = helper.drive

    with (
        pytest.raises(ExportError, match="not a USB drive"),
        mounted(drive, helper.path),
    ):
        pass


def test_helper_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"edge-drive\.socket"):
        ask(tmp_path / "drive.sock", "mount sda1")
