"""
The recorder as a service: build, start, wait for a signal, stop in reverse order.
"""

import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from edge import config
from edge.control import Server
from edge.errors import StoreError
from edge.export.desk import Desk
from edge.protocols.configured import decoder_of
from edge.recorder import STOP_WITHIN_S, Recorder
from edge.records import MonotonicNs
from edge.requests import handlers
from edge.store import Store
from edge.systemd import ServiceManager
from edge.worker import Ending, Worker

logger = logging.getLogger(__name__)

WATCH_EVERY_S = 1.0
"""The watchdog of edge.service wants to be fed every 3 s (WatchdogSec=)."""


def run(settings: config.Settings) -> int:
    """
    Record until a signal says to stop; return the exit code.

    :raises ConfigError: if the board is not as the settings say
    :raises StoreError: if the data folder cannot be used, or is in use
    :raises ControlError: if there can be no control socket in it
    """
    decoder_of(settings.ecg)
    manager = ServiceManager()
    ending = Ending()
    with signals(ending), ExitStack() as stack:
        store = open_store(settings)
        stack.callback(store.close)
        recorder = Recorder(settings, store, ending)
        recorder.begin()
        desk = open_desk(settings, recorder)
        # What goes wrong with an export is no reason to start recording anew.
        exports = Worker("export", desk.work, failed=lambda: None)
        answers = handlers(recorder) | desk.handlers()
        # First, so that nothing is recorded by a recorder that nobody can ask.
        server = Server(settings.control_socket, answers)
        recorder.start()
        exports.start()
        manager.ready()
        logger.info("Ready: recording to %s", settings.database)
        watch(recorder, manager, ending)
        manager.stopping()
        server.close()
        exports.stop(STOP_WITHIN_S)
        desk.close()
        ended = recorder.stop()
    failed = any(worker.failure for worker in recorder.workers)
    return int(failed or not ended)


def watch(recorder: Recorder, manager: ServiceManager, ending: Ending) -> None:
    """Feed the watchdog while every worker moves, until *ending* is set."""
    while not ending.wait(WATCH_EVERY_S):
        if recorder.moving(MonotonicNs(time.monotonic_ns())):
            manager.alive()


def open_desk(settings: config.Settings, recorder: Recorder) -> Desk:
    """Return what exports to USB drives, by the command on the recording's file."""
    options: dict[str, object] = {
        "--database": settings.database,
        "--tolerance-ms": settings.join.tolerance_ms,
        "--zone": settings.box.time_zone,
    }
    if settings.export.key:
        options["--key"] = settings.export.key
    command = [sys.executable, "-m", "edge", "export"]
    command += [str(word) for option in options.items() for word in option]
    folder, put = settings.box.data_dir, recorder.intake.put
    return Desk(command, folder, put, recorder.clock.now)


def open_store(settings: config.Settings) -> Store:
    """
    Return the opened store of the data folder, which is made if it is not there.

    :raises StoreError: if it cannot be used, or another recorder uses it
    """
    folder = settings.box.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the data folder {folder} cannot be made: {error.strerror}; "
            "set [box] data_dir to a folder this user may write"
        ) from error
    return Store(
        settings.database,
        capacity_bytes=round(settings.store.capacity_gb * 1e9),
        retention_h=settings.store.retention_h,
        ballast_bytes=round(settings.store.ballast_mb * 1e6),
    )


@contextmanager
def signals(ending: Ending) -> Iterator[None]:
    """Let SIGTERM and SIGINT set *ending* instead of killing; outside a main thread
    (a test) leave signals alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_: ending.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
