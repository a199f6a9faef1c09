"""The serial port on real pseudo-terminals, and names of ports in a made-up /dev."""

import os
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from edge.errors import SourceLost, SourceUnavailable
from edge.sources.ports import find_port, identity, list_ports
from edge.sources.usbserial import open_port


class Pty:
    """A board at the far end of a pseudo-terminal."""

    def __init__(self) -> None:
        self.far, self._near = os.openpty()
        tty.setraw(self._near)
        self.name = os.ttyname(self._near)

    def send(self, data: bytes) -> None:
        os.write(self.far, data)

    def unplug(self) -> None:
        if self.far >= 0:
            os.close(self._near)
            os.close(self.far)
            self.far = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.unplug()


@pytest.fixture
def board() -> Iterator[Pty]:
    with Pty() as board:
        yield board


def plug(root: Path, number: int, board: Pty, serial: str, by_id: bool = True) -> str:
    """Let *board* appear as ttyUSB*number* below *root*; return that device."""
    device = root / f"dev/ttyUSB{number}"
    socket = root / f"sys/devices/usb1/1-{number}"
    interface = socket / f"1-{number}:1.0"
    for folder in (
        interface,
        root / "dev/serial/by-id",
        root / "dev/serial/by-path",
        root / f"sys/class/tty/ttyUSB{number}",
    ):
        folder.mkdir(parents=True, exist_ok=True)
    os.mknod(device) if not device.exists() else None
    (socket / "idVendor").write_text("0403\n")
    (socket / "idProduct").write_text("6001\n")
    if serial:
        (socket / "serial").write_text(f"{serial}\n")
    (root / f"sys/class/tty/ttyUSB{number}/device").symlink_to(interface)
    link(root / f"dev/serial/by-path/usb-0:1.{number}", device)
    if by_id:
        link(root / f"dev/serial/by-id/usb-FTDI_{serial}-if00", device)
    return str(device)


def link(name: Path, target: Path) -> None:
    name.unlink(missing_ok=True)
    name.symlink_to(target)


def test_bytes_come_with_the_instant_they_were_read(board: Pty) -> None:
    import time

    with open_port(board.name, 115_200) as source:
        board.send(b"abc")
        before = time.monotonic_ns()
        chunk = source.read(5.0)
        after = time.monotonic_ns()

    assert chunk is not None
    assert chunk.data == b"abc"
    assert before <= chunk.received <= after


def test_silence_is_none(board: Pty) -> None:
    with open_port(board.name, 115_200) as source:
        assert source.read(0.01) is None


def test_command_reaches_the_board(board: Pty) -> None:
    with open_port(board.name, 115_200) as source:
        source.write(b"b")

        assert os.read(board.far, 10) == b"b"


def test_unplugged_board_is_lost_whatever_is_asked_of_it(board: Pty) -> None:
    with open_port(board.name, 115_200) as source:
        board.unplug()

        with pytest.raises(SourceLost, match="has gone.*plug the board in"):
            source.read(5.0)
        with pytest.raises(SourceLost, match="has gone"):
            source.write(b"b")


def test_closed_port_is_lost_and_closes_twice(board: Pty) -> None:
    source = open_port(board.name, 115_200)
    source.close()
    source.close()

    with pytest.raises(SourceLost):
        source.read(0.0)


def test_port_is_ours_alone_until_it_is_closed(board: Pty) -> None:
    with (
        open_port(board.name, 115_200),
        pytest.raises(SourceUnavailable, match="another program has it open"),
    ):
        open_port(board.name, 115_200)
    open_port(board.name, 115_200).close()


def test_address_without_a_file_works_too() -> None:
    with open_port("loop://", 115_200) as source:
        source.write(b"hello")
        chunk = source.read(1.0)

        assert chunk is not None
        assert chunk.data == b"hello"
        assert source.read(0.0) is None


@pytest.mark.parametrize(
    ("port", "mend"),
    [
        ("/dev/no-such-port", "plug the board in"),
        ("/dev/serial/by-id/no-such-*", "plug the board in"),
        ("/dev/null", "check ecg.port"),
        ("bogus://", "check ecg.port"),
    ],
)
def test_port_that_cannot_be_opened_names_the_mend(port: str, mend: str) -> None:
    with pytest.raises(SourceUnavailable, match=mend):
        open_port(port, 115_200)


def test_board_keeps_its_name_under_another_number(tmp_path: Path, board: Pty) -> None:
    plug(tmp_path, 0, board, "A1")
    device = plug(tmp_path, 3, board, "B2")

    found = find_port("/dev/serial/by-id/usb-FTDI_B2-if00", tmp_path)
    assert found.device == device
    assert identity(Path(device), tmp_path) == "0403:6001 B2"
    assert [Path(port.name).name for port in list_ports(tmp_path)] == [
        "usb-FTDI_A1-if00",
        "usb-FTDI_B2-if00",
    ]
