"""What the tests start ends with them, however they end."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import recorder_hung
from box import alive, wait_for

HERE = Path(__file__).parent
RECORDS = """
import sys
from pathlib import Path
from box import Box
box = Box(Path(sys.argv[1]))
box.start()
print(box.process.pid, flush=True)
sys.stdin.read()
"""
FREEZES = """
import os, sys
from recorder_hung import frozen
from store_full import small_disk
with small_disk(ext4=True) as disk, frozen(disk):
    print(os.minor(disk.stat().st_dev), flush=True)
    sys.stdin.read()
"""


def killed(program: str, *around: str) -> int:
    """Return the number that *program* says; it is killed as soon as it said it."""
    with subprocess.Popen(
        [*around, sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": f"{HERE}:{HERE.parent}"},
        text=True,
    ) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        process.kill()
    return number


def test_recorder_of_a_test_that_is_killed_ends(tmp_path: Path) -> None:
    recorder = killed(RECORDS.replace("sys.argv[1]", repr(str(tmp_path))))
    try:
        wait_for(lambda: None if alive(recorder) else True)
    finally:
        with suppress(ProcessLookupError):
            os.kill(recorder, signal.SIGKILL)


@pytest.mark.skipif(
    bool(recorder_hung.no_freezing()), reason=recorder_hung.no_freezing()
)
def test_disk_that_a_killed_test_froze_thaws() -> None:
    loop = killed(FREEZES, "unshare", "-m")
    medium = Path(f"/sys/dev/block/7:{loop}/loop/backing_file")
    wait_for(lambda: None if medium.exists() else True)


def test_process_that_nobody_reaps_is_not_alive() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not alive(process.pid)
