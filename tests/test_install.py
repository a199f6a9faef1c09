"""What can be said of the installer without installing: its words and its parts."""

import os
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


def parts(script: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run *script* with the functions of `scripts/install`, for a box below *home*."""
    begin = f'. scripts/install; HOME_DIR="{home}"; '
    begin += f'SETTINGS="{home}/edge.toml"; UNITS="{home}/units"; '
    return subprocess.run(
        ["bash", "-c", begin + script],
        cwd=ROOT, env={"PATH": os.environ["PATH"], **environ},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def made_release(home: Path, version: str) -> Path:
    """Make a release of one program and an environment, sealed."""
    folder = home / "releases" / version
    (folder / ".venv").mkdir(parents=True)
    (folder / "program").write_text("it works")
    (folder / ".venv/library").write_text("it works too")
    parts(f'seal "{folder}"', home)
    return folder


@pytest.mark.parametrize("emptied", ["program", ".venv/library", ".complete"])
def test_release_that_a_power_cut_emptied_is_not_whole(
    emptied: str, tmp_path: Path
) -> None:
    folder = made_release(tmp_path, "1")
    assert parts(f'whole "{folder}"', tmp_path).returncode == 0
    (folder / emptied).write_text("")

    assert parts(f'whole "{folder}"', tmp_path).returncode != 0


def test_damaged_release_that_runs_is_left_until_another_is_there(
    tmp_path: Path,
) -> None:
    running = made_release(tmp_path, "1")
    (tmp_path / "current").symlink_to(running)
    choose = "release_folder 1"
    assert parts(choose, tmp_path).stdout == str(running)

    (running / "program").write_text("")
    assert parts(choose, tmp_path).stdout == f"{running}-again"
    again = made_release(tmp_path, "1-again")
    assert parts(choose, tmp_path).stdout == str(again)
    (again / "program").write_text("")
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to(again)
    assert parts(choose, tmp_path).stdout == str(running)


def test_release_is_on_the_card_before_it_is_called_complete(tmp_path: Path) -> None:
    folder = tmp_path / "releases/1"
    folder.mkdir(parents=True)
    (folder / "program").write_text("it works")
    script = f'sync() {{ ls -A "{folder}"; }}; seal "{folder}"'

    told = parts(script, tmp_path).stdout.split()

    assert told == ["program", ".complete.new", "program"]
    assert (folder / ".complete").exists()


NO_ROOM = {
    "unpacking fails": "return 2",
    "nothing is unpacked": ":",
    "the environment fails": """
        mkdir "$3/scripts"
        echo 'environment() { false; echo passed over; }' >"$3/scripts/environment" """,
}


@pytest.mark.parametrize("fault", NO_ROOM)
def test_release_for_which_there_is_no_room_is_neither_complete_nor_left(
    fault: str, tmp_path: Path
) -> None:
    """Nor does the clone's own function `environment` answer for the release."""
    stubs = {
        "id": "echo 0", "systemctl": ":", "packages": ":", "extras": ":",
        "dpkg": "false", "version": "echo 1", "git_here": ":", "environment": ":",
        "fetched_models": "echo went on", "tar": NO_ROOM[fault],
    }  # fmt: skip
    defined = "".join(f"{name}() {{ {does}\n}}; " for name, does in stubs.items())

    done = parts(f"{defined} main", tmp_path)

    assert done.returncode != 0
    assert done.stdout == ""
    assert list((tmp_path / "releases").iterdir()) == []


def release_with_edge(home: Path) -> Path:
    """Make a release whose environment is that of the tests."""
    folder = home / "releases/1"
    programs = folder / ".venv/bin"
    programs.mkdir(parents=True)
    for name, runs in {"python": "", "edge": " -m edge"}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable}{runs} "$@"\n')
        (programs / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("toml", "wanted"),
    [
        ('[camera]\nsource = "video"', "video"),
        ("[camera]\nsource='video'", "video"),
        ('camera.source = "video"', "video"),
        ('camera = { source = "video" }', "video"),
        ('[camera]\nsource = "none"  # not "video"', ""),
        ('[ecg]\nsource = "none"', ""),
    ],
)
def test_webcam_gets_its_library_however_the_settings_say_so(
    toml: str, wanted: str, tmp_path: Path
) -> None:
    folder = release_with_edge(tmp_path)
    chosen = tmp_path / "edge.toml"
    chosen.write_text(toml)
    stub = f'SETTINGS="{chosen}"; environment_of() {{ echo "$2"; }}; '

    assert parts(f'{stub} extras "{folder}"', tmp_path).stdout.strip() == wanted


