"""
`edge record-session`: keep what arrives, byte for byte, so that it can be replayed.

Not while the recorder runs: the port belongs to one program.
"""

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

from edge import config
from edge.commands import seconds, take_config
from edge.errors import ConfigError, SourceEnded, SourceError
from edge.protocols.configured import decoder_of
from edge.records import MonotonicNs
from edge.sources import EcgSource, open_ecg, open_frames
from edge.sources.recording import FrameLog, SerialLog, serial_path, write_settings
from edge.sources.starting import Starter
from edge.worker import Ending

REOPEN_S = 0.5
READ_S = 0.1
WARNING = (
    "Pictures are being kept: whoever can read the folder sees the person in them. "
    "Delete it when it has served."
)


class Session:
    """One recording in the making."""

    def __init__(self, settings: config.Settings, folder: Path) -> None:
        self.stopping = Ending()
        self.failed = False
        self.bytes = self.frames = self.parts = 0
        self._settings = settings
        self._folder = folder
        self._decoder = decoder_of(settings.ecg)  # tells whether the board sends

    def record_serial(self) -> None:
        """Keep the bytes of the ECG port until stopped; a lost port is waited for."""
        ecg = self._settings.ecg
        identity = ""
        while not self.stopping.is_set():
            try:
                with open_ecg(ecg, self._decoder.board.baud, identity) as source:
                    identity = source.identity
                    self.parts += 1
                    self._keep(source, serial_path(self._folder, self.parts))
            except SourceEnded:
                self.stopping.set()
            except SourceError as error:
                print(f"ecg: {error}", file=sys.stderr)
                self.stopping.wait(REOPEN_S)
            except OSError as error:
                self._full(error)

    def _keep(self, source: EcgSource, path: Path) -> None:
        decoder = self._decoder
        decoder.restart()
        with SerialLog(path) as log:
            starter = Starter(source, decoder.board.start_command, now())
            while not self.stopping.is_set():
                if chunk := source.read(READ_S):
                    log.append(chunk)
                    self.bytes += len(chunk.data)
                    decoder.feed(chunk.data)
                starter.follow(chunk, decoder.tally.packets, now())

    def record_frames(self) -> None:
        """Keep the pictures of the camera until stopped."""
        try:
            with (
                open_frames(self._settings.camera) as source,
                FrameLog(self._folder) as log,
            ):
                while not self.stopping.is_set():
                    if frame := source.read(READ_S):
                        log.append(frame)
                        self.frames += 1
        except SourceError as error:
            print(f"camera: {error}; no more pictures", file=sys.stderr)
        except OSError as error:
            self._full(error)

    def _full(self, error: OSError) -> None:
        """Stop, since the folder takes no more; what is in it is good."""
        print(f"cannot write to {self._folder}: {error.strerror}", file=sys.stderr)
        self.failed = True
        self.stopping.set()


def now() -> MonotonicNs:
    """Return the present instant."""
    return MonotonicNs(time.monotonic_ns())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the folder to make, and what to keep in it."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    take_config(parser)
    parser.add_argument(
        "--for", type=seconds, default=0.0, dest="for_s", metavar="S",
        help="0: for ever",
    )  # fmt: skip
    parser.add_argument("--pictures", action="store_true", help="keep pictures too")


def run(arguments: argparse.Namespace) -> int:
    """Record until the time is over or a signal comes; 0 if anything arrived."""
    settings = config.load(arguments.config)
    began_ns = time.monotonic_ns()
    session = Session(settings, make_folder(arguments.folder, settings, began_ns))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: session.stopping.set())
    works = [session.record_serial] if settings.ecg.source != "none" else []
    if arguments.pictures:
        print(WARNING, file=sys.stderr)
        works.append(session.record_frames)
    threads = [threading.Thread(target=work, name=work.__name__) for work in works]
    for thread in threads:
        thread.start()
    session.stopping.wait(arguments.for_s or None)
    session.stopping.set()
    for thread in threads:
        thread.join()
    print(
        f"{arguments.folder}: {session.bytes} bytes of {settings.ecg.board} in "
        f"{session.parts} parts, {session.frames} pictures"
    )
    return int(session.failed or session.bytes + session.frames == 0)


def make_folder(folder: Path, settings: config.Settings, began_ns: int) -> Path:
    """
    Return the new *folder* with what a replay needs to know.

    :raises ConfigError: if it is there already, or cannot be made
    """
    try:
        folder.mkdir(parents=True, mode=0o700)
        write_settings(
            folder,
            {
                "board": settings.ecg.board,
                "columns": settings.ecg.columns,
                "began_ns": began_ns,
            },
        )
    except OSError as error:
        raise ConfigError(
            f"cannot make {folder}: {error.strerror}; name another folder"
        ) from error
    return folder
