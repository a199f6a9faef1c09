"""A version on its way to the card: whole, healthy, or gone again."""

import subprocess
import sys
from pathlib import Path

import pytest
from installer import (
    ROOT,
    fake_release,
    installed,
    made_release,
    parts,
    release_with_edge,
    versions,
)

KEY = "age1" + "q" * 58


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


@pytest.mark.parametrize(
    ("toml", "wanted"),
    [
        ('[camera]\nsource = "video"', "video"),
        ("[camera]\nsource='video'", "video"),
        ('camera.source = "video"', "video"),
        ('camera = { source = "video" }', "video"),
        ('[camera]\nsource = "none"  # not "video"', ""),
        ('[ecg]\nsource = "none"', ""),
        (f'[export]\nkey = "{KEY}"', "sealed"),
        (f'camera.source = "video"\nexport.key = "{KEY}"', "video\nsealed"),
    ],
)
def test_what_the_settings_ask_for_gets_its_library_however_they_say_so(
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


@pytest.mark.parametrize("network", [True, False])
def test_version_before_gets_the_python_of_today(network: bool, tmp_path: Path) -> None:
    """An upgrade of the system leaves it with an environment of the old one."""
    folder = fake_release(tmp_path, "1")
    (folder / "scripts/install").write_text(
        f'#!/bin/sh\n[ -e "$2/new-python" ] && ln -sfn "$2" "{tmp_path}/current"\n'
    )
    fake_release(tmp_path, "2")
    (tmp_path / "current").symlink_to(folder)

    done = installed(
        tmp_path, "2", "false", 'touch "$1/new-python"' if network else "false"
    )

    assert done.returncode == 1
    said = (
        "1 could not be brought back (see above), 2 stays: run 'sudo scripts/install'"
    )
    assert (said in done.stderr) == (not network)
    assert versions(tmp_path) == (("1", ["1"]) if network else ("2", ["1", "2"]))
    assert (tmp_path / "previous").exists() == (not network)  # the next one knows


def test_power_cut_does_not_bring_back_that_a_version_is_on_trial(
    tmp_path: Path,
) -> None:
    fake_release(tmp_path, "1")
    fake_release(tmp_path, "2")
    (tmp_path / "current").symlink_to(tmp_path / "releases/1")
    on_trial = f'[ -L "{tmp_path}/previous" ]'
    told = f"sync() {{ if {on_trial}; then echo trial; else echo well; fi; }}"

    done = installed(tmp_path, "2", healthy=told)

    assert "Recording" in done.stderr
    assert done.stdout.split()[-1] == "well"


def test_terminal_that_goes_away_does_not_end_the_installation(tmp_path: Path) -> None:
    fake_release(tmp_path, "1")
    fake_release(tmp_path, "2")
    (tmp_path / "current").symlink_to(tmp_path / "releases/1")

    done = installed(tmp_path, "2", healthy="kill -HUP $BASHPID; exec 2>&-; false")

    assert done.returncode == 1
    assert versions(tmp_path) == ("1", ["1"])


def test_an_installed_program_knows_which_commit_it_is(tmp_path: Path) -> None:
    """Recordings and exports name it: an update changes no number."""
    if not (ROOT / ".git").exists():
        pytest.skip(f"there is no {ROOT / '.git'}, out of which git unpacks a release")
    unpacked = parts(
        f'git_here archive HEAD | tar -x -C "{tmp_path}"; version', tmp_path
    )
    said = subprocess.run(
        [sys.executable, "-c", "from edge.release import version; print(version())"],
        env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert said.stdout.strip() == unpacked.stdout
