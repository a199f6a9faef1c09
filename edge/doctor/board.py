"""The ECG board's serial port: found by a lasting name, open to us alone, and quick."""

import re
from contextlib import suppress
from pathlib import Path

from edge.config import Settings
from edge.doctor.machine import Finding, Machine
from edge.errors import SourceUnavailable
from edge.sources.ports import Port, find_port

RULES = "etc/udev/rules.d/61-ecg-pose-edge.rules"
QUICK_MS = 1


def check(settings: Settings, machine: Machine) -> list[Finding]:
    """Return the findings on the port that *settings* name."""
    if settings.ecg.source == "none":
        return [Finding("serial", "ok", "switched off in the configuration")]
    if settings.ecg.source != "serial":
        text = f'the source is "{settings.ecg.source}": no real board is recorded'
        return [Finding("serial", "warning", text, 'set [ecg] source = "serial"')]
    try:
        port = find_port(settings.ecg.port, machine.root)
    except SourceUnavailable as error:
        if isinstance(error.__cause__, PermissionError):
            raise error.__cause__ from None  # says nothing of the board
        return [Finding("serial", "fault", str(error), "edge doctor, once it is in")]
    found = [name(port, machine), *latency(port, machine)]
    return [*found, *readers(port, machine, recorder(settings, machine))]


def name(port: Port, machine: Machine) -> Finding:
    """Say which port it is and whether its name lasts."""
    if "://" in port.name:
        mend = "set [ecg] port to its name in /dev/serial/by-id"
        return Finding("serial", "warning", f"{port.name} is no board on USB", mend)
    shown = "/" + str(Path(port.name).relative_to(machine.root)).lstrip("/")
    if shown.startswith("/dev/tty"):
        return Finding(
            "serial",
            "warning",
            f"{shown} is another board after the next plugging",
            "set [ecg] port to its name in /dev/serial/by-id",
        )
    return Finding("serial", "ok", f"{shown} ({Path(port.device).name})")


def latency(port: Port, machine: Machine) -> list[Finding]:
    """Look at the timer with which an FTDI adapter holds bytes back."""
    tty = Path(port.device).name
    text = machine.text(f"sys/bus/usb-serial/devices/{tty}/latency_timer")
    if not text.isdigit():
        return []
    if int(text) <= QUICK_MS:
        return [Finding("serial", "ok", f"the adapter hands over every {text} ms")]
    mend = f"echo 1 | sudo tee /sys/bus/usb-serial/devices/{tty}/latency_timer"
    if not (machine.root / RULES).exists():
        mend = "sudo scripts/install"
    says = f"the adapter holds samples back for {text} ms"
    return [Finding("serial", "warning", says, mend)]


def readers(port: Port, machine: Machine, ours: str) -> list[Finding]:
    """
    Look for other programs that have the port open: they take bytes away.

    *ours* is the number of the recorder's process, which has children.
    """
    others = {
        f"{machine.text(f'proc/{process}/comm')} ({process})"
        for process in holders(port, machine)
        if not ours or ours not in (process, parent(process, machine))
    }
    if not others:
        return []
    names = ", ".join(sorted(others))
    process = names.rpartition("(")[2].rstrip(")")
    mend = f"sudo kill {process}"
    return [Finding("serial", "fault", f"{names} reads the port as well", mend)]


def recorder(settings: Settings, machine: Machine) -> str:
    """Return the process that records, "" if none does: the unit's, or a person's."""
    main = machine.run("systemctl", "show", "-P", "MainPID", "edge.service")
    if main.isdigit() and int(main):
        return main
    lock = settings.database.with_name(settings.database.name + ".lock")
    return machine.text(str(lock))


def parent(process: str, machine: Machine) -> str:
    """Return the number of the parent of *process*, "" if it has gone."""
    status = machine.text(f"proc/{process}/status")
    found = re.search(r"^PPid:\s*([0-9]+)$", status, re.MULTILINE)
    return found[1] if found else ""


def holders(port: Port, machine: Machine) -> set[str]:
    """Return the numbers of the processes that have *port* open, as far as we may."""
    device = Path(port.device).resolve()
    found = set()
    for process in machine.glob("proc/[0-9]*"):
        with suppress(OSError):  # it has gone, or is not for us to look into
            links = (process / "fd").iterdir()
            if any(held(link, machine) == device for link in links):
                found.add(process.name)
    return found


def held(link: Path, machine: Machine) -> Path | None:
    """Return what a process has open by *link*, ``None`` if it has closed it since."""
    try:
        return machine.root / str(link.readlink()).lstrip("/")
    except OSError:
        return None
