"""A page that says what it was asked, and clients of it."""

import http.client
import json
import socket
from collections.abc import Callable, Iterable
from typing import Any

Start = Callable[..., Any]


def echo(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Answer with what was asked."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    said = {"path": environ["PATH_INFO"], "length": len(body), "text": body[:80].hex()}
    data = json.dumps(said).encode()
    start("200 OK", [("Content-Length", str(len(data)))])
    return [data]


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def get(port: int, path: str = "/") -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
