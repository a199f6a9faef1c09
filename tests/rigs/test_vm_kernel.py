"""What a kernel of its own shows: hardware watchdog and limits of memory."""

import shlex
import time
from pathlib import Path

from rigs.disk import Disk
from rigs.qemu import Machine
from rigs.vm import MARKS, SLOW, saved_more

pytestmark = MARKS


def test_hung_kernel_is_reset_by_the_watchdog(disk: Disk, tmp_path: Path) -> None:
    options = ["-device", "i6300esb", "-action", "watchdog=poweroff"]
    with Machine(disk, disk.machine(tmp_path), options) as machine:
        machine.booted()
        machine.sh("until [ -e /dev/watchdog0 ]; do sleep 1; done")
        machine.sh("systemctl daemon-reexec", 60 * SLOW)
        doctor = machine.run("edge doctor", 60 * SLOW)[1]
        assert "the hardware watchdog is running" in doctor
        machine.sh("echo 0 >/proc/sys/kernel/panic")
        machine.tell("echo c >/proc/sysrq-trigger")
        hung = time.monotonic()
        machine.process.wait(60 * SLOW)
        print(f"reset {time.monotonic() - hung:.0f} s after the kernel hung")


def test_memory_hog_beside_the_recorder_costs_no_ecg(machine: Machine) -> None:
    """A child of the recorder is killed for its memory; the recorder goes on."""
    machine.until(saved_more(0), 60 * SLOW)
    main = machine.sh("systemctl show -P MainPID edge.service")
    group = "/sys/fs/cgroup/system.slice/edge.service"
    machine.sh("systemctl set-property --runtime edge.service MemoryMax=400M")
    hog = f"echo $$ >{group}/cgroup.procs; exec python3 -c 'bytearray(900 << 20)'"
    code, _ = machine.run(f"bash -c {shlex.quote(hog)}", 60 * SLOW)
    count = machine.until(lambda state: True, 10 * SLOW)["saved"]["samples"]
    machine.until(saved_more(count), 10 * SLOW)

    assert code != 0
    assert "oom_kill 0" not in machine.sh(f"cat {group}/memory.events")
    assert machine.sh("systemctl show -P MainPID edge.service") == main
