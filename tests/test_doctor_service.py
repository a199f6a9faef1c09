"""What the doctor finds on an installed box: users, units, address, recorder."""

from contextlib import closing
from pathlib import Path

import pytest
from doctor_rig import STREAM, Systemd, install, levels, put, recorder, settings

from edge.doctor import service
from edge.doctor.machine import Machine


def test_installed_box_that_is_well(tmp_path: Path) -> None:
    install(tmp_path)
    (tmp_path / "data").mkdir()
    chosen = settings(tmp_path)
    systemd = Systemd(tmp_path, "NRestarts=0\nActiveState=active")
    with closing(recorder(chosen)):
        findings = service.check(chosen, systemd)

    assert set(levels(findings)) == {"ok"}
    assert "records, session 7" in [finding.says for finding in findings]


@pytest.mark.parametrize(
    ("shown", "level"),
    [
        ("NRestarts=0\nActiveState=failed", "fault"),
        ("NRestarts=3\nActiveState=active", "warning"),
        ("", "fault"),
    ],
)
def test_units_that_failed_or_were_restarted(
    shown: str, level: str, tmp_path: Path
) -> None:
    assert set(levels(service.units(Systemd(tmp_path, shown)))) == {level}


@pytest.mark.parametrize("state", ["disabled", "masked", ""])
def test_unit_that_will_not_start_at_boot_is_a_fault(
    state: str, tmp_path: Path
) -> None:
    shown = f"NRestarts=0\nActiveState=active\nUnitFileState={state}"

    findings = service.units(Systemd(tmp_path, shown))

    assert set(levels(findings)) == {"fault"}
    assert all("at boot" in finding.says for finding in findings)
    well = f"{shown.removesuffix(state)}enabled"
    assert levels(service.units(Systemd(tmp_path, well))) == ["ok"]


def test_missing_user_or_group_is_a_fault(tmp_path: Path) -> None:
    install(tmp_path)
    put(tmp_path, "etc/group", "edge:x:9:\ndialout:x:20:\nvideo:x:44:\n")

    (finding,) = service.people(Machine(tmp_path))

    assert finding.level == "fault"
    assert "plugdev" in finding.says


def test_address_that_was_changed_without_installing_is_a_warning(
    tmp_path: Path,
) -> None:
    install(tmp_path)
    chosen = settings(tmp_path, "[web]\nport = 5000")

    assert levels(service.address(chosen, Machine(tmp_path))) == ["warning"]


@pytest.mark.parametrize(
    ("host", "listens", "level"),
    [
        ("0.0.0.0", "0.0.0.0:443", []),
        ("0.0.0.0", "10.0.0.0:443", ["warning"]),
        ("127.0.0.1", "127.0.0.10:443", ["warning"]),
        ("localhost", "127.0.0.1:443", []),
        ("::", "[::]:443", []),
        ("::", "[::1]:443", ["warning"]),
    ],
)
def test_address_that_systemd_listens_on_is_compared_whole(
    host: str, listens: str, level: list[str], tmp_path: Path
) -> None:
    install(tmp_path)
    unit = f"[Socket]\nListenStream=\nListenStream={listens}\n"
    put(tmp_path, service.ADDRESS, unit)
    chosen = settings(tmp_path, f'[web]\nhost = "{host}"\nport = 443')

    assert levels(service.address(chosen, Machine(tmp_path))) == level


def test_silent_recorder_and_lost_stream_are_faults(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    chosen = settings(tmp_path)
    assert levels(service.recorder(chosen)) == ["fault"]
    lost = STREAM._replace(state="lost", cause="the cable was pulled")
    with closing(recorder(chosen, lost)):
        (finding,) = service.recorder(chosen)

    assert finding.says == "ecg: the cable was pulled"
