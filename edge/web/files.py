"""The files of the page: read once, served from memory by their exact names."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from bottle import HTTPResponse, request

from edge.web.answers import header, refuse

FOLDER = Path(__file__).parent / "static"

PATIENT = ("index.html", "export.html")
"""What shows a patient: a browser that keeps one shows it again after the logout."""

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


class File(NamedTuple):
    """One file of the page."""

    body: bytes
    kind: str
    tag: str  # changes with the content


def read(path: Path) -> File:
    """Return the file *path*."""
    body = path.read_bytes()
    tag = '"' + hashlib.sha256(body).hexdigest()[:20] + '"'
    return File(body, KINDS[path.suffix], tag)


FILES = {path.name: read(path) for path in sorted(FOLDER.iterdir())}


PAGE = hashlib.sha256(
    "".join(file.tag for file in FILES.values()).encode()
).hexdigest()[:20]
"""Another where the files of the page are others: an open page is then an old one."""


def refusal() -> HTTPResponse:
    """Return the page for a person who may not, with the way back."""
    page = FILES["refused.html"]
    return HTTPResponse(
        page.body, 403, **{"Content-Type": page.kind, "Cache-Control": "no-store"}
    )


def serve(name: str) -> HTTPResponse:
    """Return the file *name*, or that the browser's copy of it is still good."""
    file = FILES.get(name)
    if file is None:
        refuse(404, "there is no such file")
    if name in PATIENT:
        kind = {"Content-Type": file.kind}
        return HTTPResponse(file.body, **kind, **{"Cache-Control": "no-store"})
    headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
    if header(request, "If-None-Match") == file.tag:
        return HTTPResponse(status=304, **headers)
    return HTTPResponse(file.body, **headers, **{"Content-Type": file.kind})
