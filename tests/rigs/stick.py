"""A USB stick that QEMU emulates: slow, and pulled whenever a test says so."""

import time
from pathlib import Path

from rigs.qemu import Machine

MB = 1024 * 1024
STICK_MB = 64
BYTES_PER_S = 50_000
FORMATS = {
    "vfat": "mkfs.vfat -F 32 -n STUDY /dev/sda",
    "exfat": "mkfs.exfat -L STUDY /dev/sda",
}


class Stick:
    """A stick for *machine* whose medium is the file *image*, made empty."""

    def __init__(self, machine: Machine, image: Path) -> None:
        self.image = image
        with image.open("wb") as file:
            file.truncate(STICK_MB * MB)
        self._machine = machine
        self._number = 0
        self._nodes: list[str] = []
        group = {"qom-type": "throttle-group", "id": "slow"}
        limits = {"bps-write": BYTES_PER_S}
        machine.qmp("object-add", **group, limits=limits)

    def plug(self, slow: bool = True, image: Path | None = None) -> None:
        """Plug it in, *slow* or not, or another one with *image*; return once seen."""
        self._number += 1
        medium = f"medium{self._number}"
        self._machine.attach(image or self.image, medium)
        self._nodes = [medium]
        if slow:
            node = f"slow{self._number}"
            slowed = {"driver": "throttle", "node-name": node, "file": medium}
            self._machine.qmp("blockdev-add", **slowed, **{"throttle-group": "slow"})
            self._nodes.insert(0, node)
        about = {"drive": self._nodes[0], "serial": "RIG1", "removable": True}
        self._machine.plug("usb-storage", "stick", port="2", **about)
        self._machine.sh("until [ -b /dev/sda ]; do sleep 0.2; done; udevadm settle")

    def pull(self) -> None:
        """Pull it, whatever is going on; return once the machine has noticed."""
        self._machine.unplug("stick")
        self._machine.sh("while [ -b /dev/sda ]; do sleep 0.2; done")
        for node in self._nodes:
            self._machine.detach(node)

    def format(self, kind: str) -> None:
        """Plug it in, make a file system of *kind* on all of it, and pull it."""
        self.plug(slow=False)
        self._machine.sh(FORMATS[kind])
        self._machine.sh("sync")
        time.sleep(1)
        self.pull()

    def files(self, image: Path) -> dict[str, str]:
        """
        Return name → SHA-256 of what *image* of the stick holds, found by hand; not of
        files put aside, which a pulled drive may have broken.
        """
        self.plug(slow=False, image=image)
        self._machine.sh("mkdir -p /mnt/look && mount -o ro /dev/sda /mnt/look")
        try:
            find = (
                "cd /mnt/look && find . -type f ! -name '*.part' -exec sha256sum {} +"
            )
            listed = self._machine.sh(find)
        finally:
            self._machine.sh("umount /mnt/look")
            self.pull()
        pairs = (line.split(None, 1) for line in listed.splitlines())
        return {name.rsplit("/", 1)[-1]: digest for digest, name in pairs}
