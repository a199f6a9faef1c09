"""
A Debian root that runs as a container: one command at a time, or booted.

systemd-nspawn wants the unified cgroup tree and a /run of its own; both are
mounted in a mount namespace that ends with the container, as does the overlay that
takes the writes. The machine itself is left as it was.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rigs import roots

ENTER = r"""
set -e
mount -t tmpfs none /run/systemd
umount -R -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$CGROUP" && echo $$ >"/sys/fs/cgroup/$CGROUP/cgroup.procs"
mount -t overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" none "$MERGED"
exec "$@"
"""
NSPAWN = ("systemd-nspawn", "--quiet", "--register=no", "--keep-unit")
AS_ON_A_BOX = (
    "--system-call-filter=bpf adjtimex clock_adjtime",
    "--capability=CAP_BPF",
)
"""Without bpf, DeviceAllow= of the units inside is silently not enforced; without the
others, systemd-nspawn refuses to say whether the clock is set, whatever a unit may."""


class Container:
    """
    A throw-away container over the kept root *lower*; writes go to *folder*.

    *binds* are files and folders of this machine that show at the same path, or at
    the one after a colon. *emulated* is for a root with arm64 programs.
    """

    def __init__(
        self,
        lower: Path,
        folder: Path,
        binds: Sequence[str] = (),
        emulated: bool = False,
    ) -> None:
        self._emulated = emulated
        variables, files = roots.handed_on()
        self.upper = folder / "upper"
        for path in (self.upper, folder / "work", folder / "merged"):
            path.mkdir(parents=True, exist_ok=True)
        self._environ = {
            **os.environ,
            "CGROUP": f"edge-rig-{os.getpid()}-{id(self)}",
            "LOWER": str(lower),
            "UPPER": str(self.upper),
            "WORK": str(folder / "work"),
            "MERGED": str(folder / "merged"),
        }
        self._spawn = [*NSPAWN, f"--directory={folder / 'merged'}"]
        self._options = [f"--bind-ro={path}" for path in files]
        self._options += [f"--bind={path}" for path in binds]
        if emulated:
            variables["QEMU_CPU"] = roots.EMULATED_CPU
            self._options += [f"--bind-ro={roots.EMULATED_CPUINFO}:/cpuinfo"]
        self._options += [f"--setenv={k}={v}" for k, v in variables.items()]

    def run(
        self,
        command: str,
        *,
        user: str = "root",
        environ: Mapping[str, str] | None = None,
        timeout_s: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Run the shell *command* alone in the container, on this host's network."""
        settings = [f"--setenv={k}={v}" for k, v in (environ or {}).items()]
        if self._emulated:  # systemd-nspawn itself mounts nothing over /proc
            command = f"mount --bind /cpuinfo /proc/cpuinfo\n{command}"
        # As process 2, beside one that buries orphans as every init does.
        options = [*self._options, *settings, "--as-pid2", "--pipe", f"--user={user}"]
        return self._captured(
            [*self._spawn, *options, "bash", "-ec", command], timeout_s
        )

    def sh(self, command: str, timeout_s: float = 600) -> str:
        """Run the shell *command* as root in the container and return its output."""
        done = self.run(command, timeout_s=timeout_s)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout.strip()

    def beside(self, command: str, timeout_s: float = 600) -> str:
        """Run the shell *command* on this machine, with the files at ``$MERGED``."""
        done = self._captured(["bash", "-ec", command], timeout_s)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout.strip()

    def _captured(
        self, command: Sequence[str], timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._enter(command),
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )

    @contextmanager
    def booted(self, *options: str) -> Iterator["Booted"]:
        """
        Boot systemd in the container, without a network, and power it off at the end.

        The sandbox of its units refuses and lets through what it does on a real box.
        """
        boot = [*AS_ON_A_BOX, "--private-network", "--kill-signal=SIGRTMIN+3"]
        console = self.upper.parent / "console.log"
        with console.open("w") as log:
            process = subprocess.Popen(
                self._enter([*self._spawn, *self._options, *boot, *options, "--boot"]),
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                yield Booted(leader(process, console))
            finally:
                process.terminate()  # nspawn asks its systemd to power off
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _enter(self, arguments: Sequence[str]) -> list[str]:
        unshare = ["unshare", "--mount", "--propagation", "private"]
        command = [*unshare, "bash", "-c", ENTER, "enter", *arguments]
        return roots.emulated(command) if self._emulated else command


class Booted:
    """A container whose systemd runs as process *leader* of this machine."""

    def __init__(self, leader: int) -> None:
        self.leader = leader
        self.sh("systemctl is-system-running --wait || true")

    def sh(self, command: str, timeout_s: float = 60) -> str:
        """Run the shell *command* as root inside and return its output."""
        done = self.run(command, timeout_s)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout.strip()

    def run(
        self, command: str, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run the shell *command* as root inside."""
        enter = ["nsenter", f"--target={self.leader}", "--all"]
        clean = ["env", "-i", "HOME=/root", "LANG=C.UTF-8"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.run(
            [*enter, *clean, path, "sh", "-c", f"cd /; {command}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            start_new_session=True,  # a signal to "my group" inside is not for us
        )


def leader(process: subprocess.Popen[bytes], console: Path) -> int:
    """Return the process that is number 1 inside the container of *process*."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, console.read_text()
        for child in children(process.pid):
            status = Path(f"/proc/{child}/status")
            with suppress(OSError):
                inside = re.search(
                    r"^NSpid:.*\s(\d+)$", status.read_text(), re.MULTILINE
                )
                ready = Path(f"/proc/{child}/root/run/systemd/private").exists()
                if inside and inside[1] == "1" and ready:
                    return child
        time.sleep(0.05)
    raise TimeoutError(console.read_text())


def children(process: int) -> list[int]:
    """Return the child processes of *process*."""
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in path.read_text().split()]
