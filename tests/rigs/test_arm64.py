"""
The processor of a Raspberry Pi, emulated: the wheels install and the demo runs.

Run by `scripts/test --rig arm64`. Speeds here say nothing of a Pi.
"""

import os
from pathlib import Path

import pytest

from rigs import roots
from rigs.nspawn import Container

WHY_NOT = roots.missing("systemd-nspawn", "arch-test", roots.EMULATOR)
pytestmark = [
    pytest.mark.skipif(
        os.environ.get("EDGE_RIG") != "arm64", reason="run by scripts/test --rig arm64"
    ),
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
    pytest.mark.timeout(7200),
]
HOURS_S = 7000


def test_demo_records_on_arm64(tmp_path: Path) -> None:
    pip = roots.cache() / "pip-arm64"
    pip.mkdir(exist_ok=True)
    binds = [f"{roots.bundle(tmp_path)}:/project.bundle", f"{pip}:/root/.cache/pip"]
    lower = roots.root("bookworm", (*roots.CLEAN, "python3-venv"), arch="arm64")
    container = Container(lower, tmp_path, binds, emulated=True)
    assert container.sh("uname -m") == "aarch64"
    clone = "git -c advice.detachedHead=false clone -q /project.bundle ~/edge"
    container.sh(f"{clone}; cd ~/edge; . scripts/environment; environment run", HOURS_S)

    summary = container.sh("cd ~/edge && scripts/demo --for 20", HOURS_S)

    print(summary)
    assert "joined rows" in summary
