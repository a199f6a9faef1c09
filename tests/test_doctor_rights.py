"""What doctor and status say to an ordinary user, who may not look everywhere."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from doctor_rig import Systemd, install, put, recorder, settings
from ordinary_user import open_folder, ordinary_user

from edge import config, doctor
from edge.__main__ import main
from edge.control import Server
from edge.database import folder as data_folder
from edge.doctor import card
from edge.doctor.machine import Machine


@pytest.fixture
def shared() -> Iterator[Path]:
    """Return a folder that everybody may look into."""
    with open_folder() as folder:
        yield folder


def recording_box(folder: Path) -> tuple[config.Settings, Server]:
    """Return an installed box in *folder* and its recorder, which is well."""
    install(folder)
    (folder / "data").mkdir()
    put(folder, "data/recording.db", "rows")
    chosen = settings(folder)
    return chosen, recorder(chosen)


def test_ordinary_user_is_sent_to_root_and_never_to_a_restart(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(shared, "mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
    monkeypatch.setattr(data_folder, "MOUNTS", shared / "mountinfo")
    monkeypatch.setattr(card, "free_bytes", lambda _: 20_000_000_000)
    chosen, server = recording_box(shared)
    machine = Systemd(shared, "NRestarts=0\nActiveState=active")
    doctor.examine(chosen, machine)  # loads what may lie in a folder closed to others
    with closing(server), ordinary_user(shared / "data", 0):
        findings = {entry.part: entry for entry in doctor.examine(chosen, machine)}

    for part in ("disk", "recorder"):
        assert findings[part].level == "warning"
        assert "this user may not" in findings[part].says
        assert findings[part].mend == "sudo edge doctor"


def test_disk_that_is_nearly_full_is_a_fault_for_every_user(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card, "free_bytes", lambda _: 100_000_000)
    (shared / "data").mkdir()
    chosen = settings(shared)
    with ordinary_user(shared / "data", 0):
        assert card.space(chosen).level == "fault"


def test_status_for_an_ordinary_user_names_sudo(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, server = recording_box(shared)
    import_module("edge.commands.status")  # which may lie in a folder closed to others
    with closing(server), ordinary_user(shared / "data", 0):
        assert main(["status", "--config", str(shared / "edge.toml")]) == 1

    said = capsys.readouterr().err
    assert "this user may not ask" in said
    assert "sudo" in said
    assert "running?" not in said


def test_parts_in_a_closed_folder_are_told_and_the_others_looked_at(
    shared: Path,
) -> None:
    chosen = settings(
        shared,
        f'[camera]\nsource = "video"\ndevice = "{shared}/data/in/bed.mp4"\n'
        f'[ecg]\nport = "{shared}/data/in/board"\n',
    )
    box = replace(chosen.box, data_dir=shared / "data" / "in")
    (shared / "data" / "in").mkdir(parents=True)
    doctor.examine(replace(chosen, box=box), Machine(Path("/")))
    with ordinary_user(shared / "data", 0):
        findings = doctor.examine(replace(chosen, box=box), Machine(Path("/")))

    told = {entry.part for entry in findings if entry.mend == "sudo edge doctor"}
    assert told - {"tpu"} == {"camera", "serial", "disk"}  # tpu: a clone in /root
    assert {"clock", "tpu", "service"} <= {entry.part for entry in findings}
