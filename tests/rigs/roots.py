"""
Debian roots to test in, made once by mmdebstrap and kept in the cache folder.

A test gets a throw-away overlay; the kept root is never written to. What this
machine needs to reach a package index stays outside the project: variables named
PIP_…, …_CERT_… and …_proxy are handed on, and the files they name are bound.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
CLONE = "git -c advice.detachedHead=false clone -q /project.bundle"
"""Makes a clone of the commit that `bundle` keeps, in the folder named after it."""
CLEAN = ("git", "python3", "ca-certificates")
"""What a fresh Debian is given before the project's own commands run."""

HANDED_ON = re.compile(r"PIP_\w+|SSL_CERT_FILE|\w*_CA_BUNDLE|\w+_proxy", re.IGNORECASE)
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
"""What every installer writes, and mmdebstrap does not."""
BUILD_TIMEOUT_S = 3600
"""A minute on a quiet machine, ten under emulation, more beside others' work."""


EMULATOR = "qemu-aarch64-static"
EMULATED_CPU = "cortex-a72"
EMULATED_CPUINFO = Path(__file__).parent / "cpuinfo-pi4"
"""A Raspberry Pi 4. The model's runtime reads /proc/cpuinfo, where the emulator leaves
what this machine has, and dies of it."""

EMULATE = r"""
set -e
binfmt=/proc/sys/fs/binfmt_misc
[ -e $binfmt/register ] || mount -t binfmt_misc none $binfmt
grep -qs . $binfmt/*aarch64* || printf '%s' ":edge-aarch64:M::\
\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\
\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:\
$(command -v qemu-aarch64-static):OCF" >$binfmt/register
exec "$@"
"""
"""Runs a command where the kernel knows what to do with arm64 programs; where nobody
has told it, it forgets with the mount namespace (kernel, admin-guide/binfmt-misc)."""


def marks(rig: str, timeout_s: int, *tools: str) -> list[pytest.MarkDecorator]:
    """Return the marks of tests that `scripts/test --rig` *rig* alone runs."""
    why_not = missing(*tools)
    return [
        pytest.mark.skipif(
            os.environ.get("EDGE_RIG") != rig, reason=f"run by scripts/test --rig {rig}"
        ),
        pytest.mark.skipif(bool(why_not), reason=why_not),
        pytest.mark.timeout(timeout_s),
    ]


def missing(*tools: str) -> str:
    """Return what keeps a rig from running here, or ""."""
    if os.geteuid() != 0:
        return "root is needed for containers"
    absent = [tool for tool in ("mmdebstrap", "unshare", *tools) if not _which(tool)]
    if absent:
        return "not installed: " + ", ".join(absent)
    mount = ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none"]
    tried = subprocess.run(
        [*mount, "/mnt"], capture_output=True, text=True, check=False
    )
    return (
        "" if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"
    )


def cache() -> Path:
    """Return the folder that outlives a test run: roots, images, pip's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "ecg-pose-edge" / "rigs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def root(
    suite: str,
    packages: Sequence[str] = CLEAN,
    arch: str = "",
    before: str = "",
) -> Path:
    """
    Return the folder of a minimal Debian *suite* that holds *packages*.

    *before* is a shell command that prepares the root ``$1`` for them. Built on first
    use (about half a minute); two test processes build it once.
    """
    parts = repr((sorted(packages), arch, before))
    wanted = hashlib.sha256(parts.encode()).hexdigest()[:12]
    folder = cache() / f"{suite}{'-' + arch if arch else ''}-{wanted}"
    with (cache() / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _build(suite, packages, arch, before, folder)
    return folder


def _build(
    suite: str, packages: Sequence[str], arch: str, before: str, folder: Path
) -> None:
    part = folder.with_suffix(".part")
    if part.exists():
        shutil.rmtree(part)
    command = ["nice", "mmdebstrap", "--quiet", "--variant=minbase"]
    command += ["--include=" + ",".join(packages)]
    command += [f"--arch={arch}"] if arch else []
    command += [f"--essential-hook={before}"] if before else []
    command += [suite, str(part)]
    if mirror := os.environ.get("EDGE_RIG_MIRROR"):
        command.append(mirror)
    if arch:
        command = emulated(command)
    subprocess.run(command, check=True, timeout=BUILD_TIMEOUT_S)
    (part / "etc/hosts").write_text(HOSTS)
    part.rename(folder)


def emulated(command: Sequence[str]) -> list[str]:
    """Return *command* as it runs where arm64 programs do."""
    namespace = ["unshare", "--mount", "--propagation", "private"]
    return [*namespace, "bash", "-c", EMULATE, "emulate", *command]


def handed_on() -> tuple[dict[str, str], list[Path]]:
    """Return the variables a root needs to reach a package index, and their files."""
    variables = {k: v for k, v in os.environ.items() if HANDED_ON.fullmatch(k)}
    files = {Path(v) for v in variables.values() if v.startswith("/")}
    return variables, sorted(path for path in files if path.is_file())


def bundle(folder: Path) -> Path:
    """Write the project's present commit as one file that git can clone from."""
    path = folder / "project.bundle"
    subprocess.run(
        ["git", "-C", PROJECT, "bundle", "create", "--quiet", path, "HEAD"], check=True
    )
    return path


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def wheels(architecture: str = "x86_64") -> Path:
    """Return a folder of what pip would fetch, filled by the project's own command."""
    locks = [PROJECT / f"requirements{part}.lock" for part in ("", "-video")]
    lock = b"".join(path.read_bytes() for path in locks)
    name = f"wheels-{architecture}-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder = cache() / name
    if not folder.is_dir():
        part = folder.with_suffix(".part")
        install = str(PROJECT / "scripts/install")
        command = [install, "--prepare", str(part), architecture]
        subprocess.run(command, check=True, timeout=BUILD_TIMEOUT_S)
        part.rename(folder)
    return folder
