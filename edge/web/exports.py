"""Data out of the box: onto a USB drive, and who had what."""

import logging
from typing import Any

from bottle import HTTPResponse, request

from edge.errors import ControlError
from edge.export import TABLES, WRITERS
from edge.export.job import BYTES_EACH, rows_within
from edge.export.span import find_span
from edge.web import shapes
from edge.web.answers import as_json, json_body, query_text, refuse, text_field
from edge.web.box import PERSON, Box

logger = logging.getLogger(__name__)

SHOWN = 20
DRIVE_LENGTH = 128


class Exports:
    """One method an address."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def show(self) -> HTTPResponse:
        """Answer what the drives do, what can be had, and who had what."""
        try:
            desk, trouble = self._box.recorder.ask("export state"), ""
        except ControlError as error:
            desk = {"state": "idle", "drives": [], "enrolled": []}
            trouble = self._box.said(error)
        with self._box.past() as past:
            last = past.latest_events("export", SHOWN)
            history = self._box.present.events(last)
            kept = [
                shapes.of_kept(number, one, self._box.present.utc(one.begin))
                for number, one in past.kept().items()
            ]
        return as_json(
            {
                "usb": desk,
                "trouble": trouble,
                "history": history,
                "kept": kept,
                "tables": list(TABLES),
                "formats": list(WRITERS),
            }
        )

    def estimate(self) -> HTTPResponse:
        """Answer about how many rows and bytes each table of a stretch has."""
        first, until = (query_text(request, name, 64) for name in ("from", "to"))
        zone = self._box.settings.box.time_zone
        with self._box.past() as past:
            begin, end = find_span(past, first, until, zone)
            rows = rows_within(past, begin, end)
        each = {name: BYTES_EACH[name] for name in TABLES}
        sizes = {
            name: {"rows": rows[of], "bytes": rows[of] * size}
            for name, (of, size) in each.items()
        }
        answer = {"begin": shapes.ms(begin), "end": shapes.ms(end), "tables": sizes}
        return as_json(answer)

    def arm(self) -> HTTPResponse:
        """Let the next drive, or the one that is named, get an export."""
        body = json_body(request)
        first, until = text_field(body, "from", 64), text_field(body, "to", 64)
        if first or until:
            with self._box.past() as past:
                find_span(past, first, until, self._box.settings.box.time_zone)
        return self._tell("export arm", {"from": first, "to": until, **order(body)})

    def cancel(self) -> HTTPResponse:
        """Take the order back."""
        return self._tell("export cancel", {})

    def enrol(self) -> HTTPResponse:
        """Let a drive get what is new whenever it is plugged in."""
        return self._tell("export enrol", order(json_body(request)))

    def forget(self) -> HTTPResponse:
        """Enrol a drive no longer."""
        drive = text_field(json_body(request), "drive", DRIVE_LENGTH)
        return self._tell("export forget", {"drive": drive})

    def keep(self) -> HTTPResponse:
        """Keep a stretch of the recording, however old it gets."""
        body = json_body(request)
        first, until = text_field(body, "from", 64), text_field(body, "to", 64)
        why = text_field(body, "why", 200)
        if not why.strip():
            refuse(400, "why must say what the stretch is kept for")
        if not (first or until):
            refuse(400, "from or to must say which stretch is kept")
        zone = self._box.settings.box.time_zone
        with self._box.past() as past:
            begin, end = find_span(past, first, until, zone)
        return self._tell("keep", {"begin": begin, "end": end, "why": why})

    def release(self) -> HTTPResponse:
        """Let a stretch that was kept leave again in its turn."""
        number = json_body(request).get("number")
        if type(number) is not int or not 0 < number < 2**53:
            refuse(400, "number must be one of those in /exports")
        return self._tell("release", {"number": number})

    def _tell(self, do: str, asked: dict[str, Any]) -> HTTPResponse:
        by = request.environ[PERSON].name
        try:
            self._box.recorder.ask(do, **asked, by=by)
        except ControlError as error:
            if self._box.states.read().box is None:
                raise
            refuse(
                409, self._box.said(error)
            )  # it answers: the request is what is wrong
        logger.info("%s: %s", by, do)
        return as_json({"status": "success"})


def order(body: dict[str, Any]) -> dict[str, Any]:
    """Return what *body* asks for, refusing what no export can be."""
    for name, known in (("tables", TABLES), ("formats", tuple(WRITERS))):
        chosen = body.get(name, [known[0]])
        if (
            not isinstance(chosen, list)
            or not chosen  # nothing ticked is not everything
            or any(one not in known for one in chosen)
        ):
            refuse(400, f"{name} must be some of {', '.join(known)}")
    for name in ("since_last", "deidentify"):
        if not isinstance(body.get(name, False), bool):
            refuse(400, f"{name} must be true or false")
    return {
        "drive": text_field(body, "drive", DRIVE_LENGTH),
        "tables": body.get("tables", list(TABLES)),
        "formats": body.get("formats", ["csv"]),
        "since_last": body.get("since_last", False),
        "deidentify": body.get("deidentify", False),
    }
