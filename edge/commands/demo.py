"""
`edge demo`: the whole box on a laptop, with a drawn patient and a simulated board.

Everything else is the product: the recorder, the vision process with the real model,
the serial code on a real pseudo-terminal, the database, the page.
"""

import argparse
import contextlib
import ctypes
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

from edge import commands, config
from edge.control import Client
from edge.database.folder import FolderLock
from edge.errors import ConfigError, ControlError, EdgeError
from edge.history import History
from edge.join.rows import joined_rows
from edge.records import BoxNs, BoxState

START_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0
TURN_S = 0.1

Part = subprocess.Popen[bytes]
"""One of the commands that the demo is made of."""

SETTINGS = """\
# Written by `edge demo`; see config/edge.toml for what every key means.
[box]
data_dir = "."
subject = "demo"
[camera]
source = "synthetic"
device = "{device}"
[ecg]
source = "serial"
port = "ecg-board" # beside this file
board = "openbci-cyton"
leads = ["I", "II", "III"]
latency_ms = 2.9 # 33 bytes at 115,200 bit/s
[store]
capacity_gb = 0.5
[web]
port = {port}
"""


FLASH_PERIOD_S = 1.0412
"""No multiple of a usual frame period, so that frames fall on all parts of a pulse."""


def lamp(delay_ms: float | None) -> str:
    """Return the camera's options for a lamp that follows the pulses, or none."""
    if delay_ms is None:
        return ""
    epoch_ns = round(delay_ms * 1_000_000)
    return f"flash_period_s={FLASH_PERIOD_S} flash_epoch_ns={epoch_ns}"


class Summary(NamedTuple):
    """What one run of the demo recorded."""

    frames: int
    poses: int
    samples: int
    joined_rows: int
    drops: int
    gaps: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take how long, where, and the page's port."""
    parser.add_argument(
        "--for",
        dest="seconds",
        type=commands.seconds,
        metavar="SECONDS",
        help="stop by itself, and fail if anything is missing; 0: run for ever",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("var/demo"),
        metavar="DIR",
        help="folder of the recording (default %(default)s)",
    )
    parser.add_argument(
        "--port", type=commands.port, default=8080, help="of the page; 0: a free one"
    )
    parser.add_argument(
        "--flash",
        type=milliseconds,
        metavar="MS",
        help="for 'edge sync-test': pulses in the ECG, a lamp that follows MS later",
    )


def milliseconds(text: str) -> float:
    """Return by how much the lamp is late, which `edge sync-test` can find."""
    return commands.number(text, -1000, 1000, "is no delay: -1000 to 1000 ms")


def run(arguments: argparse.Namespace) -> int:
    """Record until Ctrl-C or for the time given; 1 if a stream stayed empty."""
    folder = arguments.data.resolve()
    # Not by way of SIGINT, which a shell has a command in the background ignore.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with alone(folder):
        summary = show(folder, arguments)
    print(table(summary))
    return int(0 in summary[:4])


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """
    Make *folder* and keep other demos out of it.

    :raises ConfigError: if it cannot be made
    :raises StoreError: at once, if another demo or a recorder has it
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.callback(FolderLock(folder / "demo").release)
            FolderLock(folder / "recording.db").release()  # our recorder's, in a moment
        except OSError as error:
            raise unusable(folder, error) from error
        yield


def unusable(folder: Path, error: OSError) -> ConfigError:
    """Return what is said of a *folder* that takes no recording."""
    return ConfigError(
        f"cannot use {folder}: {error.strerror}; name another folder with --data"
    )


def show(folder: Path, arguments: argparse.Namespace) -> Summary:
    """Run the whole box in *folder* and return what it recorded."""
    settings_file = folder / "demo.toml"
    port = free_port(arguments.port)
    text = SETTINGS.format(port=port, device=lamp(arguments.flash))
    try:
        settings_file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unusable(folder, error) from error
    settings = config.load(settings_file)
    flash = arguments.flash is not None
    with children(folder, settings_file, settings, flash) as state:
        print(f"Recording. The page: http://127.0.0.1:{port}/", flush=True)
        last = stay(settings, state, arguments.seconds or None)
    return summarise(settings, last)


@contextlib.contextmanager
def children(
    folder: Path, settings_file: Path, settings: config.Settings, flash: bool = False
) -> Iterator[BoxState]:
    """Run board, recorder and page; yield the recorder's first state."""
    link = str(folder / "ecg-board")
    board = ["simulate", "ecg", "--board", settings.ecg.board, "--link", link]
    if flash:
        board += ["--sync-pulse", str(FLASH_PERIOD_S)]
    with contextlib.ExitStack() as stack:
        logs = stack.enter_context((folder / "demo.log").open("w"))
        parts = []
        for command in (
            board,
            ["run", "--config", str(settings_file)],
            ["web", "--config", str(settings_file)],
        ):
            parts.append(start(command, logs))
            stack.callback(stop, parts[-1])
        yield wait_until_up(settings, parts, folder / "demo.log")


