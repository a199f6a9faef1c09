"""The helper that mounts drives, with a tmpfs for the medium; needs root."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.drives import Drive


class Helper:
    """Answers on a socket as `edge.drivehelper` does; what it mounts is kept."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "drive.sock"
        self.point = folder / "drive" / "sda1"
        self.medium = folder / "medium"
        self.options = "nosuid,nodev,noexec"
        self.asked: list[str] = []
        self.refuses = ""
        self.point.mkdir(parents=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def drive(self) -> Drive:
        """The drive that it mounts."""
        device = self.medium.stat().st_dev
        numbers = os.major(device), os.minor(device)
        return Drive("sda1", "stick/1", "STICK", 32 << 20, "vfat", False, numbers, "1")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        while os.path.ismount(self.point):
            subprocess.run(["umount", "-l", self.point], check=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw") as stream:
                request = stream.readline().strip()
                self.asked.append(request)
                stream.write(self._answer(request) + "\n")
                stream.flush()

    def _answer(self, request: str) -> str:
        if self.refuses:
            return f"error {self.refuses}"
        commands: list[list[str | Path]] = [["umount", self.point]]
        if request.startswith("mount"):
            commands = [
                ["mount", "--bind", self.medium, self.point],
                ["mount", "-o", f"remount,bind,{self.options}", self.point],
            ]
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"error {done.stderr.strip()}"
        return f"ok {self.point}"


@contextmanager
def drive_helper(folder: Path, size: str = "32m") -> Iterator[Helper]:
    """Give a helper and a medium of *size* in *folder*, or skip the test."""
    if os.getuid():
        pytest.skip("not root: nothing can be mounted")
    medium = folder / "medium"
    medium.mkdir()
    size_is = f"size={size}"
    command = ["mount", "-t", "tmpfs", "-o", size_is, "medium", str(medium)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    helper = Helper(folder)
    try:
        yield helper
    finally:
        helper.close()
        subprocess.run(["umount", "-l", medium], check=True)