def test_settings_with_a_mistake_change_nothing(tmp_path: Path) -> None:
    folder = release_with_edge(tmp_path)
    chosen = tmp_path / "edge.toml"
    chosen.write_text("[camera]\nsauce = 1\n")

    done = parts(f'SETTINGS="{chosen}"; extras "{folder}"', tmp_path)

    assert done.returncode == 1
    assert "sauce" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("data", "code"), [("/home/pi/data", 1), ("/var/tmp", 1), ("/srv/home/data", 0)]
)
def test_data_folder_that_the_units_cannot_see_is_refused_before_anything_is_stopped(
    data: str, code: int, tmp_path: Path
) -> None:
    release_with_edge(tmp_path)
    units, chosen = tmp_path / "units", tmp_path / "edge.toml"
    units.mkdir()
    chosen.write_text(f'[box]\ndata_dir = "{data}"\n')
    stubs = {
        "id": "echo 0", "systemctl": ":", "packages": ":", "dpkg": "false",
        "version": "echo 1", "release": ":", "fetched_models": "exit 0",
    }  # fmt: skip
    defined = "".join(f"{name}() {{ {does}; }}; " for name, does in stubs.items())

    done = parts(f'SETTINGS="{chosen}"; UNITS="{units}"; {defined} main', tmp_path)

    assert done.returncode == code
    assert ("cannot see" in done.stderr) == bool(code)
    assert ("[box] data_dir" in done.stderr) == bool(code)
    assert bool(list(units.iterdir())) != bool(code)


def test_units_are_on_the_card_before_they_and_the_release_take_effect(
    tmp_path: Path,
) -> None:
    stubs = "".join(
        f'{name}() {{ echo {name} "$@"; }}; '
        for name in ("install", "mv", "ln", "sync", "systemctl", "systemd-sysusers")
    )
    script = "first_settings() { :; }; fit_units() { :; }; rm() { :; }; "
    script += "booted() { return 1; }; "

    told = parts(f"{stubs}{script}activate /release", tmp_path).stdout.splitlines()

    def place(begin: str) -> int:
        return next(n for n, line in enumerate(told) if line.startswith(begin))

    unit = tmp_path / "units/edge.service"
    last_written = max(n for n, line in enumerate(told) if line.startswith("install"))
    assert f"install -D -m 644 /release/systemd/edge.service {unit}.new" in told
    assert place("sync") < place(f"mv -T {unit}.new")
    assert last_written < place("sync")
    assert told[place(f"mv -T {tmp_path}/current.new") - 2].startswith("sync")
    assert any(line.startswith("sync") for line in told[place("ln") + 2 :])


PROCESSES = r"""
systemctl() {  # of several units, is-active wants one that is
    local unit code=1
    for unit; do
        case "$* $unit" in
        *is-active*.service) [ "$unit" = "$dead" ] || code=0 ;;
        *is-active*edge-web.socket) code=0 ;;
        *MainPID*"$restarting") echo $RANDOM; code=0 ;;
        *MainPID*.service) echo 7; code=0 ;;
        esac
    done
    return $code
}
sleep() { SECONDS=$((SECONDS + 1)); }
"""


