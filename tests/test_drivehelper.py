"""The one program that runs as root: what it does for the recorder, and refuses."""

from pathlib import Path

import pytest

from edge import drivehelper
from edge.drivehelper import answer

USB = "SUBSYSTEM=block\nID_BUS=usb\nID_FS_TYPE=vfat"


class Machine:
    """Answers the commands of the helper and remembers them."""

    def __init__(self, properties: str = USB, complaint: str = "") -> None:
        self.properties = properties
        self.complaint = complaint
        self.done: list[list[str]] = []

    def __call__(self, command: list[str]) -> str:
        if command[0] == "udevadm":
            return self.properties
        if self.complaint:
            raise RuntimeError(self.complaint)
        self.done.append(command)
        return ""


def test_usb_drive_is_mounted_where_nothing_on_it_can_run() -> None:
    machine = Machine()

    assert answer("mount sda1\n", machine) == "ok /run/ecg-pose-edge/drive/sda1"

    (command,) = machine.done
    assert command[0] == "systemd-mount"
    assert command[-2:] == ["/dev/sda1", "/run/ecg-pose-edge/drive/sda1"]
    (options,) = (word for word in command if word.startswith("--options="))
    assert {"nosuid", "nodev", "noexec", "uid=edge", "umask=0077"} <= set(
        options.removeprefix("--options=").split(",")
    )
    assert "--type=vfat" in command


def test_release_unmounts() -> None:
    machine = Machine()

    assert answer("release sdb\n", machine) == "ok /run/ecg-pose-edge/drive/sdb"
    assert machine.done == [["systemd-umount", "/run/ecg-pose-edge/drive/sdb"]]


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ("SUBSYSTEM=block\nID_BUS=ata\nID_FS_TYPE=vfat", "not a USB drive"),
        ("SUBSYSTEM=usb\nID_BUS=usb\nID_FS_TYPE=vfat", "not a USB drive"),
        ("SUBSYSTEM=block\nID_BUS=usb\nID_FS_TYPE=ext4", "ext4"),
        ("SUBSYSTEM=block\nID_BUS=usb", "no file system"),
    ],
)
def test_anything_else_is_refused_by_name(properties: str, word: str) -> None:
    machine = Machine(properties)

    reply = answer("mount sda1\n", machine)

    assert reply.startswith("error ")
    assert word in reply
    assert machine.done == []


@pytest.mark.parametrize(
    "request_line",
    [
        "mount ../vda", "mount sda1 -o suid", "mount /dev/sda1", "mount mmcblk0p2",
        "mount -h", "mount", "", "mount sda1;reboot", "unlock sda1", "release ..",
        "mount sda1\nmount sdb1", "mount " + "s" * 200,
    ],
)  # fmt: skip
def test_odd_requests_do_nothing(request_line: str) -> None:
    machine = Machine()

    assert answer(request_line, machine).startswith("error ")
    assert machine.done == []


def test_drive_that_is_mounted_already_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("36 35 8:1 / /media/x rw - vfat /dev/sda1 rw\n")
    monkeypatch.setattr(drivehelper, "MOUNTS", mounts)

    assert "mounted already" in answer("mount sda1", Machine())
    assert answer("mount sda", Machine()).startswith("ok ")


def test_complaint_of_systemd_becomes_one_line() -> None:
    reply = answer("mount sda1", Machine(complaint="Failed:\n timed out\n"))

    assert reply == "error Failed: timed out"
