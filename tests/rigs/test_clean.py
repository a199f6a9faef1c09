"""
A fresh Debian that has git and Python and nothing else.

Run by `scripts/test --rig clean`: the README's two commands on a clean clone, as
root and as a plain user who may not become root.
"""

import os
from pathlib import Path

import pytest

from rigs import roots
from rigs.nspawn import Container

pytestmark = roots.marks("clean", 3600, "systemd-nspawn")
UID = 1000
CLONE = f"{roots.CLONE} ~/ecg-pose-edge"
TRY = "cd ~/ecg-pose-edge && scripts/demo --for 20"
TEST = "cd ~/ecg-pose-edge && scripts/test"


@pytest.fixture(params=["bookworm", "trixie"])
def suite(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def fresh(suite: str, folder: Path, home: str, uid: int) -> Container:
    """Return a fresh Debian *suite* whose user *uid* finds pip's cache at *home*."""
    pip = roots.cache() / f"pip-{uid}"
    pip.mkdir(exist_ok=True)
    os.chown(pip, uid, uid)
    binds = [f"{roots.bundle(folder)}:/project.bundle", f"{pip}:{home}/.cache/pip"]
    return Container(roots.root(suite), folder, binds)


def succeed(container: Container, command: str, user: str = "root") -> str:
    done = container.run(command, user=user, timeout_s=3000)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


def test_root_needs_nothing_else(suite: str, tmp_path: Path) -> None:
    container = fresh(suite, tmp_path, "/root", 0)
    succeed(container, CLONE)

    succeed(container, TRY)
    print(succeed(container, TEST)[-2000:])


def test_plain_user_is_told_the_one_missing_package(suite: str, tmp_path: Path) -> None:
    container = fresh(suite, tmp_path, "/home/technician", UID)
    succeed(container, f"useradd --uid {UID} --shell /bin/bash technician")
    succeed(container, "chown technician: /home/technician /home/technician/.cache")
    succeed(container, CLONE, "technician")

    refused = container.run(TRY, user="technician")

    assert refused.returncode == 1
    assert "sudo apt-get install python3-venv" in refused.stdout
    assert "Traceback" not in refused.stdout

    succeed(container, "apt-get -qq update && apt-get -qq install -y python3-venv")
    succeed(container, TRY, "technician")
    print(succeed(container, TEST, "technician")[-2000:])