def start(command: list[str], log: IO[str]) -> Part:
    """Start one `edge` command that ends with this process, away from the terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "edge", *command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for this process, which stops them in order
        preexec_fn=end_with_parent,
    )


def end_with_parent() -> None:
    """Have the kernel stop this process if its parent is killed."""
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG in linux/prctl.h
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def stop(process: Part) -> None:
    """End *process*, politely first."""
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_up(settings: config.Settings, parts: list[Part], log: Path) -> BoxState:
    """
    Return the first state in which everything runs and the page answers.

    :raises EdgeError: if one of the *parts* has ended, or that takes too long; with
        the end of the log
    """
    client = Client(settings.control_socket)
    deadline = time.monotonic() + START_WITHIN_S
    waiting_for: object = "the recorder"
    while time.monotonic() < deadline and not any(map(has_ended, parts)):
        try:
            state = client.state()
            ailing = [stream for stream in state.streams if stream.state != "ok"]
            if not ailing and page_answers(settings.web.port):
                client.close()
                return state
            waiting_for = [stream.name for stream in ailing] or "the page"
        except ControlError as error:
            waiting_for = error
        time.sleep(TURN_S)
    tail = log.read_text(errors="replace")[-2000:]
    raise EdgeError(f"the demo did not come up: {trouble(parts, waiting_for)}\n{tail}")


def has_ended(part: Part) -> bool:
    """Return whether *part* runs no more."""
    return part.poll() is not None


def trouble(parts: list[Part], waiting_for: object) -> str:
    """Return which of the *parts* have ended, or else what was waited for."""
    ended = [cast(list[str], part.args)[3] for part in parts if has_ended(part)]
    if ended:
        return f"{' and '.join(f'edge {name}' for name in ended)} ended at once"
    return f"waited for {waiting_for}"


def page_answers(port: int) -> bool:
    """Return whether the page is there."""
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with no_proxy.open(f"http://127.0.0.1:{port}/status", timeout=2):
            return True
    except OSError:
        return False


def stay(settings: config.Settings, first: BoxState, seconds: float | None) -> BoxState:
    """Wait for the time or Ctrl-C; return the last state that was heard."""
    client = Client(settings.control_socket)
    deadline = time.monotonic() + (seconds or float("inf"))
    state = first
    with contextlib.suppress(KeyboardInterrupt):
        if seconds is None:
            print("Ctrl-C stops the demo.", flush=True)  # from now on it does
        while time.monotonic() < deadline:
            time.sleep(min(0.5, max(0.0, deadline - time.monotonic())))
            with contextlib.suppress(ControlError):
                state = client.state()
    client.close()
    return state


def summarise(settings: config.Settings, last: BoxState) -> Summary:
    """Return what the recording of this run holds."""
    streams = {stream.name: stream for stream in last.streams}
    begin, end = last.started, BoxNs(last.now + 3600 * 10**9)
    tolerance_ns = round(settings.join.tolerance_ms * 1e6)
    with History(settings.database) as history:
        rows = list(joined_rows(history, begin, end, tolerance_ns))
        chunks = history.chunks(begin, end)
        samples = sum(chunk.counts.size for chunk in chunks if chunk.start >= begin)
        gaps = [event for event in history.events(begin, end) if event.kind == "gap"]
    return Summary(
        frames=max(streams["camera"].received, len(rows)),  # it was asked earlier
        poses=len(rows),
        samples=samples,
        joined_rows=sum(row.sample is not None for row in rows),
        drops=sum(stream.dropped for stream in last.streams),
        gaps=sum(gap.began >= begin for gap in gaps),
    )


def table(summary: Summary) -> str:
    """Return *summary* for people."""
    words = [
        f"{name.replace('_', ' '):12}{count:>10,}"
        for name, count in summary._asdict().items()
    ]
    return "\n".join(words)


def free_port(wanted: int) -> int:
    """Return *wanted*, or another port if somebody listens there."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise EdgeError("no port of this machine is free for the page")
