"""
The processor of a Raspberry Pi, emulated: the wheels install and the demo runs.

Run by `scripts/test --rig arm64`. Speeds here say nothing of a Pi.
"""

from pathlib import Path

from rigs import roots
from rigs.nspawn import Container

pytestmark = roots.marks("arm64", 7200, "systemd-nspawn", "arch-test", roots.EMULATOR)
HOURS_S = 7000


def test_demo_records_on_arm64(tmp_path: Path) -> None:
    pip = roots.cache() / "pip-arm64"
    pip.mkdir(exist_ok=True)
    binds = [f"{roots.bundle(tmp_path)}:/project.bundle", f"{pip}:/var/cache/pip"]
    lower = roots.root("bookworm", (*roots.CLEAN, "python3-venv"), arch="arm64")
    container = Container(lower, tmp_path, binds, emulated=True)
    assert container.sh("uname -m") == "aarch64"
    prepare = "export PIP_CACHE_DIR=/var/cache/pip; . scripts/environment"
    container.sh(
        f"{roots.CLONE} ~/edge; cd ~/edge; {prepare}; environment run", HOURS_S
    )

    summary = container.sh("cd ~/edge && scripts/demo --for 20", HOURS_S)

    print(summary)
    assert "joined rows" in summary
