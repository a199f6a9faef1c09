"""
One look at everything that can be wrong with a box, each line with what mends it.
"""

from edge.config import Settings
from edge.doctor import board, box, camera, card, service, tpu
from edge.doctor.machine import Finding, Machine

CHECKS = (camera.check, tpu.check, board.check, card.check, box.check, service.check)


def examine(settings: Settings, machine: Machine) -> list[Finding]:
    """Return every finding, in the order a person would look."""
    return [finding for check in CHECKS for finding in check(settings, machine)]
