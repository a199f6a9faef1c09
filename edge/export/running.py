"""One `edge export` at work, in a process of its own, as the recorder watches it."""

import errno
import json
import subprocess
import threading
from contextlib import suppress
from typing import Any

from edge.drives import Drive
from edge.export.errand import content
from edge.records import BoxNs, Event

ENDS_WITHIN_S = 2.0
"""After it was asked to; a dead drive may hold it up for ever."""


class Run:
    """One `edge export` at work."""

    def __init__(
        self, command: list[str], drive: Drive, order: dict[str, Any], began: BoxNs
    ) -> None:
        """
        Begin *order* by *command*.

        :raises OSError: if there is no room for its process or who listens to it
        """
        self.drive = drive
        self.order = order
        self.began = began
        self.span: list[str] = []
        self.progress: dict[str, Any] = {}
        self.done: dict[str, Any] = {}
        self.nothing = ""  # the sentence, where the drive has everything already
        self.complaint = "the export ended without a word"
        self.cancelled = False
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._readers = [
            threading.Thread(target=read, name="export", daemon=True)
            for read in (self._read_progress, self._read_complaint)
        ]
        try:
            for reader in self._readers:
                reader.start()
        except RuntimeError as error:  # as Python says that there can be no thread
            self._drop()
            raise OSError(errno.EAGAIN, str(error)) from error

    def _drop(self) -> None:
        """End the process at once, and leave nothing of it."""
        self._process.kill()
        for reader in self._readers:
            if reader.ident is not None:  # it was started
                reader.join()
        with self._process:
            pass  # closes the pipes and waits

    def over(self) -> bool:
        """Return whether it has ended and all it said was read."""
        return self._process.poll() is not None and not any(
            reader.is_alive() for reader in self._readers
        )

    def cancel(self) -> None:
        """Ask it to end."""
        self.cancelled = True
        with suppress(ProcessLookupError):
            self._process.terminate()

    def wait(self) -> None:
        """Return when it has ended; it is killed if a dead drive holds it up."""
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def event(self, now: BoxNs) -> Event:
        """Return what the recording keeps of it."""
        whole, order = bool(self.done), self.order
        detail: dict[str, object] = {
            "drive": self.drive.id,
            "label": self.drive.label,
            "by": order["by"],
            "whole": whole,
            **content(order["formats"], order["tables"], order["deidentify"]),
        }
        if self.span:
            detail |= {"begin_box_ns": self.span[0], "end_box_ns": self.span[1]}
        if whole:
            detail |= {"files": self.done["files"], "bytes": self.done["size"]}
        what = "exported" if whole else f"export failed: {self.complaint}"
        sentence = f"{what}, to {self.drive.label}, for {order['by']}"
        return Event(self.began, now, "export", "export", sentence, detail)

    def _read_progress(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._hear(as_object(line))

    def _read_complaint(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self.complaint = line.strip().removeprefix("edge: ") or self.complaint

    def _hear(self, said: dict[str, Any]) -> None:
        if "begin" in said:
            self.span = [str(said["begin"]), str(said["end"])]
        elif "done" in said:
            self.done = said
        elif "nothing" in said:
            self.nothing = str(said["nothing"])
        elif "share" in said:
            self.progress = said


def as_object(line: str) -> dict[str, Any]:
    """Return a line of JSON, {} if it is none."""
    with suppress(ValueError):
        said = json.loads(line)
        if isinstance(said, dict):
            return said
    return {}
