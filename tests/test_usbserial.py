"""The serial port on real pseudo-terminals, and names of ports in a made-up /dev."""

import errno
import fcntl
import hashlib
import os
import random
import statistics
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from edge.errors import SourceLost, SourceUnavailable
from edge.sources.ports import find_port, identity, list_ports
from edge.sources.usbserial import open_port

TIOCGEXCL = 0x80045440  # Linux, tty_ioctl(2)


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


def test_port_that_the_sandbox_refuses_names_the_mend(
    board: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd's DeviceAllow= says EPERM, where rights of the file say EACCES."""

    def refuse(path: object, flags: int) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr("serial.serialposix.os.open", refuse)
    with pytest.raises(SourceUnavailable, match="boards on USB alone"):
        open_port(board.name, 115_200)


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


def test_second_name_for_the_same_board_is_no_second_board(
    tmp_path: Path, board: Pty
) -> None:
    device = plug(tmp_path, 0, board, "A1")
    link(tmp_path / "dev/serial/by-id/usb-FTDI_again-if00", Path(device))

    assert find_port("/dev/serial/by-id/*", tmp_path).device == device


def test_several_boards_behind_one_name_are_named(tmp_path: Path, board: Pty) -> None:
    plug(tmp_path, 0, board, "A1")
    plug(tmp_path, 1, board, "B2")

    with pytest.raises(SourceUnavailable, match="FTDI_A1-if00.*FTDI_B2-if00.*ecg.port"):
        find_port("/dev/serial/by-id/*", tmp_path)


def test_name_that_leads_nowhere_is_an_absent_board(tmp_path: Path, board: Pty) -> None:
    Path(plug(tmp_path, 0, board, "A1")).unlink()
    plug(tmp_path, 1, board, "B2")

    with pytest.raises(SourceUnavailable, match="plug the board in.*FTDI_B2-if00"):
        find_port("/dev/serial/by-id/usb-FTDI_A1-if00", tmp_path)


def test_name_that_cannot_be_followed_is_an_absent_board(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/loop").symlink_to(tmp_path / "dev/loop")
    (tmp_path / "dev/long").symlink_to("x" * 300)

    for name in ("/dev/loop", "/dev/long", "/dev/**x", "/dev/" + "y" * 300):
        with pytest.raises(SourceUnavailable, match="ecg.port|plug the board in"):
            find_port(name, tmp_path)


def test_boards_without_serial_number_are_told_apart_by_their_socket(
    tmp_path: Path, board: Pty
) -> None:
    """Both want the same link in by-id; the one that came last has it."""
    plug(tmp_path, 0, board, "", by_id=False)
    device = plug(tmp_path, 1, board, "")

    with pytest.raises(SourceUnavailable, match="usb-0:1.0, .*usb-0:1.1"):
        find_port("/dev/serial/by-id/usb-FTDI_-if00", tmp_path)
    assert find_port("/dev/serial/by-path/usb-0:1.1", tmp_path).device == device
    assert [Path(port.name).name for port in list_ports(tmp_path)] == [
        "usb-0:1.0",
        "usb-0:1.1",
    ]


def test_board_with_two_interfaces_has_two_identities(tmp_path: Path) -> None:
    for number in (0, 1):
        interface = tmp_path / f"sys/devices/usb1/1-1/1-1:1.{number}"
        interface.mkdir(parents=True)
        (interface / "bInterfaceNumber").write_text(f"0{number}\n")
        tty_folder = tmp_path / f"sys/class/tty/ttyACM{number}"
        tty_folder.mkdir(parents=True)
        (tty_folder / "device").symlink_to(interface)
    (tmp_path / "sys/devices/usb1/1-1/idVendor").write_text("0403\n")
    (tmp_path / "sys/devices/usb1/1-1/idProduct").write_text("6010\n")

    assert identity(Path("/dev/ttyACM0"), tmp_path) == "0403:6010 if00"
    assert identity(Path("/dev/ttyACM1"), tmp_path) == "0403:6010 if01"


def test_another_board_in_its_place_is_refused_by_both_names(tmp_path: Path) -> None:
    rng = random.Random(3)
    print("seed 3")
    for _ in range(100):
        root = tmp_path / rng.randbytes(8).hex()
        with Pty() as first, Pty() as second:
            swapped = rng.random() < 0.5
            plug(root, int(swapped), first, "A1")
            plug(root, int(not swapped), second, "B2")
            by_path, by_id = "/dev/serial/by-path/usb-0:1.0", "usb-FTDI_A1-if00"

            found = find_port(f"/dev/serial/by-id/{by_id}", root)
            assert found.identity == "0403:6001 A1"
            assert Path(found.device).name == f"ttyUSB{int(swapped)}"
            if swapped:
                with pytest.raises(
                    SourceUnavailable, match="is now 0403:6001 B2, it was 0403:6001 A1"
                ):
                    open_port(by_path, 115_200, "0403:6001 A1", root)
            else:
                link(root / "dev/ttyUSB0", Path(first.name))
                assert find_port(by_path, root).device == first.name


def test_hundred_losses_are_seen_and_mended(tmp_path: Path) -> None:
    """Each time the board returns under another number; its name in by-id stays."""
    name = "/dev/serial/by-id/usb-FTDI_A1-if00"
    returns_ms = []
    absent_ms = []
    for cycle in range(100):
        if cycle == 1:  # the first one has loaded what is loaded once
            before = open_files(), threading.active_count()
        with Pty() as board:
            real = tmp_path / f"dev/ttyUSB{cycle}"
            real.parent.mkdir(exist_ok=True)
            link(real, Path(board.name))
            (tmp_path / "dev/serial/by-id").mkdir(parents=True, exist_ok=True)
            link(tmp_path / name.lstrip("/"), real)
            began = time.monotonic()
            with open_port(name, 115_200, root=tmp_path) as source:
                board.send(b"x" * 33)
                chunk = source.read(5.0)
                returns_ms.append((time.monotonic() - began) * 1e3)
                assert chunk is not None
                assert chunk.data == b"x" * 33
                board.unplug()
                with pytest.raises(SourceLost):
                    source.read(5.0)
        real.unlink()
        cpu = time.process_time()
        with pytest.raises(SourceUnavailable, match="plug the board in"):
            open_port(name, 115_200, root=tmp_path)
        absent_ms.append((time.process_time() - cpu) * 1e3)
    after = open_files(), threading.active_count()

    print(f"first bytes {max(returns_ms):.1f} ms after the return at the latest")
    print(f"{statistics.median(absent_ms):.2f} ms of processor a try while absent")
    print(f"open files and threads: {before} before, {after} after")
    assert after == before


def test_waiting_for_a_silent_board_takes_no_processor(board: Pty) -> None:
    with open_port(board.name, 115_200) as source:
        before = time.process_time()
        for _ in range(5):
            assert source.read(0.1) is None
        took = time.process_time() - before

    print(f"{took * 1e3:.2f} ms of processor in 500 ms of silence")
    assert took < 0.1


def test_babble_arrives_in_pieces_and_whole(board: Pty) -> None:
    sent = random.Random(4).randbytes(2_000_000)

    def babble() -> None:
        for at in range(0, len(sent), 4096):
            board.send(sent[at : at + 4096])

    far = threading.Thread(target=babble)
    received = 0
    sums = hashlib.sha256()
    with open_port(board.name, 3_000_000) as source:
        far.start()
        while received < len(sent):
            chunk = source.read(5.0)
            assert chunk is not None
            assert len(chunk.data) <= 65_536
            received += len(chunk.data)
            sums.update(chunk.data)
        far.join()

    assert sums.digest() == hashlib.sha256(sent).digest()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_killed_reader_keeps_no_successor_out_of_a_pseudo_terminal(board: Pty) -> None:
    """The mark for exclusive use would stay on it, since its far end stays open."""
    port = open_port(board.name, 115200)
    assert port._file is not None
    exclusive = fcntl.ioctl(port._file, TIOCGEXCL, b"\0" * 4)
    port.close()

    assert exclusive == b"\0" * 4


def test_folder_of_names_that_vanishes_meanwhile_is_a_board_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """udev removes /dev/serial/by-id with the last board in it."""
    gone = FileNotFoundError(2, "No such file or directory", "/dev/serial/by-id")

    def vanished(folder: Path, pattern: str) -> Iterator[Path]:
        raise gone
        yield folder

    monkeypatch.setattr(Path, "glob", vanished)
    for name in ("/dev/serial/by-id/usb-A", "/dev/serial/by-id/*"):
        with pytest.raises(SourceUnavailable, match="plug the board in"):
            find_port(name, tmp_path)


def test_name_that_vanishes_while_it_is_followed_is_passed_over(
    tmp_path: Path, board: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = plug(tmp_path, 0, board, "A1")
    follow = Path.resolve

    def resolve(path: Path, strict: bool = False) -> Path:
        if path.is_symlink():
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return follow(path, strict)

    with monkeypatch.context() as pulled:
        pulled.setattr(Path, "resolve", resolve)
        assert [port.name for port in list_ports(tmp_path)] == [device]
