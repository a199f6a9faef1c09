"""The installed service: users and groups, units, and what the recorder itself says."""

import sqlite3

from edge.config import Settings
from edge.control import Client
from edge.doctor.machine import AS_ROOT, Finding, Machine
from edge.errors import ControlError, NotAllowed

USERS = ("edge", "edge-web")
GROUPS = ("dialout", "video", "plugdev")
"""Who owns serial ports, cameras and the Edge TPU; the unit joins them."""
UNITS = ("edge.service", "edge-web.socket", "edge-web.service", "edge-drive.socket")
ADDRESS = "etc/systemd/system/edge-web.socket.d/settings.conf"
INSTALL = "sudo scripts/install"


def check(settings: Settings, machine: Machine) -> list[Finding]:
    """Return the findings on the installation and the running recorder."""
    installed = (machine.root / "etc/systemd/system/edge.service").exists()
    if not installed:
        says = "not installed as a service"
        return [Finding("service", "warning", says, INSTALL)]
    return [
        *people(machine),
        *units(machine),
        *address(settings, machine),
        *recorder(settings),
        Finding("database", "ok", f"SQLite {sqlite3.sqlite_version}, one writer"),
    ]


def people(machine: Machine) -> list[Finding]:
    """Look for the users of the units and the groups that they join."""
    absent = [user for user in USERS if not machine.has_user(user)]
    names = {line.split(":")[0] for line in machine.text("etc/group").splitlines()}
    absent += [group for group in GROUPS if group not in names]
    if absent:
        says = f"missing users or groups: {', '.join(absent)}"
        return [Finding("service", "fault", says, INSTALL)]
    return [Finding("service", "ok", "users and groups are there")]


def units(machine: Machine) -> list[Finding]:
    """Ask systemd how the units do, now and at boot, and how often they restarted."""
    found = []
    for unit in UNITS:
        lines = machine.run(
            "systemctl", "show", unit, "--property=ActiveState,NRestarts,UnitFileState"
        ).splitlines()
        shown = dict(line.split("=", 1) for line in lines)
        state = shown.get("ActiveState", "unknown")
        at_boot = shown.get("UnitFileState", "enabled")
        if at_boot != "enabled":
            says = f"{unit} will not start at boot: it is {at_boot or 'not installed'}"
            mend = f"sudo systemctl unmask {unit}; sudo systemctl enable {unit}"
            found.append(Finding("service", "fault", says, mend))
        if state != "active":
            mend = f"sudo systemctl restart {unit}; journalctl -u {unit} -n 30"
            found.append(Finding("service", "fault", f"{unit} is {state}", mend))
        elif shown.get("NRestarts", "0") != "0":
            says = f"{unit} was restarted {shown['NRestarts']} times since boot"
            mend = f"journalctl -b -u {unit}"
            found.append(Finding("service", "warning", says, mend))
    return found or [Finding("service", "ok", "all units are active, now and at boot")]


def address(settings: Settings, machine: Machine) -> list[Finding]:
    """Compare the page's address in edge.toml with the one that systemd listens on."""
    text = machine.text(ADDRESS)
    if not text or text.splitlines()[-1] == f"ListenStream={listen_stream(settings)}":
        return []
    says = "the page still listens on the address before edge.toml was changed"
    return [Finding("page", "warning", says, INSTALL)]


def listen_stream(settings: Settings) -> str:
    """Return the page's address as a socket unit has it (`scripts/install` asks)."""
    host = "127.0.0.1" if settings.web.host == "localhost" else settings.web.host
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{settings.web.port}"


def recorder(settings: Settings) -> list[Finding]:
    """Ask the recorder how its streams do."""
    client = Client(settings.control_socket)
    try:
        state = client.state()
    except NotAllowed:  # it may well record: nothing to restart
        says = "this user may not ask the recorder how it does"
        return [Finding("recorder", "warning", says, AS_ROOT)]
    except ControlError:
        says = "the recorder does not answer"
        mend = "sudo systemctl restart edge.service"
        return [Finding("recorder", "fault", says, mend)]
    finally:
        client.close()
    wrong = [stream for stream in state.streams if stream.state in ("stale", "lost")]
    if not wrong and state.recording:
        return [Finding("recorder", "ok", f"records, session {state.session}")]
    return [
        Finding("recorder", "fault", f"{stream.name}: {stream.cause}", "see its line")
        for stream in wrong
    ] or [Finding("recorder", "fault", "does not record", "edge status")]
