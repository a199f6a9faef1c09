"""
A Debian machine with a kernel of its own, emulated by QEMU.

For what a container cannot be: USB that is plugged and pulled, kernel drivers for
drives, serial adapters and cameras, a wall clock to set, a power supply to cut.
Emulated in software, so that any machine will do; times are about ten times a real
box's.
"""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from rigs.disk import Disk

CPUS = os.environ.get("EDGE_RIG_CPUS", "2")
"""Processors of the machine inside; one leaves more of this one to others."""

KERNEL = "quiet mitigations=off no_timer_check panic=-1"
"""On a busy machine the kernel doubts its timer; a panic ends the machine at once."""

BOOT_WITHIN_S = 600.0
"""Twelve seconds on a quiet machine; more where others work on it too."""

GRACE_S = 120.0
"""How long after a command should be over its answer is waited for."""


TOOLS = ("systemd-nspawn", "qemu-system-x86_64", "qemu-img", "mke2fs")


class Machine:
    """
    A running machine on the disks in *folder*, which outlive it.

    *options* are QEMU's, *words* go to the kernel's command line.
    """

    def __init__(
        self, made: Disk, folder: Path, options: Sequence[str] = (), words: str = ""
    ) -> None:
        self._folder = folder
        self._sockets: list[socket.socket] = []
        self._told: set[tuple[str, str]] = set()  # events of QEMU, and of which device
        command = [
            "setpriv", "--pdeathsig", "KILL",  # it ends with us, however we end
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-m", "1024", "-smp", CPUS, "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", str(made.kernel), "-initrd", str(made.initrd), "-append",
            f"root=/dev/vda rw console=ttyS0 {KERNEL} {words}",
            "-drive", f"file={folder / 'system.qcow2'},if=virtio,format=qcow2",
            "-drive", f"file={folder / 'data.raw'},if=virtio,format=raw",
            "-serial", f"file:{self._folder / 'console.log'}",
            "-device", "virtio-serial-pci", "-device", "virtio-rng-pci",
            "-device", "qemu-xhci,id=usb",
            "-chardev", f"socket,id=rig,path={self._at('rig')},server=on,wait=off",
            "-device", "virtserialport,chardev=rig,name=rig",
            "-qmp", f"unix:{self._at('qmp')},server=on,wait=off",
            *options,
        ]  # fmt: skip
        self._log = (self._folder / "qemu.log").open("a")
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self._qmp = self._connect("qmp")
        self._qmp.readline()
        self.qmp("qmp_capabilities")
        self._agent = self._connect("rig")
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.cut()

    def booted(self) -> Self:
        """Wait until the agent inside answers."""
        self._sockets[-1].settimeout(BOOT_WITHIN_S)
        try:
            said = self._agent.readline()
        except TimeoutError:
            said = ""
        assert said == '{"ready": true}\n', self.console()
        return self

    def sh(self, command: str, timeout_s: float = 120) -> str:
        """Run the shell *command* as root inside and return its output."""
        code, output = self.run(command, timeout_s)
        assert code == 0, f"{command}: {code}\n{output}"
        return output.strip()

    def run(self, command: str, timeout_s: float = 120) -> tuple[int, str]:
        """Run the shell *command* as root inside; return its code and output."""
        self._sockets[-1].settimeout(timeout_s + GRACE_S)
        answer = self._request({"sh": command, "timeout_s": timeout_s})
        return int(answer["code"]), str(answer["output"])

    def tell(self, command: str) -> None:
        """Run the shell *command* as root inside, which gives no answer."""
        self._send({"sh": command, "timeout_s": 60})

    def state(self) -> dict[str, Any]:
        """Return what the recorder says of itself, or ``{"error": …}``."""
        return self.ask("state")

    def ask(self, do: str, **request: object) -> dict[str, Any]:
        """Return the recorder's answer to the request *do*, or ``{"error": …}``."""
        return self._request({"ask": {"do": do, **request}})

    def uptime_s(self) -> float:
        """Return the seconds since the kernel began."""
        return float(self.sh("cat /proc/uptime").split()[0])

    def plug(self, driver: str, name: str, **properties: object) -> None:
        """Plug the device *driver* into USB as *name*."""
        self.qmp("device_add", driver=driver, id=name, bus="usb.0", **properties)

    def unplug(self, name: str) -> None:
        """Pull the device *name*; return once it has gone."""
        self.qmp("device_del", id=name)
        while ("DEVICE_DELETED", name) not in self._told:
            self._told.add(told(json.loads(self._qmp.readline())))
        self._told.clear()

    def until(self, fine: Callable[[dict[str, Any]], bool], within_s: float) -> Any:
        """Return the first state of the recorder that is *fine*."""
        deadline = time.monotonic() + within_s
        while True:
            state = self.state()
            if "error" not in state and fine(state):
                return state
            if time.monotonic() > deadline:
                _, journal = self.run("journalctl -b -u edge -o cat | tail -n 30")
                raise AssertionError(f"not within {within_s} s: {state}\n{journal}")
            time.sleep(0.1)

    def attach(self, image: Path, name: str) -> None:
        """Make *image* known as the block device *name*, for `plug`."""
        file = {"driver": "file", "filename": str(image)}
        self.qmp("blockdev-add", **{"driver": "raw", "node-name": name, "file": file})

    def detach(self, name: str) -> None:
        """Forget the block device *name*, once nothing uses it."""
        self.qmp("blockdev-del", **{"node-name": name})

    def cut(self) -> None:
        """Cut the power. Safe to call twice."""
        self.process.kill()
        self._end()

    def off(self) -> None:
        """Switch off in order."""
        self.tell("systemctl poweroff")
        self.process.wait(120)
        self._end()

    def console(self) -> str:
        """Return the last words of the kernel and of QEMU."""
        words = (self._folder / "console.log").read_text(errors="replace")
        return words[-3000:] + (self._folder / "qemu.log").read_text()[-1000:]

    def qmp(self, execute: str, **arguments: object) -> dict[str, Any]:
        """Give QEMU a command and return its answer."""
        self._qmp.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
        self._qmp.flush()
        while True:
            answer: dict[str, Any] = json.loads(self._qmp.readline())
            self._told.add(told(answer))
            assert "error" not in answer, answer
            if "return" in answer:
                return answer

    def _request(self, request: dict[str, object]) -> dict[str, Any]:
        self._send(request)
        said = self._agent.readline()
        assert said, f"the machine has ended: {self.console()}"
        answer: dict[str, Any] = json.loads(said)
        return answer

    def _send(self, request: dict[str, object]) -> None:
        self._agent.write(json.dumps(request) + "\n")
        self._agent.flush()

    def _at(self, name: str) -> Path:
        return self._folder / f"{name}.sock"

    def _connect(self, name: str) -> Any:
        deadline = time.monotonic() + 30
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(GRACE_S)
        self._sockets.append(connection)
        while True:
            try:
                connection.connect(str(self._at(name)))
                return connection.makefile("rw")
            except OSError:
                assert self.process.poll() is None, self.console()
                assert time.monotonic() < deadline, name
                time.sleep(0.05)

    def _end(self) -> None:
        self.process.wait()
        for connection in self._sockets:
            connection.close()
        self._log.close()


def told(message: dict[str, Any]) -> tuple[str, str]:
    """Return the event and the device that a *message* of QEMU tells of."""
    return message.get("event", ""), message.get("data", {}).get("device", "")
