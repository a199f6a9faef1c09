"""
The addresses of the system this box replaces, with its fields.

What differs on purpose: client errors are 4xx with JSON, stamps may have a zone and
may come with an ECG record too, the CSV can be downloaded.
"""

import logging
import re
from collections.abc import Callable
from datetime import datetime

from bottle import BaseRequest, HTTPResponse, request

from edge.control import Post
from edge.errors import ControlError, PictureError
from edge.export import TABLES
from edge.export.recording import Veil
from edge.history import History
from edge.join.columns import LEGACY, JoinedRow, legacy_cells
from edge.join.rows import join_block
from edge.pictures import read_picture, shrink
from edge.records import VITALS, Pose, UtcNs
from edge.stamps import named_zone, stamp
from edge.web.answers import as_json, header, query_text, query_truth, refuse
from edge.web.box import PERSON, Box, arrival
from edge.web.download import Downloads, Stretch
from edge.web.files import serve
from edge.web.forms import Form, read_form
from edge.web.posts import Posts
from edge.web.shapes import Json
from edge.web.uploads import Uploads

logger = logging.getLogger(__name__)

RANGES: dict[str, tuple[float, float, str]] = {
    "heart_rate": (0, 400, "bpm"),
    "ecg_lead1": (-1000, 1000, "mV"),
    "ecg_lead2": (-1000, 1000, "mV"),
    "ecg_lead3": (-1000, 1000, "mV"),
    "blood_pressure_systolic": (0, 400, "mmHg"),
    "blood_pressure_diastolic": (0, 400, "mmHg"),
    "oxygen_saturation": (0, 100, "%"),
}
"""The seven fields of an ECG record and what can be believed of them."""

NUMBER = re.compile(
    r"[+-]?(?=\.?[0-9])[0-9]{0,15}(\.[0-9]{0,100}([eE][+-]?[0-9]{1,3})?)?"
)
"""As the original system: with a point it is what a computed float is printed as."""

LONGEST_STAMP = 64

LOOKED_AT_PIXELS = 4_000_000
"""A larger picture is made smaller on its way: the model sees 192 × 192 of it."""


class Legacy:
    """One method an address."""

    def __init__(self, box: Box, check_site: Callable[[BaseRequest], None]) -> None:
        """*check_site* refuses what a page of another site sends."""
        self._box = box
        self._check_site = check_site
        self._uploads = Uploads(box.state / "uploads")
        self._posts = Posts(box.recorder)
        tolerance_ns = round(box.settings.join.tolerance_ms * 1e6)
        self._downloads = Downloads(box.past, tolerance_ns, box.settings.box.time_zone)

    def process_image(self) -> HTTPResponse:
        """Look for a body in a picture and answer it with the nearest ECG record."""
        form = read_form(request)
        data = picture_field(form)
        given = stamp_field(form)
        box = self._box
        exposed = box.instant(given) if given else box.arrived(request)
        try:
            pixels, scale = shrink(read_picture(data), LOOKED_AT_PIXELS)
        except PictureError as error:
            refuse(400, f"image: {error}")
        with self._uploads.keep(data, box.present.utc(exposed)) as name:
            pose = box.recorder.picture(pixels, exposed, name, scale)
        with box.past() as past:
            row = self._joined(past, pose)
        tell(row)
        joined = fields(own(row))
        if given:
            joined["timestamp"] = given
            if row.sample and not zoned(given):
                zone = box.settings.box.time_zone
                joined["ecg_timestamp"] = naive(row.sample.utc, zone)
        return success("Image processed successfully", joined)

    def _joined(self, past: History, pose: Pose) -> JoinedRow:
        """Return *pose* with the ECG record nearest to it."""
        tolerance_ns = round(self._box.settings.join.tolerance_ms * 1e6)
        labels = self._box.present.labels()
        (row,) = join_block(past, [pose], tolerance_ns, labels)
        return row

    def process_ecg(self) -> HTTPResponse:
        """Store one ECG record."""
        form = read_form(request)
        values = ecg_fields(form)
        if not values:
            refuse(400, "No ECG data provided")
        given = stamp_field(form)
        sampled = self._box.instant(given) if given else None
        numbers = {name: float(value) for name, value in values.items()}
        kept = self._posts.keep(Post(sampled, arrival(request), numbers))
        stamped = given or stamp(self._box.present.utc(kept))
        data: Json = {
            **values,
            "timestamp": stamped,
            "pose_detected": False,
            "ecg_matched": False,
        }
        return success("ECG data processed successfully", data)

    def export(self) -> HTTPResponse:
        """Answer the export page, the CSV, or where it is, as the client accepts."""
        accepted = header(request, "Accept").lower()
        if "text/html" in accepted:
            return serve("export.html")
        if "text/csv" in accepted:
            return self.csv()
        with self._box.past() as past:
            counts = past.counts()
        records = counts.poses + counts.posted
        message = "Data exported successfully" if records else "Nothing to export yet"
        file = "export.csv" if records else ""
        answer = {"file": file, "message": message, "records": records}
        return as_json({**answer, "status": "success"})

    def csv(self) -> HTTPResponse:
        """Answer one table of the recording as CSV, all of it or a stretch."""
        self._check_site(request)  # a GET that writes: who had what
        table = request.query.get("table", "") or "joined"
        if table not in TABLES:
            refuse(400, f"table must be one of {', '.join(TABLES)}")
        first, until = (query_text(request, name, 64) for name in ("from", "to"))
        veil = Veil() if query_truth(request, "deidentify") else None
        answer = self._downloads.csv(Stretch(table, first, until, veil))
        what = f"{table}.csv from {first or 'the beginning'} to {until or 'the end'}"
        what += ", de-identified" if veil else ""
        if request.method != "HEAD":
            self._note(what, request.environ[PERSON].name)
        return answer

    def _note(self, what: str, by: str) -> None:
        """Keep that *by* had *what*."""
        try:
            self._box.recorder.exported(what, by)
        except ControlError as error:  # nobody records; the data can still be had
            logger.warning("who took %s away was not kept: %s", what, error)


