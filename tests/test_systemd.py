"""What the service manager hears, over a real datagram socket."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edge.systemd import ServiceManager, listening_sockets

OTHER_PID = str(os.getpid() + 1)


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(60)
        yield ear


@pytest.fixture
def manager(ear: socket.socket) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": ear.getsockname()})


def test_ready_watchdog_and_stopping_are_one_datagram_each(
    ear: socket.socket, manager: ServiceManager
) -> None:
    manager.ready("recording")
    manager.alive()
    manager.stopping()

    assert [ear.recv(999).decode() for _ in range(3)] == [
        "READY=1\nSTATUS=recording",
        "WATCHDOG=1",
        "STOPPING=1",
    ]
    assert manager.present


def test_status_cannot_smuggle_a_second_message(
    ear: socket.socket, manager: ServiceManager
) -> None:
    manager.ready("board\nSTOPPING=1")

    assert ear.recv(999) == b"READY=1\nSTATUS=board STOPPING=1"


def test_abstract_socket_is_reached() -> None:
    name = f"edge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("\0" + name)
        ear.settimeout(60)
        ServiceManager({"NOTIFY_SOCKET": "@" + name}).ready()
        assert ear.recv(999) == b"READY=1"


@pytest.mark.parametrize("variables", [{}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_manager_nothing_happens(variables: dict[str, str]) -> None:
    manager = ServiceManager(variables)
    manager.ready()
    manager.alive()

    assert not manager.present


def test_manager_that_has_gone_is_survived(
    ear: socket.socket, manager: ServiceManager
) -> None:
    ear.close()

    manager.alive()


def test_manager_that_does_not_read_costs_a_bounded_wait(
    ear: socket.socket, manager: ServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.systemd.SEND_TIMEOUT_S", 0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                other.sendto(b"X=1", ear.getsockname())

    manager.alive()

    assert ear.recv(999) == b"X=1"


def test_listening_sockets_are_those_of_this_process_only() -> None:
    assert listening_sockets({}) == []
    assert listening_sockets({"LISTEN_PID": OTHER_PID, "LISTEN_FDS": "1"}) == []


ACTIVATED = """
import os, sys
from edge.systemd import listening_sockets
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = "2"
first, second = listening_sockets()
assert not os.get_inheritable(first.fileno())
client, _ = second.accept()
client.sendall(str(first.getsockname()[1]).encode())
"""


def test_sockets_are_handed_over_in_order_and_accept() -> None:
    """A child gets two listening sockets at 3 and 4, as systemd passes them."""
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
        _start_with_sockets(first, second) as child,
        socket.create_connection(second.getsockname(), timeout=60) as client,
    ):
        assert int(client.recv(99)) == first.getsockname()[1]
        assert child.wait(60) == 0


def _start_with_sockets(*sockets: socket.socket) -> subprocess.Popen[bytes]:
    """Start ACTIVATED with *sockets* at file numbers 3, 4, …"""
    shell = " ".join(f"{3 + i}<&{s.fileno()}" for i, s in enumerate(sockets))
    return subprocess.Popen(
        ["bash", "-c", f'exec "$0" -c "$1" {shell}', sys.executable, ACTIVATED],
        pass_fds=[s.fileno() for s in sockets],
    )
