"""`edge simulate`: a part that is not there, for a laptop and for tests."""

import argparse
import re
import signal
import sys
import threading
from pathlib import Path

from edge import commands
from edge.errors import ConfigError, EdgeError
from edge.pulses import Pulses, every
from edge.simulator import FTDI_BURST_MS, SimulatedBoard
from edge.simulator.encoders import WIRES
from edge.worker import Ending


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `edge simulate`."""
    parser.add_argument("part", choices=["ecg"], help="ecg: a board on a serial port")
    add = parser.add_argument
    add("--board", choices=sorted(WIRES), default="openbci-cyton")
    add("--link", type=Path, required=True, help="name of the serial port to make")
    add("--rate", type=float, default=0.0, metavar="HZ", help="0: the board's own")
    add("--baud", type=int, default=0, help="0: the board's own")
    add("--seed", type=int, default=1, help="which patient")
    add("--burst-ms", type=float, default=FTDI_BURST_MS, help="default: %(default)s")
    add("--drift-ppm", type=float, default=0.0, help="the board's clock is fast by it")
    add("--loss", type=float, default=0.0, metavar="SHARE", help="packets lost, 0 to 1")
    add("--obey", action="store_true", help="wait for b, stop at s, reset at v")
    add("--truth", type=Path, metavar="FILE", help="log the true time of every sample")
    add("--sync-pulse", type=_pulses, metavar="S[@NS]", help="a pulse every S seconds"
        " of the monotonic clock, or counted from NS nanoseconds of it")  # fmt: skip
    add(
        "--for",
        type=commands.seconds,
        default=0.0,
        dest="for_s",
        metavar="S",
        help="0: for ever",
    )
    add("--verbs", action="store_true", help="read from standard input what happens to"
        " the board, a line each: unplug, plug [LINK], mute, unmute, stall SECONDS,"
        " babble BYTES, restart")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Be a board until the time is over or a signal comes; leave no link behind."""
    stopping, answering = Ending(), threading.Lock()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, lambda *_: stopping.set())
    board = _board(arguments)
    try:
        board.plug()
        print(f"simulating {arguments.board} on {arguments.link}", flush=True)
        signal.setitimer(signal.ITIMER_REAL, arguments.for_s)
        if arguments.verbs:
            told = board, answering
            threading.Thread(target=_listen, args=told, daemon=True).start()
        board.run(stopping.wait)
    finally:
        board.close()
    answering.acquire()  # for good: nothing may be in mid-print when Python ends
    print(", ".join(f"{n} {name}" for name, n in board.tally._asdict().items()))
    return 0


def _board(arguments: argparse.Namespace) -> SimulatedBoard:
    return SimulatedBoard(
        arguments.link,
        arguments.board,
        rate_hz=arguments.rate,
        baud=arguments.baud,
        seed=arguments.seed,
        burst_ms=arguments.burst_ms,
        drift_ppm=arguments.drift_ppm,
        loss=arguments.loss,
        obey=arguments.obey,
        sync=arguments.sync_pulse,
        truth=arguments.truth,
    )


def _listen(board: SimulatedBoard, answering: threading.Lock) -> None:
    """
    Do to *board* what the lines of standard input say; answer each with a line, under
    the lock *answering*.
    """
    # Not sys.stdin, which Python closes as it ends, though this thread still reads.
    with open(sys.stdin.fileno(), closefd=False) as lines:
        for line in lines:
            try:
                happen(board, *line.split())
                answer = "done"
            except (EdgeError, TypeError, ValueError) as error:
                answer = f"not done: {error}"
            with answering:
                print(answer, flush=True)


def happen(board: SimulatedBoard, verb: str = "", *words: str) -> None:
    """
    Do to *board* what *verb* says.

    :raises ValueError: if there is no such verb, or a word is not what it needs
    """
    match verb, *words:
        case ("unplug",):
            board.unplug()
        case "plug", *link:
            board.plug(Path(" ".join(link)) if link else None)
        case ("mute",):
            board.mute()
        case ("unmute",):
            board.mute(False)
        case "stall", length_s:
            board.stall(float(length_s))
        case "babble", count:
            board.babble(int(count))
        case ("restart",):
            board.restart()
        case _:
            raise ValueError(f"cannot {' '.join([verb, *words])!r}")


def _pulses(text: str) -> Pulses | None:
    """Return the schedule that ``5`` or ``5@120000000000`` means."""
    period, _, epoch = text.partition("@")
    period_s = commands.number(period, 0, 1e6, "is no period in seconds")
    if not re.fullmatch(r"[0-9]{0,18}", epoch):
        raise argparse.ArgumentTypeError(f"{epoch} is no instant in nanoseconds")
    try:
        return every(period_s, epoch_ns=int(epoch or 0))
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
