"""Forms as browsers and scripts send them: urlencoded or multipart, in memory."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from bottle import BaseRequest

from edge.web.answers import LARGEST_FORM, body, refuse

LARGEST_PICTURE = 20 * 1024 * 1024
"""Bytes of an uploaded file."""

MOST_PARTS = 100
LONGEST_PART_HEAD = 4096
LONGEST_BOUNDARY = 70
"""Characters: RFC 2046, section 5.1.1."""

PARAMETER = re.compile(
    r';\s*([^\s;="*]+)(\*[0-9*]*)?='
    r'(?:"((?:\\.|[^"\\])*)"(?=\s*(?:;|$))|"([^"]*)"|([^\s;,"]+))'
)
"""One of ``; name="image"; filename=a.bmp; filename*=utf-8''a.bmp``: what browsers,
curl and .NET send, and what the original system took."""

CHARSETS = ("utf-8", "us-ascii", "ascii", "iso-8859-1")


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
        boundary = parameters(";" + options).get("boundary", "")
        if not 0 < len(boundary) <= LONGEST_BOUNDARY:
            refuse(400, "the multipart form names no boundary")
        data = body(request, LARGEST_PICTURE + LARGEST_FORM)
        return multipart(data, boundary.encode("latin-1", "replace"))
    return Form({}, {})


def parameters(text: str) -> dict[str, str]:
    """Return the parameters in *text*, each after a ";", by their names in lower case.

    Of one that is there twice the first counts, or the one in RFC 8187's form.
    """
    found: dict[str, str] = {}
    for name, form, quoted, odd, token in PARAMETER.findall(text):
        value = re.sub(r'\\([\\"])', r"\1", quoted) or odd or token
        if form.endswith("*"):
            found[name.lower()] = extended(value)
        else:
            found.setdefault(name.lower(), value)
    return found


def extended(value: str) -> str:
    """Return what *value* of RFC 8187 says, such as ``utf-8''caf%C3%A9``."""
    charset, _, rest = value.partition("'")
    if charset.lower() not in CHARSETS:
        return value
    return unquote(rest.partition("'")[2], charset, "replace")


def urlencoded(data: bytes) -> dict[str, str]:
    """
    Return the fields of ``a=1&b=2``; what is no UTF-8 has marks in its place.

    A field that nobody asks for must not cost the record; one that somebody asks for
    is refused by name for its marks.
    """
    fields: dict[str, str] = {}
    try:
        pairs = parse_qsl(
            data.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=MOST_PARTS,
            errors="replace",
        )
    except ValueError:
        refuse(400, f"the form must have at most {MOST_PARTS} fields")
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
    disposition = parameters(part_header(head, "content-disposition"))
    name = disposition.get("name")
    if name is None:
        refuse(400, "a part of the multipart form has no name")
    file = disposition.get("filename")
    most = LARGEST_FORM if file is None else LARGEST_PICTURE
    if len(content) > most:
        refuse(413, f"{name} must be at most {most} bytes")
    if file is None:
        form.fields.setdefault(name, content.decode("utf-8", "replace"))
    else:
        form.files.setdefault(name, Upload(file, content))


def part_header(head: bytes, wanted: str) -> str:
    """Return the value of the header *wanted* in *head*, "" if it is not there."""
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == wanted:
            return value
    return ""
