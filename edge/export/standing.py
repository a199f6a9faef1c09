"""
What the desk for exports keeps over a restart: the orders of enrolled drives, and the
stretches of exports that were begun and are not whole.
"""

import json
import logging
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from edge.errors import ControlError
from edge.export.order import checked

logger = logging.getLogger(__name__)

STATE_FILE = "exports.json"

Entries = dict[str, dict[str, Any]]


class Standing:
    """
    The content of the file in *folder*, by the id of a drive.

    What is damaged in it is left out, the file itself set aside, and `complaint` says
    so: a drive that is enrolled no longer would lack its exports in silence.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / STATE_FILE
        self.enrolled: Entries = {}
        """Orders, each with the drive's label."""
        self.pending: Entries = {}
        """What was begun, and its stretch in box time."""
        self.complaint = ""
        why = self._read()
        if why:
            self._set_aside(why)

    def keep(self) -> str:
        """Put it on the card, and return why that failed, "" if it did not."""
        kept = {"enrolled": self.enrolled, "pending": self.pending}
        text = json.dumps(kept, indent=1)
        part = self._file.with_suffix(".new")
        try:
            with part.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._file)
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._file, error)
            return f"{STATE_FILE} cannot be written: {error.strerror}"
        return ""

    def _read(self) -> str:
        """Take what is sound in the file, and return what is wrong with it."""
        try:
            found = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return ""
        except OSError as error:
            return str(error.strerror)
        except (ValueError, RecursionError):
            return "it is no JSON"
        if not isinstance(found, dict):
            return "it is no list of drives"
        self.enrolled, some_lost = sound(found.get("enrolled", {}), enrolled_of)
        self.pending, more_lost = sound(found.get("pending", {}), pending_of)
        return "not all of it can be an order" if some_lost or more_lost else ""

    def _set_aside(self, why: str) -> None:
        names = (f"{self._file.stem}.damaged-{number}.json" for number in count(1))
        places = (self._file.with_name(name) for name in names)
        aside = next(place for place in places if not place.exists())
        try:
            self._file.rename(aside)
            place = f"it is kept as {aside.name}"
        except OSError as error:
            place = f"it cannot be set aside: {error.strerror}"
        self.complaint = (
            f"what {STATE_FILE} said of drives was damaged ({why}; {place}): enrol "
            "those again that 'edge drive list' does not name"
        )
        self.keep()


def sound(found: Any, read: Callable[[Any], dict[str, Any]]) -> tuple[Entries, bool]:
    """Return the entries that *read* takes, and whether there were others."""
    if not isinstance(found, dict):
        return {}, True
    taken: Entries = {}
    for drive, entry in found.items():
        try:
            taken[drive] = read(entry)
        except (KeyError, TypeError, ValueError, OverflowError, ControlError):
            continue
    return taken, len(taken) < len(found)


def enrolled_of(entry: Any) -> dict[str, Any]:
    """
    Return the order of an enrolled drive in *entry*.

    :raises ControlError: if it can be none; TypeError and its like, if it is no order
    """
    if not isinstance(entry, dict):
        raise TypeError("not an order")
    return {**checked(entry), "label": str(entry["label"])}


def pending_of(entry: Any) -> dict[str, Any]:
    """
    Return what was begun and the stretch in *entry*.

    :raises TypeError: or ValueError or KeyError, if it says neither
    """
    begun, span = dict(entry["what"]), [str(int(end)) for end in entry["span"]]
    if len(span) != 2 or not isinstance(begun["since_last"], bool):
        raise ValueError("not what was begun")
    return {"what": begun, "span": span}
