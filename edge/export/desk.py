"""
Exports to USB drives, in the recorder: who asked for what, and what becomes of it.

Nothing happens because a drive is plugged in. A person who has logged in *arms* an
export, which then goes to the drive that is there or comes within minutes; or *enrols*
a drive once, which then gets what is new every time it is plugged in. The work is done
by `edge export` in a process of its own.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from edge.control import Handler
from edge.drives import Drive, present
from edge.errors import ControlError, ExportError
from edge.export.errand import choose
from edge.export.order import checked, options, what
from edge.export.running import Run
from edge.export.standing import Standing
from edge.records import BoxNs, Event, Record
from edge.worker import Worker

logger = logging.getLogger(__name__)

ARMED_S = 300.0
"""How long an export waits for its drive, and for one that was pulled to come back."""

LOOK_EVERY_S = 1.0
LISTED = "'edge drive list' names them"

State = Literal["idle", "armed", "writing", "done", "failed"]
Put = Callable[[Iterable[Record]], object]


class Desk:
    """
    Takes orders from the control socket and has them carried out, one at a time.

    *command* runs `edge export`; the options of an order are added to it. *put* keeps
    events, *now* is box time. *folder* keeps what has to survive a restart.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        put: Put,
        now: Callable[[], BoxNs],
        drives: Callable[[], list[Drive]] = present,
    ) -> None:
        self._command = list(command)
        self._put = put
        self._now = now
        self._drives = drives
        self._lock = threading.Lock()
        self._standing = Standing(folder)
        self._order: dict[str, Any] | None = None
        self._until = 0.0
        self._again = False  # the order is the second try of one that failed
        self._seen: set[tuple[str, str]] = set()  # drives and their insertions
        self._run: Run | None = None
        self._state: State = "idle"
        self._sentence = ""
        if lost := self._standing.complaint:
            self._say("failed", lost)
            self._put([Event(now(), None, "state", "export", lost)])

    def handlers(self) -> dict[str, Handler]:
        """Return the requests of the control socket that this answers."""
        return {
            "export state": self.state,
            "export arm": self.arm,
            "export cancel": self.cancel,
            "export enrol": self.enrol,
            "export forget": self.forget,
            "export note": self.note,
        }

    def state(self, request: dict[str, Any], payload: bytes = b"") -> dict[str, Any]:
        """Answer what goes on, in words and numbers, and which drives are there."""
        with self._lock:
            run = self._run
            return {
                "state": self._state,
                "sentence": self._sentence,
                "progress": run.progress if run else {},
                "armed_s": max(self._until - time.monotonic(), 0) if self._order else 0,
                "drives": [self._described(drive) for drive in self._drives()],
                "enrolled": list(self._standing.enrolled.values()),
            }

    def arm(self, request: dict[str, Any], payload: bytes = b"") -> dict[str, Any]:
        """
        Let the next drive, or the one it names, get an export.

        It has ``by`` (who asked), and may have ``drive``, ``from``, ``to``,
        ``since_last``, ``formats``, ``tables``, ``deidentify``, ``shift_days``.
        """
        order = checked(request)
        with self._lock:
            if self._run:
                raise ControlError("an export is being written; wait or cancel it")
            self._begin_afresh()
            self._order, self._again = order, False
            self._until = time.monotonic() + ARMED_S
            self._say("armed", "insert the drive")
        return {}

    def cancel(self, request: dict[str, Any], payload: bytes = b"") -> dict[str, Any]:
        """Take the order back, and stop what is being written in good order."""
        with self._lock:
            self._order = None
            self._begin_afresh()
            if self._run:
                self._run.cancel()
            else:
                self._say("idle", "")
        return {}

    def enrol(self, request: dict[str, Any], payload: bytes = b"") -> dict[str, Any]:
        """Let the drive it names get what is new whenever it is plugged in."""
        drive = self._named(str(request["drive"]))
        order = checked({**request, "drive": drive.id, "since_last": True})
        with self._lock:
            self._standing.enrolled[drive.id] = {**order, "label": drive.label}
            self._seen.add(visit(drive))  # it starts with its next insertion
            self._keep_for_good(f"{drive.label} is enrolled")
        return {}

    def forget(self, request: dict[str, Any], payload: bytes = b"") -> dict[str, Any]:
        """Enrol the drive it names no longer; one that is away has only its id."""
        name = str(request["drive"])
        ids = {drive.name: drive.id for drive in self._drives()}
        with self._lock:
            if self._standing.enrolled.pop(ids.get(name, name), None) is None:
                raise ControlError(f"no drive {name!r} is enrolled; {LISTED}")
            self._keep_for_good("the drive is forgotten")
        return {}

    def note(self, request: dict[str, Any], payload: bytes = b"") -> dict[str, Any]:
        """Keep that somebody exported by other means: ``by``, ``place``, ``detail``."""
        by, place = str(request["by"])[:64], str(request["place"])[:200]
        detail: dict[str, object] = {**dict(request["detail"]), "by": by, "whole": True}
        now = self._now()
        sentence = f"exported, to {place}, for {by}"
        self._put([Event(now, now, "export", "export", sentence, detail)])
        return {}

    def work(self, worker: Worker) -> None:
        """Take a turn every second until *worker* is stopped."""
        while worker.pause(LOOK_EVERY_S):
            try:
                self.turn()
            except OSError as error:  # no process or descriptor is left, for a while
                self._stumble(error)

    def turn(self) -> None:
        """Look at drives and at the running export; call it about once a second."""
        drives = self._drives()
        with self._lock:
            if run := self._run:
                over = run.over()  # first: all it said is known then
                self._remember(run)
                if over:
                    self._finish(run)
            self._seen &= {visit(drive) for drive in drives}
            if not self._run:
                self._expire()
                self._begin(drives)

    def close(self) -> None:
        """Stop what is being written; an enrolled drive goes on with it."""
        with self._lock:
            if self._run:
                self._run.cancel()
                self._run.wait()

    def _begin(self, drives: list[Drive]) -> None:
        fresh = [drive for drive in drives if visit(drive) not in self._seen]
        enrolled = [drive for drive in fresh if drive.id in self._standing.enrolled]
        # An enrolled one that has to wait for its turn is still new then.
        self._seen |= {visit(drive) for drive in fresh if drive not in enrolled}
        if self._order and self._again:
            # A drive that failed gets another try only when it is plugged in anew.
            wanted = [drive for drive in fresh if drive.id == self._order["drive"]]
            if wanted:
                self._start(wanted[0], self._order)
            return
        if self._order:
            try:
                drive = choose(drives, self._order["drive"])
            except ExportError as error:
                self._say("armed", str(error))
                return
            self._start(drive, self._order)
            return
        for drive in enrolled[:1]:
            self._start(drive, self._standing.enrolled[drive.id])

    def _start(self, drive: Drive, order: dict[str, Any]) -> None:
        earlier = self._standing.pending.get(drive.id, {})
        span = earlier["span"] if earlier.get("what") == what(order) else None
        self._order = None  # if it cannot be begun, a person asks again
        self._run = Run(
            [*self._command, *options(order, drive, span)], drive, order, self._now()
        )
        self._seen.add(visit(drive))
        self._say("writing", f"writing to {drive.label}; do not remove it")
        logger.info("export to %s for %s", drive.label, order["by"])

    def _stumble(self, error: OSError) -> None:
        """Say that a turn failed; an enrolled drive has its try at the next one."""
        sentence = f"the export could not be begun: {error}"
        with self._lock:
            if self._sentence != sentence:
                logger.warning("%s", sentence)
            if not self._run:
                self._say("failed", sentence)

    def _finish(self, run: Run) -> None:
        self._run = None
        if run.done or run.cancelled or not run.span:
            self._standing.pending.pop(run.drive.id, None)
        if run.done:
            self._say("done", f"{run.drive.label} is safe to remove")
        elif run.nothing:
            self._say("done", f"{run.nothing}, which is safe to remove")
        else:
            self._say("failed", run.complaint)
            if not run.cancelled:
                self._wait_for_again(run)
        self._standing.keep()
        if not run.nothing:  # nobody got anything
            self._put([run.event(self._now())])
        logger.info("export: %s", self._sentence)

    def _remember(self, run: Run) -> None:
        """Let another try of *run* have its stretch, also after a power cut."""
        begun = {"what": what(run.order), "span": run.span}
        if run.span and self._standing.pending.get(run.drive.id) != begun:
            self._standing.pending[run.drive.id] = begun
            self._standing.keep()

    def _wait_for_again(self, run: Run) -> None:
        """Let the drive of *run*, pulled by mistake perhaps, have another try."""
        self._order, self._again = {**run.order, "drive": run.drive.id}, True
        self._until = time.monotonic() + ARMED_S

    def _begin_afresh(self) -> None:
        """Take what a person asks for from now on by the recording as it then is."""
        pending = self._standing.pending.items()
        self._standing.pending = {
            drive: begun for drive, begun in pending if begun["what"]["since_last"]
        }
        self._standing.keep()

    def _expire(self) -> None:
        if self._order and time.monotonic() > self._until:
            self._order = None
            if not self._again:  # else what went wrong is still to be read
                self._say("idle", "no drive came in time")

    def _keep_for_good(self, what_is: str) -> None:
        if complaint := self._standing.keep():
            raise ControlError(f"{what_is} only until the recorder ends: {complaint}")

    def _say(self, state: State, sentence: str) -> None:
        self._state, self._sentence = state, sentence

    def _named(self, name: str) -> Drive:
        for drive in self._drives():
            if name in (drive.name, drive.id):
                return drive
        raise ControlError(f"there is no drive {name!r}; {LISTED}")

    def _described(self, drive: Drive) -> dict[str, Any]:
        enrolled = drive.id in self._standing.enrolled
        return {**drive._asdict(), "fault": drive.fault, "enrolled": enrolled}


def visit(drive: Drive) -> tuple[str, str]:
    """Return what is another after *drive* was pulled and plugged in."""
    return drive.id, drive.insertion
