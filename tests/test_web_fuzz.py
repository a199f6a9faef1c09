"""
Whatever is asked, in whatever form: an answer, never an error of ours.

`EDGE_FUZZ` says how many requests (1: 22,000 by schemathesis from the description,
14,000 mutated ones, 6,000 as raw bytes), a part of them unless it is set: the campaign
`requests` sends them all. `EDGE_SEED` draws others.
"""

import json
import math
import os
import random
import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests_fuzz
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from records_store import quick_folder
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from web_rig import (
    SEGMENT,
    QuietRecorder,
    StoringRecorder,
    ask,
    form,
    minute_of_records,
    picture,
)

from edge.config import Settings
from edge.export import TABLES, WRITERS
from edge.records import EcgChunk
from edge.web.accounts import Accounts
from edge.web.app import make_app, routes
from edge.web.box import Box
from edge.web.files import FILES
from edge.web.guard import Door, Guard
from edge.web.logins import Sessions, Throttle
from edge.web.server import Server, listen

TIMES = float(os.environ.get("EDGE_FUZZ", "0.25"))
SEED = int(os.environ.get("EDGE_SEED", "1"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

MUTATED = round(requests_fuzz.MUTATED * TIMES)
RAW = round(requests_fuzz.RAW * TIMES)

OPENAPI = json.loads(FILES["openapi.json"].body)
OPERATIONS = [(p, m) for p, item in OPENAPI["paths"].items() for m in item]
VARIED = [
    (path, method)
    for path, method in OPERATIONS
    if path != "/static/{name}"
    and {"parameters", "requestBody"} & set(OPENAPI["paths"][path][method])
]
"""Addresses that take something which can be varied."""

EACH = math.ceil(requests_fuzz.DESCRIBED * TIMES / 2 / len(VARIED))
"""Requests for one address in one of the two ways: as described, and not so."""

FIXED = [entry for entry in OPERATIONS if entry not in VARIED and "{" not in entry[0]]


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    with quick_folder() as folder:
        yield from app_in(folder)


def app_in(folder: Path) -> Iterator[Any]:
    recorder = StoringRecorder(folder)
    records = [SEGMENT._replace(id=2), *minute_of_records()[3:]]
    recorder.keep(
        *(r._replace(segment=2) if isinstance(r, EcgChunk) else r for r in records)
    )
    yield make_app(recorder.path, recorder, Settings(), folder / "web")
    recorder.close()


@pytest.fixture(scope="module")
def schema(app: Any) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


def test_openapi_describes_every_route_and_no_other(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    guard = Guard(Door(True, False), accounts, Sessions(tmp_path, accounts), Throttle())
    box = Box(tmp_path, QuietRecorder(), Settings(), tmp_path)
    real = {
        (re.sub("<(.*?)>", r"{\1}", route.path), route.method.lower())
        for route in routes(box, guard)
    }

    assert set(OPERATIONS) == real


def test_openapi_names_what_bodies_and_addresses_may_hold() -> None:
    def body(path: str) -> dict[str, Any]:
        content = OPENAPI["paths"][path]["post"]["requestBody"]["content"]
        return dict(content["application/json"]["schema"]["properties"])

    (name,) = OPENAPI["paths"]["/static/{name}"]["get"]["parameters"]
    assert name["schema"]["enum"] == list(FILES)
    assert body("/markers").keys() == {"note", "at"}
    assert body("/drives/enrol").keys() == {"drive", "tables", "formats", "deidentify"}
    for path in ("/exports", "/drives/enrol"):
        assert body(path)["formats"]["items"]["enum"] == list(WRITERS)
        assert body(path)["tables"]["items"]["enum"] == list(TABLES)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("path", "method"), VARIED)
def test_every_answer_is_as_described(
    schema: Any, path: str, method: str, mode: GenerationMode
) -> None:
    seen: Counter[int] = Counter()

    @seed(SEED)
    @settings(
        max_examples=EACH, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        response = case.call(headers={"Host": "localhost"})
        seen[response.status_code] += 1
        assert response.status_code < 500, (case.as_curl_command(), response.text)
        case.validate_response(response, checks=CHECKS)

    run()
    assert seen.total() >= EACH, f"too few of them: {seen}"


@pytest.mark.parametrize(("path", "method"), FIXED)
def test_every_fixed_answer_is_as_described(
    schema: Any, path: str, method: str
) -> None:
    case = schema[path][method].Case()
    response = case.call(headers={"Host": "localhost"})

    assert response.status_code < 500, response.text
    case.validate_response(response, checks=CHECKS)


def test_every_mutated_request_is_answered(app: Any) -> None:
    draw = random.Random(SEED)
    seen: Counter[int] = Counter()
    for number in range(MUTATED):
        method, path, body, headers = mutated(draw)
        answer = ask(app, method, path, body, **headers)
        seen[answer.status] += 1
        context = (SEED, number, method, path, body[:200], headers)
        assert answer.status < 500, context
        if answer.status >= 400 and method != "HEAD":
            assert answer.json["error"], context
    assert seen[200] > MUTATED / 20, seen
    assert seen[400] > MUTATED / 20, seen


WORDS = [
    "", "0", "-1", "1", "60", "1e9", "9" * 30, "NaN", "1.2.3", "0.0.0", "x", "\x00",
    "é", "٣", "%00", "%ff", "%", "2025-06-29T14:22:01", "2025-06-29T14:22:01Z", "-1h",
    "' OR 1", "<script>", "../../etc/passwd", "joined", "ecg", "vitals", "72", "0.85",
    "1.0e400", "{}", "[]", "null", "\r\nX: y", "a" * 5000, "😀",
]  # fmt: skip
NAMES = [
    "since", "minutes", "after", "limit", "from", "to", "table", "note", "name", "code",
    "passphrase", "image", "timestamp", "heart_rate", "ecg_lead1", "oxygen_saturation",
]  # fmt: skip
TYPES = [
    "application/json", "application/x-www-form-urlencoded", "text/plain", "", ";",
    "multipart/form-data; boundary=Frontier7", "multipart/form-data",
    "application/JSON;", "multipart/form-data; boundary=\"\"",
    "multipart/form-data; boundary=" + "b" * 99,
]  # fmt: skip
HEADERS = [
    "cookie", "authorization", "accept", "origin", "x_csrf_token", "if_none_match",
    "range", "x_forwarded_for", "sec_fetch_site", "content_encoding",
]  # fmt: skip


def mutated(draw: random.Random) -> tuple[str, str, bytes, dict[str, str]]:
    """Return a request that is nearly, or not at all, as described."""
    path, method = draw.choice(OPERATIONS)
    if draw.random() < 0.1:
        method = draw.choice(
            ["get", "post", "put", "delete", "patch", "head", "options"]
        )
    path = path.replace("{name}", draw.choice(["page.js", *WORDS]))
    if draw.random() < 0.5:
        pairs = [f"{draw.choice(NAMES)}={draw.choice(WORDS)}" for _ in range(3)]
        path += "?" + draw.choice("&;").join(pairs)
    headers = {}
    if draw.random() < 0.3:
        headers[draw.choice(HEADERS)] = latin(draw.choice(WORDS))
    body = b""
    if method in ("post", "put", "patch"):
        headers["content_type"] = draw.choice(TYPES)
        body = scrambled(draw, body_like(draw, headers["content_type"]))
    return method.upper(), latin(path), body, headers


def latin(text: str) -> str:
    """Return *text* as WSGI has it: bytes of UTF-8 in characters of latin-1."""
    return text.encode("utf-8", "replace").decode("latin-1").replace("\r\n", "")


def body_like(draw: random.Random, kind: str) -> bytes:
    """Return a body of about the type *kind*."""
    chosen = {draw.choice(NAMES): draw.choice(WORDS) for _ in range(4)}
    if "json" in kind.lower():
        value: Any = chosen if draw.random() < 0.9 else list(chosen)
        return json.dumps(value).encode()
    if "urlencoded" in kind:
        return urlencode(chosen, errors="replace").encode()
    chosen.pop("image", None)
    image = (draw.choice(["a.bmp", "", '"', "../x"]), draw.choice(PICTURES))
    data: bytes = form(image=image, **chosen)["body"]
    return data


PICTURES = [picture(), picture(kind="PNG"), picture(kind="JPEG"), b"", b"junk"]


def scrambled(draw: random.Random, body: bytes) -> bytes:
    """Return *body* with a few bytes changed, cut off or doubled."""
    data = bytearray(body)
    for _ in range(draw.choice([0, 0, 0, 1, 3])):
        if data:
            at = draw.randrange(len(data))
            data[at : at + draw.choice([0, 1, 8])] = draw.randbytes(
                draw.choice([0, 1, 4])
            )
    return bytes(data[: draw.randrange(len(data) + 1)] if draw.random() < 0.1 else data)


def test_raw_bytes_never_hang_or_break_the_server(app: Any) -> None:
    draw = random.Random(SEED)
    listener = listen("127.0.0.1", 0)
    server = Server(app, listener)
    address = listener.getsockname()[:2]
    seen: Counter[bytes] = Counter()
    for number in range(RAW):
        sent = raw_request(draw)
        said = exchange(address, sent)
        for status in re.findall(rb"(?:^|\n)HTTP/1.1 (\d\d\d)", said):
            seen[status] += 1
            assert status < b"500", (SEED, number, sent[:300], said[:300])
        assert b"Traceback" not in said
    server.stop()
    assert seen[b"400"] > RAW / 10, seen


def exchange(address: tuple[str, int], sent: bytes) -> bytes:
    """Send *sent* and return all that comes back until the server is done."""
    said = b""
    with (
        socket.create_connection(address, timeout=20) as sock,
        suppress(BrokenPipeError, ConnectionResetError),
    ):
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        while piece := sock.recv(65536):
            said += piece
    return said


PIECES = [
    b"GET", b"POST", b" ", b"/", b"/live", b"/status", b"HTTP/1.1", b"HTTP/1.0",
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b"Host: localhost", b"Host: evil",
    b"Content-Length: 5", b"Content-Length: 99999999999",
    b"Transfer-Encoding: chunked", b"Connection: keep-alive", b"Expect: 100-continue",
    b"\xff\xfe", b"A: " + b"x" * 9000, b"?since=", b"%zz", b":", b"Cookie: edge=\x80",
    b"0\r\n\r\n", b"Upgrade: websocket", b"X" * 20000, b" folded",
]  # fmt: skip


def raw_request(draw: random.Random) -> bytes:
    """Return bytes that may look like requests."""
    if draw.random() < 0.4:
        return b"".join(draw.choices(PIECES, k=draw.randint(1, 12)))
    rest = b" HTTP/1.1\r\nHost: localhost\r\n"
    head = b"GET /status" + rest + b"\r\n"
    post = b"POST /process_ecg" + rest + b"Content-Length: 4\r\n\r\na=1&"
    data = bytearray(draw.choice([head, post, head + post]))
    for _ in range(draw.randint(0, 4)):
        at = draw.randrange(len(data))
        data[at : at + draw.randint(0, 3)] = draw.choice([*PIECES, draw.randbytes(3)])
    return bytes(data)
