"""
The installed box under a real systemd, in a container without a network.

Part of every test run where root may make containers; alone by
`scripts/test --rig container`. The ECG comes from a simulated board on a
pseudo-terminal of this machine, bound into the container as its serial port.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edge.control import Client
from edge.errors import EdgeError
from edge.history import History
from edge.records import BoxNs, BoxState, Event
from edge.simulator import SimulatedBoard
from rigs import roots
from rigs.nspawn import Booted, Container

WHY_NOT = roots.missing("systemd-nspawn", "nsenter")
pytestmark = [
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
    pytest.mark.timeout(1500),
    pytest.mark.xdist_group("container"),  # one box, in one process
]
PACKAGES = ("systemd", "systemd-sysv", "dbus", "udev", "git", "python3", "openssl")
DATA = "/var/lib/ecg-pose-edge"
DIALOUT = 20  # the group of serial ports in every Debian
EVER = (BoxNs(0), BoxNs(2**62))
SETTINGS = """
[camera]
source = "synthetic"
[ecg]
port = "/dev/ttyECG"
board = "openbci-cyton"
[store]
capacity_gb = 0.2
ballast_mb = 1
[web]
host = "0.0.0.0"
port = 443
"""
RIG_DEVICE = "[Service]\nDeviceAllow=/dev/ttyECG rw\n"
"""The bound pseudo-terminal is no ttyUSB."""
INSTALL = (
    f"{roots.CLONE} /srv/edge && "
    "EDGE_STEADY_S=3 /srv/edge/scripts/install --offline '/the wheels'"
)
INSTALL_AGAIN = "EDGE_STEADY_S=3 /srv/edge/scripts/install --offline '/the wheels'"


class Box(NamedTuple):
    """The booted container, and the same data folder seen from outside."""

    container: Booted
    client: Client
    database: Path
    board: SimulatedBoard

    def state(self) -> BoxState | None:
        """Return what the recorder says, ``None`` while it does not answer."""
        try:
            return self.client.state()
        except EdgeError:
            return None

    def until(self, fine: Callable[[BoxState], bool], within_s: float = 30) -> BoxState:
        """Return the first state that is *fine*."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            state = self.state()
            if state is not None and fine(state):
                return state
            time.sleep(0.02)
        journal = self.container.run("journalctl -b -o cat -n 40 --no-pager").stdout
        raise AssertionError(f"not within {within_s} s; last {self.state()}\n{journal}")

    def recording(self, after: int = -1, within_s: float = 30) -> BoxState:
        """Return the state once a session later than *after* has saved ECG."""
        return self.until(
            lambda s: s.session > after and s.saved["samples"] > 0, within_s
        )

    def pid(self, unit: str = "edge.service") -> int:
        """Return the main process of *unit*, numbered as inside."""
        pid = int(self.container.sh(f"systemctl show -P MainPID {unit}"))
        assert pid, f"{unit} does not run"
        return pid

    def signal(self, name: str, unit: str = "edge.service") -> None:
        """Send signal *name* to the main process of *unit*; it has to have one."""
        self.container.sh(f"systemctl kill --kill-whom=main --signal={name} {unit}")

    def events(self) -> list[Event]:
        """Return every event that was recorded."""
        with History(self.database) as history:
            return list(history.events(*EVER))


@pytest.fixture(scope="module")
def box(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Box]:
    """Install from a clean clone on a running system, boot again, and record."""
    if "PYTEST_XDIST_WORKER" in os.environ:  # else each process boots a box
        assert any(item.nodeid.endswith("@container") for item in request.session.items)
    folder = tmp_path_factory.mktemp("box")
    data = folder / "data"
    data.mkdir()
    with SimulatedBoard(folder / "board", truth=folder / "truth") as board:
        port = board.link.resolve()
        os.chown(port, 0, DIALOUT)
        port.chmod(0o660)
        binds = [
            f"{roots.bundle(folder)}:/project.bundle",
            f"{roots.wheels()}:/the wheels",
            f"{data}:{DATA}",
            f"{port}:/dev/ttyECG",
            f"{Path(__file__).parent}:/rig",
        ]
        container = Container(roots.root("bookworm", PACKAGES), folder, binds)
        place(container.upper / "etc/ecg-pose-edge/edge.toml", SETTINGS)
        for unit in ("edge.service", "broken-out@.service"):
            drop_in = container.upper / f"etc/systemd/system/{unit}.d/rig.conf"
            place(drop_in, RIG_DEVICE)
        with container.booted() as booted:
            words = booted.sh(INSTALL, timeout_s=300)
            print(words)
            assert "First-use code: " in words
        with container.booted() as booted:
            client = Client(data / "control.sock")
            yield Box(booted, client, data / "recording.db", board)


