"""What the doctor finds on the machine itself: power, heat, clock, watchdog."""

from contextlib import closing
from pathlib import Path

import pytest
from doctor_rig import put, settings
from records_store import session

from edge.clock import Wall
from edge.doctor import box
from edge.doctor.machine import Machine
from edge.records import BoxNs, ClockReading, MonotonicNs, UtcNs
from edge.store import Store


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_power_heat_and_watchdog_of_a_pi(machine: Machine) -> None:
    put(machine.root, "sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n")
    put(machine.root, "sys/class/thermal/thermal_zone0/temp", "84000\n")
    put(machine.root, "dev/watchdog0", "")
    put(machine.root, "sys/class/watchdog/watchdog0/state", "active\n")
    found = {f.part: f.level for f in box.check(settings(machine.root), machine)}

    assert found["power"] == "fault"
    assert found["heat"] == "warning"
    assert found["watchdog"] == "ok"


@pytest.mark.parametrize(
    ("kernel", "ledger", "age_s", "level"),
    [
        (True, True, 30, "ok"),
        (True, False, 30, "fault"),
        (True, False, 3600, "ok"),  # of a recorder that was stopped
        (False, False, 30, "warning"),
    ],
)
def test_clock_that_the_recorder_does_not_see_set_is_a_fault(
    kernel: bool,
    ledger: bool,
    age_s: int,
    level: str,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = Wall(MonotonicNs(0), UtcNs(10**18), synchronised=kernel)
    monkeypatch.setattr(box, "read_wall", lambda: now)
    (machine.root / "data").mkdir()
    chosen = settings(machine.root)
    written = UtcNs(now.utc - age_s * 10**9)
    with closing(Store(chosen.database, ballast_bytes=0)) as store:
        store.append([session(1), ClockReading(1, BoxNs(1), written, ledger, 0)])

    assert box.clock(chosen, machine).level == level


@pytest.mark.parametrize(
    ("microvolts", "says"),
    [
        ("3001000", "a battery clock keeps it"),
        ("0", "there is no battery clock"),  # a Raspberry Pi 5 without a battery
        (None, "a battery clock keeps it"),  # a chip that does not measure it
    ],
)
def test_clock_of_a_pi_5_keeps_time_only_with_a_battery(
    microvolts: str | None, says: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = Wall(MonotonicNs(1), UtcNs(10**18), False)
    monkeypatch.setattr(box, "read_wall", lambda: now)
    put(machine.root, "sys/class/rtc/rtc0/name", "rpi-rtc\n")
    if microvolts is not None:
        put(machine.root, "sys/class/rtc/rtc0/battery_voltage", f"{microvolts}\n")

    assert says in box.clock(settings(machine.root), machine).says
