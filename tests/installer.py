"""A box below a folder, and the functions of `scripts/install` to try on it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


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


def release_with_edge(home: Path) -> Path:
    """Make a release whose environment is that of the tests."""
    folder = home / "releases/1"
    programs = folder / ".venv/bin"
    programs.mkdir(parents=True)
    for name, runs in {"python": "", "edge": " -m edge"}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable}{runs} "$@"\n')
        (programs / name).chmod(0o755)
    return folder


def fake_release(home: Path, version: str, script: str = ":") -> Path:
    """Make a release whose installer makes it the current one, and then *script*."""
    folder = made_release(home, version)
    installer = folder / "scripts/install"
    installer.parent.mkdir()
    installer.write_text(f'#!/bin/sh\nln -sfn "$2" "{home}/current"; {script}\n')
    installer.chmod(0o755)
    return folder


def installed(
    home: Path, version: str, healthy: str, environment_of: str = ":"
) -> subprocess.CompletedProcess[str]:
    """
    Install *version*, whose folder is there; *healthy* is how it does, and
    *environment_of* how the environment of a release is looked after.
    """
    stubs = {
        "id": "echo 0", "systemctl": ":", "journalctl": ":", "packages": ":",
        "fetched_models": ":", "release": ":", "booted": "true", "dpkg": "false",
        "page_said": ":", "version": f"echo {version}", "healthy": healthy,
        "release_folder": 'echo "$HOME_DIR/releases/$1"',
        "environment_of": environment_of,
    }  # fmt: skip
    defined = "".join(f"{name}() {{ {does}; }}; " for name, does in stubs.items())
    return parts(f"{defined} main", home)


def versions(home: Path) -> tuple[str, list[str]]:
    """Return the current version and all that are kept."""
    kept = sorted(path.name for path in (home / "releases").iterdir())
    return (home / "current").resolve().name, kept