@pytest.mark.parametrize(
    ("dead", "restarting", "healthy"),
    [
        ("none", "none", True),
        ("edge.service", "none", False),
        ("edge-web.service", "none", False),
        ("none", "edge-web.service", False),
    ],
)
def test_version_whose_page_is_dead_is_not_healthy(
    dead: str, restarting: str, healthy: bool, tmp_path: Path
) -> None:
    (tmp_path / "current/.venv/bin").mkdir(parents=True)
    status = tmp_path / "current/.venv/bin/edge"
    status.write_text("#!/bin/sh\necho '{\"session\": 1}'\n")
    status.chmod(0o755)

    done = parts(
        f"{PROCESSES} healthy", tmp_path, dead=dead, restarting=restarting,
        EDGE_HEALTHY_WITHIN_S="9", EDGE_STEADY_S="3",
    )  # fmt: skip

    assert (done.returncode == 0) == healthy


def fake_release(home: Path, version: str, script: str = ":") -> Path:
    """Make a release whose installer makes it the current one, and then *script*."""
    folder = made_release(home, version)
    installer = folder / "scripts/install"
    installer.parent.mkdir()
    installer.write_text(f'#!/bin/sh\nln -sfn "$2" {home}/current; {script}\n')
    installer.chmod(0o755)
    return folder


def installed(
    home: Path, version: str, healthy: str
) -> subprocess.CompletedProcess[str]:
    """Install *version*, whose folder is there; *healthy* is how it does."""
    stubs = {
        "id": "echo 0", "systemctl": ":", "journalctl": ":", "packages": ":",
        "fetched_models": ":", "release": ":", "booted": "true", "dpkg": "false",
        "page_said": ":", "version": f"echo {version}", "healthy": healthy,
        "release_folder": 'echo "$HOME_DIR/releases/$1"',
    }  # fmt: skip
    defined = "".join(f"{name}() {{ {does}; }}; " for name, does in stubs.items())
    return parts(f"{defined} main", home)


def versions(home: Path) -> tuple[str, list[str]]:
    """Return the current version and all that are kept."""
    kept = sorted(path.name for path in (home / "releases").iterdir())
    return (home / "current").resolve().name, kept


def test_version_that_could_not_be_set_up_is_not_healthy(tmp_path: Path) -> None:
    """The one before still runs then, and answers."""
    fake_release(tmp_path, "1", "exit 1")

    done = installed(tmp_path, "1", healthy="true")

    assert done.returncode == 1
    assert "could not be set up" in done.stderr
    assert "Recording" not in done.stderr


@pytest.mark.parametrize(
    ("version", "healthy", "current", "kept"),
    [
        ("2", "false", "1", ["1"]),  # the bad one once more
        ("2", "true", "2", ["1", "2"]),
        ("3", "false", "1", ["1", "2"]),
        ("3", "true", "3", ["1", "3"]),
    ],
)
def test_installation_that_was_cut_off_goes_back_to_the_version_that_was_healthy(
    version: str, healthy: str, current: str, kept: list[str], tmp_path: Path
) -> None:
    fake_release(tmp_path, "1")
    assert "Recording" in installed(tmp_path, "1", healthy="true").stderr
    fake_release(tmp_path, "2")
    cut_off = installed(tmp_path, "2", healthy="kill -KILL $BASHPID")
    assert cut_off.returncode == -9
    assert versions(tmp_path) == ("2", ["1", "2"])
    if version == "3":
        fake_release(tmp_path, "3")

    done = installed(tmp_path, version, healthy)

    assert "cut off" in done.stderr
    assert versions(tmp_path) == (current, kept)
    assert not (tmp_path / "previous").is_symlink()


def test_terminal_that_goes_away_does_not_end_the_installation(tmp_path: Path) -> None:
    fake_release(tmp_path, "1")
    fake_release(tmp_path, "2")
    (tmp_path / "current").symlink_to(tmp_path / "releases/1")

    done = installed(tmp_path, "2", healthy="kill -HUP $BASHPID; exec 2>&-; false")

    assert done.returncode == 1
    assert versions(tmp_path) == ("1", ["1"])


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
    venv = [sys.executable, "-m", "venv", "--without-pip", made / ".venv"]
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
