"""The machine itself: power, heat, memory, clock and the watchdog behind it all."""

from pathlib import Path

from edge.clock import READING_EVERY_NS, Wall, read_wall
from edge.config import Settings
from edge.doctor.machine import Finding, Machine, judged
from edge.errors import StoreError
from edge.health import HOT_C, LOW_MEMORY, Health, number
from edge.history import History

AIR = "give it air or a fan"

FLAT_MICROVOLTS = 1_300_000
"""Least voltage to which a Raspberry Pi 5 charges the battery of its clock (its
charging_voltage_min): a battery with less keeps nothing."""

LATELY_NS = 2 * READING_EVERY_NS
"""What the recorder wrote of the clock before that may be of one that was stopped."""


def check(settings: Settings, machine: Machine) -> list[Finding]:
    """Return the findings on the machine."""
    heat = power_and_heat(settings, machine)
    return [*heat, clock(settings, machine), watchdog(machine)]


def power_and_heat(settings: Settings, machine: Machine) -> list[Finding]:
    """Say what the sensors say; nothing where there are none."""
    reading = Health(settings.box.data_dir, machine.root).read()
    found = []
    if reading.under_voltage is not None:
        says = "the supply sagged below 4.63 V since the start"
        mend = "use the supply and cable made for this Raspberry Pi"
        fine = "no under-voltage since the start"
        sagged = reading.under_voltage
        found.append(judged("power", "fault" if sagged else "ok", says, mend, fine))
    if reading.slowed:
        says = "the processor was slowed down by heat or power since the start"
        found.append(judged("heat", "warning", says, AIR))
    if reading.temperature_c is not None:
        hot = reading.temperature_c >= HOT_C
        says = f"the processor has {reading.temperature_c:.0f} °C"
        found.append(judged("heat", "warning" if hot else "ok", says, AIR))
    if reading.memory_available is not None:
        low = reading.memory_available < LOW_MEMORY
        says = f"{reading.memory_available:.0%} of the memory is available"
        mend = "ps aux --sort=-rss | head"
        found.append(judged("memory", "warning" if low else "ok", says, mend))
    return found


def clock(settings: Settings, machine: Machine) -> Finding:
    """Say whether a time server disciplines the clock, and what happens without."""
    now = read_wall()
    if now.synchronised and recorder_doubts(settings, now):
        says = "set by a time server, but the recorder does not see it: no date is sure"
        return Finding("clock", "fault", says, "sudo scripts/install")
    if now.synchronised:
        return Finding("clock", "ok", "set by a time server")
    rtc = any(keeps_time(folder) for folder in machine.glob("sys/class/rtc/rtc*"))
    kept = "a battery clock keeps it" if rtc else "and there is no battery clock"
    return Finding(
        "clock",
        "warning",
        f"not set by a time server, {kept}: dates may be wrong, joins are not",
        "sudo timedatectl set-ntp true",
    )


def keeps_time(rtc: Path) -> bool:
    """
    Return whether the clock *rtc* (in /sys) goes on without power. A Raspberry Pi 5 has
    one in any case, most have no battery for it (kernel: rtc-rpi.c, battery_voltage).
    """
    microvolts = number(rtc / "battery_voltage")
    return microvolts is None or microvolts >= FLAT_MICROVOLTS


def recorder_doubts(settings: Settings, now: Wall) -> bool:
    """Return whether the recorder wrote lately that the clock is not disciplined."""
    try:
        with History(settings.database) as history:
            readings = history.clock_readings()
    except StoreError:  # none yet, or not for this user: nothing is known
        return False
    last = readings[-1] if readings else None
    recent = last is not None and abs(now.utc - last.utc) < LATELY_NS
    return last is not None and recent and not last.synchronised


def watchdog(machine: Machine) -> Finding:
    """Say whether the board resets itself when everything hangs."""
    if not machine.glob("dev/watchdog0"):
        says = "this machine has no hardware watchdog"
        return Finding("watchdog", "warning", says, "sudo modprobe softdog")
    if machine.text("sys/class/watchdog/watchdog0/state") != "active":
        says = "the hardware watchdog is not running"
        return Finding("watchdog", "warning", says, "sudo scripts/install, then reboot")
    return Finding("watchdog", "ok", "the hardware watchdog is running")
