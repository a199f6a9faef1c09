"""
Tries to break out of a unit's sandbox, and prints what worked, as JSON.

Runs inside the unit, with the system's Python and nothing else. Each attempt is
harmless where it works: it undoes what it did, or lets it end with the container.
"""

import ctypes
import json
import mmap
import os
import resource
import socket
import stat
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
PER_LINUX32 = 0x0008
ADJ_ESTERROR = 0x0008
NETWORK = Path("/etc/edge-rig-network")
RECORDING = Path("/var/lib/ecg-pose-edge/recording.db")


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library; raise OSError where it says -1."""
    result: int = getattr(LIBC, name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return result


def written(path: str) -> None:
    target = Path(path)
    target.write_text("broken")
    target.unlink()


def internet_socket() -> None:
    socket.socket(socket.AF_INET).close()


def packet_socket() -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def netlink_socket() -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


def dial_the_host() -> None:
    """Connect to a port of this machine: the page's."""
    socket.create_connection(("127.0.0.1", 443), timeout=2).close()


def host_network() -> None:
    """Be in the network namespace that a file names."""
    if str(Path("/proc/self/ns/net").readlink()) != NETWORK.read_text().strip():
        raise OSError("in a network of its own")


def write_etc() -> None:
    written("/etc/edge-rig")


def write_usr() -> None:
    written("/usr/lib/edge-rig")


def write_program() -> None:
    written("/opt/ecg-pose-edge/current/edge/rig.py")


def write_boot() -> None:
    Path("/boot").mkdir(exist_ok=True)
    written("/boot/edge-rig")


def write_data() -> None:
    written("/var/lib/ecg-pose-edge/rig")


def read_home() -> None:
    if not list(Path("/root").iterdir()):
        raise OSError("/root looks empty")


def read_shadow() -> None:
    Path("/etc/shadow").read_text()


def shared_tmp() -> None:
    if not Path("/tmp/edge-rig-marker").exists():
        raise OSError("/tmp is another one")


def forbidden_device() -> None:
    os.close(os.open("/dev/net/tun", os.O_RDWR))


def new_device() -> None:
    os.mknod("/var/lib/ecg-pose-edge/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.close(os.open("/var/lib/ecg-pose-edge/null", os.O_RDWR))


def kernel_setting() -> None:
    path = Path("/proc/sys/kernel/domainname")
    path.write_text(path.read_text())


def control_group() -> None:
    Path("/sys/fs/cgroup/edge-rig").mkdir()
    Path("/sys/fs/cgroup/edge-rig").rmdir()


def kernel_log() -> None:
    call("klogctl", 10, None, 0)


def host_name() -> None:
    name = os.uname().nodename.encode()
    call("sethostname", name, len(name))


def ask_the_clock() -> None:
    """Ask the kernel whether a time server disciplines its clock."""
    call("adjtimex", ctypes.create_string_buffer(512))


def set_the_clock() -> None:
    """Set the clock's estimated error, to what it is."""
    state = ctypes.create_string_buffer(512)
    call("adjtimex", state)
    ctypes.c_uint.from_buffer(state).value = ADJ_ESTERROR
    call("adjtimex", state)


def mount() -> None:
    call("mount", b"none", b"/mnt", b"tmpfs", 0, None)
    call("umount2", b"/mnt", 0)


def change_root() -> None:
    call("chroot", b"/")


def mount_namespace() -> None:
    call("unshare", CLONE_NEWNS)


def user_namespace() -> None:
    if os.fork() == 0:
        os._exit(0 if LIBC.unshare(CLONE_NEWUSER) == 0 else ctypes.get_errno())
    status = os.waitstatus_to_exitcode(os.wait()[1])
    if status:
        raise OSError(status, os.strerror(status))


def set_user_id_file() -> None:
    path = Path("/var/tmp/edge-rig-suid")
    path.write_text("")
    try:
        path.chmod(0o4755)
    finally:
        path.unlink()


def writable_code() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def personality() -> None:
    call("personality", PER_LINUX32)


def realtime_priority() -> None:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def other_users_processes() -> None:
    if not Path("/proc/1/status").exists():
        raise OSError("process 1 is invisible")


def trace_a_process() -> None:
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), 19)
        os._exit(0)
    try:
        os.waitpid(child, os.WUNTRACED)
        call("ptrace", 16, child, None, None)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def more_rights() -> None:
    """Gain a capability by running a set-user-id program: none is kept or gained."""
    words = Path("/proc/self/status").read_text().split()
    if int(words[words.index("CapBnd:") + 1], 16) == 0:
        raise OSError("no capability can be had")


def old_system_calls() -> None:
    if Path("/proc/self/status").read_text().split("Seccomp:\t")[1][0] == "0":
        return
    raise OSError("system calls are filtered")


def core_dump() -> None:
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        raise OSError("no core is written")


def record_over() -> None:
    """Change a byte of the recording."""
    with RECORDING.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(first)


def read_recording() -> None:
    with RECORDING.open("rb") as file:
        file.read(1)


def serial_port() -> None:
    os.close(os.open("/dev/ttyECG", os.O_RDWR | os.O_NOCTTY))


def ask_the_recorder() -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/var/lib/ecg-pose-edge/control.sock")


def ask_for_a_drive() -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/run/ecg-pose-edge/drive.sock")


ATTEMPTS = (
    internet_socket,
    packet_socket,
    netlink_socket,
    dial_the_host,
    host_network,
    write_etc,
    write_usr,
    write_program,
    write_boot,
    write_data,
    read_home,
    read_shadow,
    shared_tmp,
    forbidden_device,
    new_device,
    kernel_setting,
    control_group,
    kernel_log,
    host_name,
    ask_the_clock,
    set_the_clock,
    mount,
    change_root,
    mount_namespace,
    user_namespace,
    set_user_id_file,
    writable_code,
    personality,
    realtime_priority,
    other_users_processes,
    trace_a_process,
    more_rights,
    old_system_calls,
    core_dump,
    record_over,
    read_recording,
    serial_port,
    ask_the_recorder,
    ask_for_a_drive,
)


def main() -> None:
    """Try everything; print {name: ""} where it worked, {name: why not} elsewhere."""
    found = {}
    for attempt in ATTEMPTS:
        try:
            attempt()
            found[attempt.__name__] = ""
        except (OSError, ValueError) as error:
            found[attempt.__name__] = str(error) or "refused"
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
