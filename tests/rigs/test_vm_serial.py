"""The FTDI adapter of an ECG board, unplugged and plugged in on a real kernel."""

import time

from rigs.qemu import Machine
from rigs.vm import MARKS, SLOW, ecg_is, plug_board, saved_more

pytestmark = MARKS
TIMES = 5
SEEN_WITHIN_S = BACK_WITHIN_S = 2


def test_board_unplugged_and_replugged(machine: Machine) -> None:
    machine.until(saved_more(0), 60 * SLOW)
    assert "usb-" in machine.sh("ls /dev/serial/by-id")
    for _ in range(TIMES):
        machine.unplug("board")
        pulled = time.monotonic()
        lost = machine.until(ecg_is("lost"), SEEN_WITHIN_S * SLOW)
        print(f"lost is said {time.monotonic() - pulled:.1f} s after it was pulled")
        plug_board(machine)
        back = time.monotonic()
        machine.until(ecg_is("ok"), BACK_WITHIN_S * SLOW)
        print(f"ok is said {time.monotonic() - back:.1f} s after it was back")
        machine.until(saved_more(lost["saved"]["samples"]), BACK_WITHIN_S * SLOW)


def test_udev_makes_the_port_quick_and_ours(machine: Machine) -> None:
    machine.until(saved_more(0), 60 * SLOW)

    timer = "cat /sys/bus/usb-serial/devices/ttyUSB0/latency_timer"
    assert machine.sh(timer) == "1"
    about = machine.sh("udevadm info --query=property --name=/dev/ttyUSB0")
    assert "ID_MM_DEVICE_IGNORE=1" in about
    assert machine.sh("readlink /dev/ecg") == "ttyUSB0"
    assert machine.sh("stat -c %G /dev/ttyUSB0") == "dialout"
