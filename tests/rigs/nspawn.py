"""
A Debian root that runs as a container: one command at a time, or booted.

systemd-nspawn wants the unified cgroup tree and a /run of its own; both are
mounted in a mount namespace that ends with the container, as does the overlay that
takes the writes. The machine itself is left as it was.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rigs import roots

ENTER = r"""
set -e
mount -t tmpfs none /run/systemd
umount -R -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$CGROUP" && echo $$ >"/sys/fs/cgroup/$CGROUP/cgroup.procs"
mount -t overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" none "$MERGED"
exec systemd-nspawn --quiet --register=no --keep-unit --directory="$MERGED" "$@"
"""
DEVICE_SANDBOX = ("--system-call-filter=bpf", "--capability=CAP_BPF")
"""Without these two, DeviceAllow= of the units inside is silently not enforced."""


class Container:
    """
    A throw-away container over the kept root *lower*; writes go to *folder*.

    *binds* are files and folders of this machine that show at the same path, or at
    the one after a colon.
    """

    def __init__(self, lower: Path, folder: Path, binds: Sequence[str] = ()) -> None:
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
        self._options = [f"--bind-ro={path}" for path in files]
        self._options += [f"--bind={path}" for path in binds]
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
        options = [*self._options, *settings, "--pipe", f"--user={user}"]
        return subprocess.run(
            self._enter([*options, "bash", "-ec", command]),
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )

    @staticmethod
    def _enter(arguments: Sequence[str]) -> list[str]:
        unshare = ["unshare", "--mount", "--propagation", "private"]
        return [*unshare, "bash", "-c", ENTER, "enter", *arguments]