def place(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_box_records_after_boot_without_a_network(box: Box) -> None:
    state = box.recording()

    ecg = next(stream for stream in state.streams if stream.name == "ecg")
    assert (ecg.state, ecg.damaged) == ("ok", 0)
    assert box.container.sh("systemctl is-active edge-web.service") == "active"
    box.until(lambda state: state.saved["poses"] > 10)


def test_page_answers_through_its_handed_socket(box: Box) -> None:
    """With TLS, a certificate of its own, and to nobody without an account."""
    ask = (
        "import ssl, http.client as c; "
        "page = c.HTTPSConnection('127.0.0.1', 443, timeout=10, "
        "context=ssl._create_unverified_context()); "
        "page.request('GET', '/live'); print(page.getresponse().status)"
    )
    assert box.container.sh(f'python3 -c "{ask}"') == "401"


def test_installing_again_changes_nothing(box: Box) -> None:
    before = box.container.sh("ls /opt/ecg-pose-edge/releases")
    words = box.container.sh(INSTALL_AGAIN, 150)

    assert "Recording" in words
    assert "Installing" not in words
    assert box.container.sh("ls /opt/ecg-pose-edge/releases") == before


def test_stop_is_quick_and_loses_nothing(box: Box) -> None:
    session = box.recording().session
    asked = time.monotonic_ns()
    box.container.sh("systemctl stop edge.service")
    took_s = (time.monotonic_ns() - asked) / 1e9
    with History(box.database) as history:
        offset = next(s.offset_ns for s in history.sessions() if s.id == session)
        asked_box = BoxNs(asked + offset)
        *_, last = history.chunks(BoxNs(asked_box - 5_000_000_000), EVER[1])
        gaps = [e for e in history.events(*EVER) if e.kind == "gap" and e.stream]
        gaps = [gap for gap in gaps if gap.cause != "before the first samples"]
    box.container.sh("systemctl start edge.service")
    box.recording(after=session)
    print(f"systemctl stop took {took_s:.2f} s")

    assert took_s <= 2
    end = last.start + round(last.period_ns * len(last.counts))
    assert asked_box - end < 200_000_000
    assert gaps == []


def test_frozen_recorder_is_killed_and_records_again(box: Box) -> None:
    session = box.recording().session
    restarts = int(box.container.sh("systemctl show -P NRestarts edge.service"))
    frozen = time.monotonic()
    box.signal("STOP")
    box.recording(after=session)
    took_s = time.monotonic() - frozen
    print(f"recording again {took_s:.1f} s after it froze")

    assert took_s <= 10
    now = int(box.container.sh("systemctl show -P NRestarts edge.service"))
    assert now == restarts + 1
    assert box.events()[-1].kind != "gap" or box.events()[-1].ended is not None
    assert any(e.kind == "gap" and "cut off" in e.cause for e in box.events())


def test_killed_recorder_keeps_what_it_counted_as_saved(box: Box) -> None:
    for _ in range(5):
        state = box.recording()
        with History(box.database) as history:
            before = history.counts().samples
        box.signal("KILL")
        killed = time.monotonic()
        box.recording(after=state.session)
        print(f"recording again {time.monotonic() - killed:.1f} s after kill -9")
        with History(box.database) as history:
            assert history.counts().samples >= before
            assert history.damaged == 0


def test_units_are_never_left_dead(box: Box) -> None:
    """Seven deaths in a row, beyond systemd's usual limit of five."""
    for _ in range(7):
        session = box.recording().session
        box.signal("KILL")
        box.recording(after=session)

    assert box.container.sh("systemctl is-active edge.service") == "active"


def test_recorder_is_not_disturbed_by_the_death_of_the_page(box: Box) -> None:
    test_page_answers_through_its_handed_socket(box)
    recorder, page = box.pid(), box.pid("edge-web.service")
    box.signal("KILL", "edge-web.service")
    test_page_answers_through_its_handed_socket(box)

    assert box.pid() == recorder
    assert box.pid("edge-web.service") != page


def change(box: Box, line: str, healthy_within_s: int) -> str:
    """Commit *line* to the clone's `edge/daemon.py` and install that; return words."""
    commit = "git -c user.name=rig -c user.email=rig@example.org commit -qam"
    box.container.sh(f"cd /srv/edge && echo '{line}' >>edge/daemon.py && {commit} rig")
    limits = f"EDGE_HEALTHY_WITHIN_S={healthy_within_s} EDGE_STEADY_S=3"
    install = f"{limits} /srv/edge/scripts/install --offline '/the wheels'"
    return box.container.run(install, timeout_s=200).stdout


def test_update_that_is_not_healthy_gives_way_to_the_version_before(box: Box) -> None:
    session = box.recording().session
    before = box.container.sh("readlink /opt/ecg-pose-edge/current")

    words = change(box, 'raise RuntimeError("a bad version")', 10)
    box.container.sh("cd /srv/edge && git reset -q --hard HEAD~1")

    assert f"back to {Path(before).name}" in words
    assert "a bad version" in words, words  # the reason is shown
    assert box.container.sh("readlink /opt/ecg-pose-edge/current") == before
    assert box.container.sh("ls /opt/ecg-pose-edge/releases") == Path(before).name
    box.recording(after=session)


def test_update_that_is_healthy_stays_and_keeps_the_version_before(box: Box) -> None:
    before = box.container.sh("readlink /opt/ecg-pose-edge/current")
    with History(box.database) as history:
        samples = history.counts().samples

    words = change(box, "# a good version", 60)

    assert "Recording" in words, words
    now = box.container.sh("readlink /opt/ecg-pose-edge/current")
    assert now != before
    kept = box.container.sh("ls -d /opt/ecg-pose-edge/releases/*").split()
    assert set(kept) == {before, now}
    with History(box.database) as history:
        assert history.counts().samples >= samples


# What each unit must still be able to do, and nothing else of `breakout.ATTEMPTS`.
ALLOWED = {
    "edge.service": {
        "netlink_socket",  # udev events
        "write_data",
        "record_over",
        "read_recording",
        "serial_port",
        "ask_the_recorder",
        "ask_for_a_drive",
        "host_network",  # for udev; no socket can use it
        "ask_the_clock",  # whether it is set; to set it takes more
    },
    "edge-web.service": {"read_recording", "ask_the_recorder"},
    "edge-drive@.service": {
        "other_users_processes",  # process 1 is root's, as it is
        "serial_port",  # a pseudo-terminal here: a closed policy shuts all but those
    },
}


@pytest.fixture(scope="module")
def open_house(box: Box) -> dict[str, str]:
    """Return what works without a sandbox, as root: the negative control."""
    box.recording()
    box.container.sh("readlink /proc/self/ns/net >/etc/edge-rig-network")
    box.container.sh("touch /tmp/edge-rig-marker")
    found = box.container.sh("python3 /rig/breakout.py")
    return dict(json.loads(found))


@pytest.mark.parametrize("unit", sorted(ALLOWED))
def test_sandbox_holds(unit: str, box: Box, open_house: dict[str, str]) -> None:
    found = attempts_inside(box, unit)
    worked = {name for name, why_not in found.items() if not why_not}
    proven = {name for name, why_not in open_house.items() if not why_not}
    print(f"{unit}: {len(proven - worked)} ways out are shut that are open without it")
    print("not provable here:", sorted(set(open_house) - proven))

    assert worked - ALLOWED[unit] == set(), unit
    assert ALLOWED[unit] <= worked, {n: found[n] for n in ALLOWED[unit] - worked}
    assert len(proven) >= 25


def attempts_inside(box: Box, unit: str) -> dict[str, str]:
    """Run the attempts in a unit that has *unit*'s settings and another program."""
    text = box.container.sh(f"cat /etc/systemd/system/{unit}")
    kept = [
        line
        for line in text.splitlines()
        if not line.startswith(("Exec", "Restart", "Type", "Watchdog", "Standard"))
        and not line.startswith(("NotifyAccess", "Requires", "After"))
    ]
    kept += ["[Service]", "Type=oneshot", "ExecStart=/usr/bin/python3 /rig/breakout.py"]
    kept += ["StandardOutput=file:/run/broken-out.json", "TimeoutStartSec=60"]
    path = "/etc/systemd/system/broken-out@.service"
    script = "\n".join(kept)
    box.container.sh(f"cat >{path} <<'UNIT'\n{script}\nUNIT\nsystemctl daemon-reload")
    box.container.sh("rm -f /run/broken-out.json; systemctl start broken-out@x.service")
    return dict(json.loads(box.container.sh("cat /run/broken-out.json")))


def test_uninstalling_keeps_the_data(box: Box) -> None:
    """The last test of this file: it takes the box away."""
    box.container.sh("/srv/edge/scripts/uninstall", timeout_s=300)

    assert box.state() is None
    assert box.database.exists()
    find = "find /etc /opt /usr -name 'edge*.*' -o -path '*ecg-pose-edge*'"
    left = box.container.sh(find)
    assert left.split() == ["/etc/ecg-pose-edge", "/etc/ecg-pose-edge/edge.toml"]
