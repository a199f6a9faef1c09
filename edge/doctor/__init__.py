"""
One look at everything that can be wrong with a box, each line with what mends it.
"""

from edge.config import Settings
from edge.doctor import board, box, camera, card, service, tpu
from edge.doctor.machine import AS_ROOT, Finding, Machine

CHECKS = {
    "camera": camera.check,
    "tpu": tpu.check,
    "serial": board.check,
    "disk": card.check,
    "machine": box.check,
    "service": service.check,
}


def examine(settings: Settings, machine: Machine) -> list[Finding]:
    """Return every finding, in the order a person would look."""
    found: list[Finding] = []
    for part, check in CHECKS.items():
        try:
            found += check(settings, machine)
        except PermissionError as error:
            says = f"this user may not look at {error.filename}"
            found.append(Finding(part, "warning", says, AS_ROOT))
    return found
