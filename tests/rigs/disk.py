"""
The disk of a Debian machine with the project installed, made once for its test run.

What makes it a test's machine is in ``guest/``: an agent that does what the test says,
a webcam and an Edge TPU's USB ids that the kernel's command line asks for.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import faults

from rigs import roots
from rigs.nspawn import Container

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "kmod", "git", "python3", "openssl",
    "dosfstools", "exfatprogs", "linux-image-amd64", "initramfs-tools", "v4l-utils",
)  # fmt: skip
SMALL_INITRD = (
    'mkdir -p "$1/etc/initramfs-tools/conf.d"; '
    'echo MODULES=list >"$1/etc/initramfs-tools/conf.d/rig"; '
    'printf "%s\\n" virtio_pci virtio_blk ext4 crc32c_generic '
    '>"$1/etc/initramfs-tools/modules"'
)
DISK_MB = 3072
DATA_MB = 256
GUEST = Path(__file__).parent / "guest"
PLACES = {
    "agent.py": "usr/local/lib/rig/agent.py",
    "tpu.sh": "usr/local/lib/rig/tpu.sh",
    "rig-agent.service": "etc/systemd/system/rig-agent.service",
    "rig-camera.service": "etc/systemd/system/rig-camera.service",
    "rig-tpu.service": "etc/systemd/system/rig-tpu.service",
    "slow.conf": "etc/systemd/system/edge.service.d/rig.conf",
    "lan.network": "etc/systemd/network/lan.network",
    "fstab": "etc/fstab",
}
INSTALL = (
    f"{roots.CLONE} /srv/edge && "
    "/srv/edge/scripts/install --offline /wheels && ldconfig && "
    "systemctl -q enable rig-agent.service rig-camera.service rig-tpu.service && "
    "systemctl -q enable systemd-networkd.service && "
    "systemctl -q mask systemd-resolved.service apt-daily.timer "
    "apt-daily-upgrade.timer e2scrub_reap.service"
)


class Disk:
    """A bootable disk: image, kernel, initial RAM disk; *no_tpu*: why it has no TPU."""

    def __init__(self, folder: Path, settings: str) -> None:
        """
        Install the present commit with *settings* as its configuration.

        ``EDGE_RIG_DISKS`` names a folder that keeps the disk for the next run of the
        same commit.
        """
        lower = roots.root("bookworm", PACKAGES, before=SMALL_INITRD)
        (self.kernel,) = (lower / "boot").glob("vmlinuz-*")
        (self.initrd,) = (lower / "boot").glob("initrd.img-*")
        self.no_tpu = faults.missing()
        kept = Path(os.environ.get("EDGE_RIG_DISKS") or folder)
        self.image = kept / f"disk-{fingerprint(settings)}.raw"
        if self.image.exists():
            return
        binds = [f"{roots.bundle(folder)}:/project.bundle"]
        binds += [f"{roots.wheels()}:/wheels"]
        container = Container(lower, folder, binds)
        prepare(container.upper, settings)
        if not self.no_tpu:
            pretend_tpu(container.upper, faults.tpu_model())
        container.sh(INSTALL)
        part = self.image.with_suffix(".part")
        container.beside(f"mke2fs -q -t ext4 -d $MERGED {part} {DISK_MB}M")
        part.rename(self.image)

    def machine(self, folder: Path) -> Path:
        """Fill *folder* with the disks of one machine: system and empty data."""
        create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw"]
        system, data = folder / "system.qcow2", folder / "data.raw"
        subprocess.run([*create, "-b", self.image, system], check=True)
        with data.open("wb") as file:
            file.truncate(DATA_MB << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", data], check=True)
        return folder


def fingerprint(settings: str) -> str:
    """Return what tells disks of other contents apart."""
    head = ["git", "-C", str(roots.PROJECT), "rev-parse", "HEAD"]
    parts = [subprocess.check_output(head), settings.encode(), repr(PACKAGES).encode()]
    parts += [path.read_bytes() for path in sorted(GUEST.iterdir())]
    parts += [faults.missing().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def prepare(upper: Path, settings: str) -> None:
    """Write into the root *upper* what makes it the test's."""
    texts = {place: (GUEST / name).read_text() for name, place in PLACES.items()}
    texts["etc/ecg-pose-edge/edge.toml"] = settings
    texts["etc/hostname"] = "edge\n"
    for name, text in texts.items():
        path = upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def pretend_tpu(upper: Path, model: Path) -> None:
    """Install the delegate that pretends to be an Edge TPU, and its *model*."""
    library = upper / "usr/local/lib/libedgetpu.so.1"
    source = Path(__file__).parent / "fake_edgetpu.c"
    library.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    models = upper / "usr/share/ecg-pose-edge/models"
    models.mkdir(parents=True, exist_ok=True)
    shutil.copy(model, models)
