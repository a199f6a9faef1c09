"""Forms as browsers and scripts send them: urlencoded or multipart, in memory."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

from bottle import BaseRequest

from edge.web.answers import LARGEST_FORM, body, refuse

LARGEST_PICTURE = 20 * 1024 * 1024
"""Bytes of an uploaded file."""

MOST_PARTS = 100
LONGEST_PART_HEAD = 4096
PART_NAME = re.compile(r'(?:^|;)\s*name="([^"]*)"')
PART_FILE = re.compile(r'(?:^|;)\s*filename="([^"]*)"')
BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))')
"""RFC 2046, section 5.1.1: at most 70 characters."""


class Upload(NamedTuple):
    """A file in a form."""

    name: str  # what the client called it; never used as a path
    data: bytes


class Form(NamedTuple):
    """What a form holds; of fields of the same name the first."""

    fields: dict[str, str]
    files: dict[str, Upload]


def read_form(request: BaseRequest) -> Form:
    """Return the form in the body; empty where the body is none, refused if broken."""
    # Not `request.content_type`, which has lost the case of the boundary.
    kind, _, options = request.environ.get("CONTENT_TYPE", "").partition(";")
    kind = kind.strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return Form(urlencoded(body(request, LARGEST_FORM)), {})
    if kind == "multipart/form-data":
        found = BOUNDARY.search(options)
        if not found:
            refuse(400, "the multipart form names no boundary")
        boundary = (found[1] or found[2]).encode("latin-1", "replace")
        return multipart(body(request, LARGEST_PICTURE + LARGEST_FORM), boundary)
    return Form({}, {})


def urlencoded(data: bytes) -> dict[str, str]:
    """Return the fields of ``a=1&b=2``."""
    fields: dict[str, str] = {}
    try:
        text = data.decode("ascii")
        pairs = parse_qsl(
            text, keep_blank_values=True, max_num_fields=MOST_PARTS, errors="strict"
        )
    except ValueError:
        refuse(400, f"the form is not urlencoded UTF-8 of up to {MOST_PARTS} fields")
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def multipart(data: bytes, boundary: bytes) -> Form:
    """Return the fields and files of a multipart form (RFC 7578)."""
    form = Form({}, {})
    parts = (b"\r\n" + data).split(b"\r\n--" + boundary, MOST_PARTS + 2)
    if len(parts) > MOST_PARTS + 2:
        refuse(413, f"the form must have at most {MOST_PARTS} parts")
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        refuse(400, "the multipart form ends early")
    for part in parts[1:-1]:
        add_part(form, part)
    return form


def add_part(form: Form, part: bytes) -> None:
    """Add one *part*, still with its headers, to *form*."""
    head, blank, content = part.partition(b"\r\n\r\n")
    if not blank or len(head) > LONGEST_PART_HEAD:
        refuse(400, "a part of the multipart form has no headers")
    disposition = part_header(head, "content-disposition")
    name = PART_NAME.search(disposition)
    if not name:
        refuse(400, "a part of the multipart form has no name")
    file = PART_FILE.search(disposition)
    if file:
        if len(content) > LARGEST_PICTURE:
            refuse(413, f"{name[1]} must be at most {LARGEST_PICTURE} bytes")
        form.files.setdefault(name[1], Upload(file[1], content))
        return
    if len(content) > LARGEST_FORM:
        refuse(413, f"{name[1]} must be at most {LARGEST_FORM} bytes")
    try:
        form.fields.setdefault(name[1], content.decode("utf-8"))
    except UnicodeDecodeError:
        refuse(400, f"{name[1]} is not UTF-8")


def part_header(head: bytes, wanted: str) -> str:
    """Return the value of the header *wanted* in *head*, "" if it is not there."""
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == wanted:
            return value
    return ""
