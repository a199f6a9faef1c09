"""Is there a camera, and may the recorder use it?"""

import os
from importlib.util import find_spec
from pathlib import Path

from edge.config import Settings
from edge.doctor.machine import AS_ROOT, Finding, Machine

RECEIVERS = ("unicam", "rp1-cfe")
"""Names of a Raspberry Pi's camera receiver in sysfs (Pi 4 and before; Pi 5)."""


def check(settings: Settings, machine: Machine) -> list[Finding]:
    """Return the findings on the camera that *settings* name."""
    source = settings.camera.source
    if source == "picamera":
        return [pi_camera(machine)]
    if source == "video":
        return [video(settings.camera.device or "/dev/video0")]
    if source == "none":
        return [Finding("camera", "ok", "switched off in the configuration")]
    return [
        Finding(
            "camera",
            "warning",
            f'the source is "{source}": no real camera is recorded',
            'set [camera] source to "picamera" or "video"',
        )
    ]


def pi_camera(machine: Machine) -> Finding:
    """Look for the camera on the ribbon."""
    if find_spec("picamera2") is None:
        return Finding(
            "camera",
            "fault",
            "the library picamera2 is not installed, which the Pi camera needs",
            "sudo apt-get install python3-picamera2 && sudo scripts/install",
        )
    names = [machine.text(str(path)) for path in video_names(machine)]
    receiver = any(name.startswith(RECEIVERS) for name in names)
    if not receiver:
        return Finding(
            "camera",
            "fault",
            "no camera answers on the ribbon",
            "switch off, seat the ribbon anew, then: rpicam-hello --list-cameras",
        )
    return Finding("camera", "ok", "a Pi camera answers")


def video_names(machine: Machine) -> list[Path]:
    """Return the files that name the video devices."""
    found = machine.glob("sys/class/video4linux/*/name")
    return [path.relative_to(machine.root) for path in found]


def video(device: str) -> Finding:
    """Look for a webcam or a video file."""
    path = Path(device)
    if not path.exists():
        return Finding("camera", "fault", f"{device} is not there", "plug it in")
    if not os.access(path, os.R_OK):
        return Finding(
            "camera",
            "fault",
            f"this user may not open {device}",
            AS_ROOT,
        )
    if find_spec("av") is None:
        return Finding(
            "camera",
            "fault",
            "the library PyAV is not installed, which webcams and video files need",
            "sudo scripts/install",
        )
    return Finding("camera", "ok", f"{device} is there")