def tell(row: JoinedRow) -> None:
    """Log whether the picture found its ECG record."""
    if row.sample:
        seconds = abs(row.sample.difference_ms) / 1000
        logger.info("%s: ECG record found, %.3f s away", row.pose.picture, seconds)
    else:
        logger.info("%s: no ECG record near enough", row.pose.picture)


def own(row: JoinedRow) -> JoinedRow:
    """
    Return *row* without the vitals of other records, if it has a record that somebody
    stated whole: no age stands beside them here, and it may be years.
    """
    if row.sample is None or row.sample.segment.stamp != "given":
        return row
    stated = {name: then for name, then in row.vitals.items() if then.age_ms == 0}
    return row._replace(vitals=stated)


def fields(row: JoinedRow) -> Json:
    """Return the 63 fields of *row*; numbers with as many digits as they are worth."""
    values: Json = {}
    for column, cell in zip(LEGACY, legacy_cells(row), strict=True):
        if isinstance(cell, float):
            number = float(column.form % cell)
            whole = column.name in VITALS and number.is_integer()
            values[column.name] = int(number) if whole else number
        else:
            values[column.name] = cell
    return values


def zoned(text: str) -> bool:
    """Return whether the ISO stamp *text* says its zone."""
    return bool(re.search(r"([zZ]|[+-][0-9:]+)$", text[10:]))


def naive(utc: UtcNs, zone: str) -> str:
    """Return *utc* as local time in *zone*, the form of a stamp without a zone."""
    local = datetime.fromisoformat(stamp(utc)).astimezone(named_zone(zone))
    return local.replace(tzinfo=None).isoformat(timespec="microseconds")


def success(message: str, data: Json) -> HTTPResponse:
    """Return the answer of the original system."""
    return as_json({"data": data, "message": message, "status": "success"})


def picture_field(form: Form) -> bytes:
    """Return the picture in *form*, refusing one without."""
    upload = form.files.get("image")
    if upload is None:
        refuse(400, "No image file provided")
    if not upload.name:
        refuse(400, "No image file selected")
    if not upload.data:
        refuse(400, "image: the file is empty")
    return upload.data


def stamp_field(form: Form) -> str:
    """Return the stamp in *form* as it was given, "" where there is none."""
    text = form.fields.get("timestamp", "").strip()
    if len(text) > LONGEST_STAMP:
        refuse(400, f"timestamp must be at most {LONGEST_STAMP} characters")
    return text


def ecg_fields(form: Form) -> dict[str, int | float]:
    """Return the fields of an ECG record that *form* holds, refusing odd values."""
    values: dict[str, int | float] = {}
    for name, (low, high, unit) in RANGES.items():
        text = form.fields.get(name, "").strip()
        if not text:
            continue
        if not NUMBER.fullmatch(text):
            refuse(400, f"{name} must be a number such as 72 or 0.85")
        value = float(text) if "." in text else int(text)
        if not low <= value <= high:
            refuse(400, f"{name} must be {low:g} to {high:g} {unit}")
        values[name] = value
    return values
