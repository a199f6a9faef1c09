"""What can be said of the installer without installing: its words and its parts."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = ["install", "update", "uninstall"]
LOCK = """\
bottle==0.13.4 \\
    --hash=sha256:aa
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:bb
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:cc
    # via ai-edge-litert
pillow==12.0.0 \\
    --hash=sha256:dd
"""


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_parses_and_stops_at_the_first_failure(name: str) -> None:
    text = (ROOT / "scripts" / name).read_text()

    assert "set -euo pipefail" in text
    subprocess.run(["bash", "-n", ROOT / "scripts" / name], check=True)


def test_unknown_option_prints_what_there_is() -> None:
    done = subprocess.run(
        [ROOT / "scripts/install", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "--offline DIR" in done.stdout


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("uninstall", ["--help"], 0),
        ("uninstall", ["--dry-run"], 2),
        ("uninstall", ["--help", "me"], 2),
        ("update", ["--help"], 0),
        ("update", ["--dry-run"], 2),
        ("update", ["--offline"], 2),
        ("update", ["--offline", "wheels", "now"], 2),
    ],
)
def test_what_a_script_does_not_know_changes_nothing(
    name: str, arguments: list[str], code: int, tmp_path: Path
) -> None:
    """Of everything that could change something there is a stand-in that tells."""
    done = run_copy(tmp_path, name, arguments)

    assert done.returncode == code
    assert f"sudo scripts/{name}" in done.stdout
    assert not done.stdout.startswith("#")
    assert done.stderr == ""
    assert not (tmp_path / "called").exists()


def test_update_hands_the_prepared_folder_on(tmp_path: Path) -> None:
    done = run_copy(tmp_path, "update", ["--offline", "my wheels"])

    assert done.returncode == 0
    calls = (tmp_path / "called").read_text().splitlines()
    assert calls[-1] == "install --offline my wheels"
    assert "pull" in calls[0]


def run_copy(
    folder: Path, name: str, arguments: list[str]
) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script *name*, as nobody, where its commands write `called`."""
    scripts, commands = folder / "scripts", folder / "bin"
    scripts.mkdir()
    commands.mkdir()
    shutil.copy(ROOT / "scripts" / name, scripts)
    tell = f'#!/bin/sh\necho "${{0##*/}} $*" >>"{folder}/called"\n'
    stand_ins = {commands / word: tell for word in ("git", "runuser", "systemctl")}
    stand_ins |= {scripts / "install": tell, commands / "id": "#!/bin/sh\necho 4242\n"}
    for path, text in stand_ins.items():
        path.write_text(text)
        path.chmod(0o755)
    return subprocess.run(
        [scripts / name, *arguments],
        env={"PATH": f"{commands}:/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_everything_that_is_installed_is_taken_off_again() -> None:
    install = (ROOT / "scripts/install").read_text()
    uninstall = (ROOT / "scripts/uninstall").read_text()
    placed = set(re.findall(r"(/etc/(?!ecg)[\w./-]+\.(?:rules|conf))", install))

    assert len(placed) == 6
    for path in placed:
        assert path in uninstall
    for unit in (ROOT / "systemd").glob("edge*"):
        assert unit.name in install
        assert unit.name in uninstall


@pytest.mark.parametrize(
    ("setting", "numpy_lines"), [({}, 2), ({"EDGE_SYSTEM_PACKAGES": "1"}, 0)]
)
def test_numpy_of_the_system_is_not_replaced(
    setting: dict[str, str], numpy_lines: int, tmp_path: Path
) -> None:
    """The camera library of a Raspberry Pi breaks with another numpy than its own."""
    lock = tmp_path / "requirements.lock"
    lock.write_text(LOCK)
    done = subprocess.run(
        ["bash", "-c", '. scripts/environment; pinned "$0"', lock],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin", **setting},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.count("numpy==") == numpy_lines
    assert done.stdout.count("sha256") == 2 + numpy_lines
    assert "pillow==12.0.0 \\\n    --hash=sha256:dd\n" in done.stdout


def test_first_version_that_is_not_healthy_is_not_taken_for_the_one_before(
    tmp_path: Path,
) -> None:
    """A try without network has left the folder, and no `current` in it."""
    text = (ROOT / "scripts/install").read_text()
    (line,) = re.findall(r"before=\$\(.*\)", text)

    done = subprocess.run(
        ["bash", "-euc", f'{line}; printf "%s" "$before"'],
        env={"PATH": "/usr/bin:/bin", "HOME_DIR": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == ""


def test_drives_are_told_after_the_system_knows_their_bus() -> None:
    """Of a disk, ID_BUS is set by 60-persistent-storage.rules."""
    install = (ROOT / "scripts/install").read_text()
    (name,) = re.findall(r'rules" (/etc/udev/rules\.d/\S+)', install)

    assert Path(name).name > "60-persistent-storage.rules"


@pytest.mark.parametrize("harm", ["", "moved", "copied", "newer Python", "isolated"])
def test_environment_that_does_not_fit_is_made_afresh(
    harm: str, tmp_path: Path
) -> None:
    first, place = tmp_path / "a clone", tmp_path / "another clone"
    settings = {"EDGE_SYSTEM_PACKAGES": "1"} if harm == "isolated" else {}
    made = place if harm in ("", "newer Python", "isolated") else first
    venv = [sys.executable, "-m", "venv", "--without-pip", str(made / ".venv")]
    subprocess.run(venv, check=True)
    if harm == "moved":
        made.rename(place)
    elif harm == "copied":
        shutil.copytree(made, place, symlinks=True)
    elif harm == "newer Python":
        written = place / ".venv/pyvenv.cfg"
        written.write_text(
            re.sub(r"version = 3\.\d+", "version = 3.1", written.read_text())
        )

    done = subprocess.run(
        ["bash", "-c", ". scripts/environment; fits"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "EDGE_VENV": str(place / ".venv"), **settings},
    )

    assert (done.returncode == 0) == (harm == "")


@pytest.mark.parametrize("end", ["fail 'no network'", "kill -KILL $$ $BASHPID"])
def test_environment_that_runs_outlasts_one_that_cannot_be_made(
    end: str, tmp_path: Path
) -> None:
    venv = tmp_path / ".venv"
    venv.mkdir()
    (venv / "pyvenv.cfg").write_text("version = 3.1.0\n")
    (venv / "library").write_text("in use")
    make = f'make_venv() {{ mkdir "$venv"; touch "$venv/half"; {end}; }}; '

    def environment(script: str) -> int:
        command = ["bash", "-euc", f". scripts/environment; {script} environment run"]
        variables = {"PATH": "/usr/bin:/bin", "EDGE_VENV": str(venv)}
        return subprocess.run(command, cwd=ROOT, env=variables).returncode

    assert environment(make) != 0
    if "KILL" in end:  # the next try finds it
        assert (tmp_path / ".venv.before/library").exists()
        assert environment("make_venv() { exit 7; };") == 7

    assert (venv / "library").read_text() == "in use"
    assert not (venv / "half").exists()
    assert not (tmp_path / ".venv.before").exists()


def test_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    script = ". scripts/environment; make_venv() { exit 7; }; environment run"

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "EDGE_VENV": str(tmp_path)},
    )

    assert done.returncode == 7
    assert (tmp_path / "precious").exists()
