"""The units of the installed box: valid, sandboxed, never left dead."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parent.parent / "systemd"
SERVICES = ["edge.service", "edge-web.service", "edge-drive@.service"]
EXPOSURE = {"edge.service": 1.3, "edge-web.service": 0.5, "edge-drive@.service": 1.0}
"""Highest score that `systemd-analyze security` may give."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture(scope="module")
def verifiable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of the units with programs that exist on this machine."""
    folder = tmp_path_factory.mktemp("units")
    for unit in UNITS.glob("edge*"):
        text = re.sub(r"/opt/\S+/bin/\w+", shutil.which("env") or "", unit.read_text())
        (folder / unit.name).write_text(text)
    return folder


@needs_systemd
def test_units_have_no_unknown_key_or_bad_value(verifiable: Path) -> None:
    done = _verify(sorted(verifiable.iterdir()))

    assert done.stderr == ""
    assert done.returncode == 0


@needs_systemd
def test_a_bad_unit_would_be_found(verifiable: Path, tmp_path: Path) -> None:
    for unit in verifiable.iterdir():
        shutil.copy(unit, tmp_path)
    with (tmp_path / "edge.service").open("a") as file:
        file.write("\n[Service]\nWatchDogSek=1\n")

    assert "WatchDogSek" in _verify([tmp_path / "edge.service"]).stderr


def _verify(units: list[Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_exposure_is_low(name: str, verifiable: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", verifiable / name],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Overall exposure level for .*: ([\d.]+)", done.stdout)
    assert found
    assert float(found[1]) <= EXPOSURE[name]


@pytest.mark.parametrize("name", ["edge.service", "edge-web.service"])
def test_no_start_limit_leaves_a_service_dead(name: str) -> None:
    text = (UNITS / name).read_text()
    assert "\nStartLimitIntervalSec=0\n" in text
    assert "\nRestart=always\n" in text


def test_recorder_waits_for_no_network() -> None:
    assert "network" not in _keys("edge.service", "After", "Wants", "Requires")


@needs_systemd
@pytest.mark.parametrize("call", ["adjtimex", "clock_adjtime"])
def test_recorder_may_ask_whether_the_clock_is_set_and_not_set_it(call: str) -> None:
    """The C library asks by the one or the other; a refusal reads as *not set*."""
    assert call in _system_calls("edge.service")
    assert _keys("edge.service", "ProtectClock") == ""
    assert _keys("edge.service", "CapabilityBoundingSet") == "CapabilityBoundingSet="
    assert call not in _system_calls("edge-web.service")
    assert "clock_settime" not in _system_calls("edge.service")


def _system_calls(name: str) -> set[str]:
    """Return what the filter of a unit lets through: its lines add or take away."""
    allowed: set[str] = set()
    for line in _keys(name, "SystemCallFilter").splitlines():
        words = line.partition("=")[2]
        named = set().union(*map(_members, words.lstrip("~").split()))
        allowed = allowed - named if words.startswith("~") else allowed | named
    return allowed


def _members(name: str) -> set[str]:
    """Return the system calls of a set such as ``@clock``, else *name* alone."""
    if not name.startswith("@"):
        return {name}
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", name],
        capture_output=True,
        text=True,
        check=True,
    )
    words = re.findall(r"^ +([@\w]+)$", done.stdout, re.MULTILINE)
    return set().union(*map(_members, words))


def _keys(name: str, *keys: str) -> str:
    lines = (UNITS / name).read_text().splitlines()
    return "\n".join(line for line in lines if line.split("=")[0] in keys)


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="udevadm is not installed")
def test_udev_rules_are_valid() -> None:
    version = subprocess.run(
        ["udevadm", "--version"], capture_output=True, text=True, check=True
    )
    if int(version.stdout) < 254:
        pytest.skip("this udevadm cannot verify rules (needs 254)")
    subprocess.run(["udevadm", "verify", UNITS / "ecg-pose-edge.rules"], check=True)
