"""The machine that the tests in it share, made once for a test run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.simulator import SimulatedBoard
from rigs.disk import Disk
from rigs.qemu import Machine
from rigs.vm import SETTINGS, plug_board, serial


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """Return a bootable disk with the box installed."""
    return Disk(tmp_path_factory.mktemp("made"), SETTINGS)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBoard]:
    """Return an ECG board at a pseudo-terminal, for QEMU to put behind a USB plug."""
    link = tmp_path_factory.mktemp("board") / "link"
    with SimulatedBoard(link) as board:
        yield board


@pytest.fixture
def machine(disk: Disk, board: SimulatedBoard, tmp_path: Path) -> Iterator[Machine]:
    """Return a booted machine with the board plugged in."""
    with Machine(disk, disk.machine(tmp_path), serial(board)) as machine:
        plug_board(machine)
        yield machine.booted()
