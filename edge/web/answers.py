"""
Answers and what is read from requests: JSON, errors, parameters.

Every client error is a 4xx whose JSON ``error`` names the field.
"""

import json
import re
from pathlib import Path
from typing import Any, NoReturn

from bottle import BaseRequest, HTTPError, HTTPResponse

HEADERS: dict[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""On every answer, also on errors."""

REASONS = {
    400: "the request cannot be read",
    404: "there is nothing at this address",
    405: "this address does not know that method",
    413: "the body is too large",
    500: "the page failed at this; the recording goes on",
}
"""What is said of an error that says nothing itself."""


FOLDERS = re.compile(r"(?<![\w./:])/(?:[^\s/'\"()]+/)*")
"""The folders of an absolute path."""

LARGEST_FORM = 65_536
"""Bytes of a form without a file, and of JSON: strangers send it before they log in."""


CHUNKS = 65_536
"""Bytes of chunks that are put together at a time."""


def as_json(data: object, status: int = 200, **headers: str) -> HTTPResponse:
    """Return an answer of JSON with sorted keys; NaN and infinity are refused."""
    body = json.dumps(data, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return HTTPResponse(
        body.encode() + b"\n",
        status,
        **{"Content-Type": "application/json", **headers},
    )


def refuse(status: int, error: str, **headers: str) -> NoReturn:
    """
    End this request with *status* and one sentence.

    :raises HTTPResponse: always
    """
    raise as_json({"error": error}, status, **headers)


def of_error(error: HTTPError) -> HTTPResponse:
    """Return as JSON what Bottle itself refuses: unknown address, wrong method."""
    status = error.status_code
    headers = {"Allow": error.get_header("Allow")} if status == 405 else {}
    return as_json({"error": REASONS.get(status, REASONS[400])}, status, **headers)


def pathless(error: object, *folders: Path) -> str:
    """
    Return what *error* says with the names of files and not where they lie.

    *folders* are those of the box, whose names may have blanks.
    """
    text = str(error)
    for folder in folders:
        text = text.replace(f"{folder}/", "")
    return FOLDERS.sub("", text)


def header(request: BaseRequest, name: str, default: str = "") -> str:
    """Return the header *name* as it was sent: latin-1, never an error."""
    key = "HTTP_" + name.upper().replace("-", "_")
    return str(request.environ.get(key, default))


def whole_number(
    request: BaseRequest, name: str, default: int, low: int, high: int
) -> int:
    """Return the number *name* of the query, refusing what is not *low* to *high*."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"-?[0-9]{1,18}", text) or not low <= int(text) <= high:
        refuse(400, f"{name} must be a whole number from {low} to {high}")
    return int(text)


def query_text(request: BaseRequest, name: str, longest: int) -> str:
    """Return the text *name* of the query, "" where it is not there."""
    text = str(request.query.get(name, ""))
    if len(text) > longest or not text.isprintable():
        refuse(400, f"{name} must be up to {longest} printable characters")
    return text


def query_truth(request: BaseRequest, name: str) -> bool:
    """Return whether *name* of the query is true, refusing what is no truth value."""
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        refuse(400, f"{name} must be true or false")
    return bool(text == "true")


def body(request: BaseRequest, most: int) -> bytes:
    """Return the body, refusing one of more than *most* bytes before it is read."""
    length = max(0, request.content_length)
    data = b""
    try:
        if header(request, "Transfer-Encoding"):
            data = chunked(request, most)
        elif 0 < length <= most:
            data = bytes(request.environ["wsgi.input"].read(length))
    except TimeoutError:
        refuse(408, "the body came too slowly, or stopped", Connection="close")
    except ValueError:
        refuse(400, "the chunks of the body cannot be told apart, or it ended early")
    if max(length, len(data)) > most:
        refuse(413, f"the body must be at most {most} bytes")
    if len(data) < length:
        refuse(400, "the body ended early")
    return data


def chunked(request: BaseRequest, most: int) -> bytes:
    """Return a body whose length nobody told, at least a byte beyond *most* of it."""
    data = bytearray()
    while len(data) <= most and (
        piece := request.environ["wsgi.input"].read(min(CHUNKS, most + 1 - len(data)))
    ):
        data += piece
    return bytes(data)


def json_body(request: BaseRequest) -> dict[str, Any]:
    """Return the JSON object in the body, refusing anything else."""
    if request.content_type.split(";")[0].strip().lower() != "application/json":
        refuse(415, "the body must be application/json")
    try:
        data = json.loads(body(request, LARGEST_FORM))
    except (ValueError, RecursionError):
        refuse(400, "the body is not JSON")
    if not isinstance(data, dict):
        refuse(400, "the body must be a JSON object")
    return data


def text_field(body: dict[str, Any], name: str, longest: int) -> str:
    """Return the text *name* of *body*, refusing other types and what is too long."""
    value = body.get(name, "")
    if not isinstance(value, str):
        refuse(400, f"{name} must be text")
    if len(value) > longest:
        refuse(400, f"{name} must be at most {longest} characters")
    if any(ord(sign) < 32 or 0xD800 <= ord(sign) < 0xE000 for sign in value):
        refuse(400, f"{name} must be one line of text")
    return value
