"""What the machine says of itself, on a made-up /sys and /proc."""

import os
from pathlib import Path

import pytest
from doctor_rig import put

from edge.health import Health, Reading
from edge.records import BoxNs

NOW = BoxNs(1)
FINE = Reading(50.0, False, False, 0.5, 10, 10**9)


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    """Return the root of a Raspberry Pi with an eMMC, in good health."""
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "51200\n")
    put(tmp_path, "sys/class/thermal/thermal_zone1/temp", "49000\n")
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "0\n")
    put(tmp_path, "sys/class/hwmon/hwmon3/name", "rpi_volt\n")
    put(tmp_path, "sys/class/hwmon/hwmon3/in0_lcrit_alarm", "0\n")
    put(tmp_path, "proc/meminfo", "MemTotal: 8000 kB\nMemAvailable: 6000 kB\n")
    device = tmp_path.stat().st_dev
    disk = tmp_path / "sys/devices/mmc/block/mmcblk0"
    put(disk, "mmcblk0p2/partition", "2\n")
    put(disk, "device/life_time", "0x01 0x03\n")
    put(disk, "stat", "1 2 3 4 5 6 2000 8 9 10 11\n")
    link = tmp_path / f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
    link.parent.mkdir(parents=True)
    link.symlink_to(disk / "mmcblk0p2")
    return tmp_path


def test_every_reading_of_a_pi(pi: Path) -> None:
    assert Health(pi, pi).read() == Reading(
        temperature_c=51.2,
        under_voltage=False,
        slowed=False,
        memory_available=0.75,
        disk_wear_percent=30,
        disk_written_bytes=2000 * 512,
    )


def test_machine_that_tells_nothing(tmp_path: Path) -> None:
    health = Health(tmp_path / "absent", tmp_path)

    assert health.read() == Reading(None, None, None, None, None, None)
    assert health.changes(health.read(), NOW) == ()


def test_this_machine_is_read_without_error() -> None:
    memory = Health(Path("/")).read().memory_available
    assert memory is None or 0 < memory < 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n"),
        ("sys/class/hwmon/hwmon3/in0_lcrit_alarm", "1\n"),
    ],
)
def test_supply_that_sagged_is_told_once_and_stays_in_the_reading(
    pi: Path, name: str, value: str
) -> None:
    health = Health(pi, pi)
    assert health.changes(health.read(), NOW) == ()
    put(pi, name, value)
    first = health.changes(health.read(), NOW)
    put(pi, name, "0\n")

    assert first[0].stream == "box"
    assert "supply" in first[0].cause
    assert health.changes(health.read(), NOW) == ()
    assert health.read().under_voltage is True


@pytest.mark.parametrize("bit", [1, 2, 3, 17, 18, 19])
def test_processor_that_was_slowed_down_is_told_with_its_instant(
    pi: Path, bit: int
) -> None:
    name = "sys/devices/platform/soc/soc:firmware/get_throttled"
    health = Health(pi, pi)
    put(pi, name, f"{1 << bit:x}\n")
    (event,) = health.changes(health.read(), NOW)
    put(pi, name, "0\n")

    assert "slowed" in event.cause
    assert (event.began, event.ended) == (NOW, None)
    assert health.read().slowed is True
    assert health.read().under_voltage is False


def test_heat_is_told_again_only_after_it_cooled(tmp_path: Path) -> None:
    health = Health(tmp_path, tmp_path)
    told = [
        len(health.changes(FINE._replace(temperature_c=celsius), NOW))
        for celsius in (79.9, 80.0, 85.0, 76.0, 80.0, 74.9, 80.0)
    ]
    assert told == [0, 1, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    "bad",
    [
        FINE._replace(memory_available=0.05),
        FINE._replace(disk_wear_percent=90),
        FINE._replace(slowed=True),
    ],
)
def test_each_trouble_is_an_event_with_the_reading(
    bad: Reading, tmp_path: Path
) -> None:
    health = Health(tmp_path, tmp_path)
    assert health.changes(FINE, NOW) == ()

    (event,) = health.changes(bad, NOW)

    assert event.kind == "state"
    assert event.detail == bad._asdict()
