"""
Whether a Coral Edge TPU is plugged in, and whether its library fits our runtime.

Read from files, so that asking costs nothing and opens nothing: the device is opened
in the vision process alone, since its driver aborts the process on a USB fault.
"""

import re
from pathlib import Path

SYSFS = Path("/sys/bus/usb/devices")
DPKG_STATUS = Path("/var/lib/dpkg/status")

USB_IDS = {("1a6e", "089a"), ("18d1", "9302")}
"""A Coral before and after its firmware was loaded: it comes back under another name.
Source: libedgetpu driver/usb/usb_driver.cc."""

KNOWN_GOOD = "16.0TF2.19.1-1 with ai-edge-litert, 16.0TF2.17.1-1 with tflite-runtime"
"""Releases of feranick/libedgetpu, by their maintainer and users; not run by us on a
device. As Debian versions they are 16.0tf2.19.1-1 (debian/changelog), with or without
the name of a Debian release behind (Frigate installs 16.0tf2.17.1-1.bookworm)."""


def present(sysfs: Path = SYSFS) -> bool:
    """Return whether a Coral is on the USB bus, whatever its state."""
    return any(usb_id(device) in USB_IDS for device in sysfs.glob("*"))


def usb_id(device: Path) -> tuple[str, str]:
    """Return vendor and product of a USB *device* in sysfs, "" where it says none."""
    try:
        return (
            (device / "idVendor").read_text().strip(),
            (device / "idProduct").read_text().strip(),
        )
    except OSError:
        return "", ""


def installed_library(status: Path = DPKG_STATUS) -> str:
    """Return the version of the libedgetpu package, "" if Debian installed none."""
    try:
        packages = status.read_text(errors="replace").split("\n\n")
    except OSError:
        return ""
    for package in packages:
        name = re.search(r"^Package: (libedgetpu1-\w+)$", package, re.MULTILINE)
        version = re.search(r"^Version: (\S+)$", package, re.MULTILINE)
        if name and version and "Status: install ok installed" in package:
            return version[1]
    return ""


def misfit(library: str, runtime: str) -> str:
    """
    Return why *library* (a Debian version of libedgetpu) cannot be used with *runtime*
    ("ai-edge-litert 2.3.0"), "" if nothing speaks against it.

    Google's own build is of TensorFlow 2.5: it hands the interpreter a structure that
    has grown since, and the process dies of it (google-coral/edgetpu issue 812).
    """
    if not library or "tf" in library.lower():
        return ""
    return (
        f"libedgetpu {library} was built for TensorFlow 2.5 and crashes {runtime}: "
        f"install one of {KNOWN_GOOD}"
    )
