"""The original system's clients on the wire: what they send, and how they read."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from legacy_rig import Client
from web_rig import form, picture

from edge.web import server as web_server
from edge.web import waiting
from edge.web.server import Server, listen

RECORD = b"heart_rate=72&ecg_lead1=0.85"
URLENCODED = b"Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


@pytest.fixture
def port(client: Client) -> Iterator[int]:
    listener = listen("127.0.0.1", 0)
    server = Server(client.app, listener)
    yield listener.getsockname()[1]
    server.stop()


def talk(port: int, request: bytes) -> tuple[bytes, bytes]:
    """Send *request*; return head and body of the answer, read to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(request)
        said = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = said.partition(b"\r\n\r\n")
    return head, body


def test_a_body_that_stops_is_the_clients_408(
    client: Client, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_server, "STALL_S", 0.2)
    given = form(image=("a.bmp", picture(size=(200, 200))))  # over the small body size
    head, body = talk(
        port,
        b"POST /process_image HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
        b"Content-Length: %d\r\n\r\n"
        % (given["content_type"].encode(), 10**6)
        + given["body"],
    )

    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["error"].startswith("the body")
    assert client.uploads() == []


ASKED = [
    b"POST /process_ecg HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s"
    % (URLENCODED, len(body), body)
    for body in (RECORD, b"heart_rate=abc", b"")
] + [
    b"%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % line
    for line in (b"GET /status", b"HEAD /status", b"GET /export", b"PUT /process_image")
]


@pytest.mark.parametrize("request_", ASKED)
def test_a_client_may_read_to_the_end_of_the_connection(
    port: int, request_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "IDLE_S", 3600.0)  # nobody else ends it

    head, _ = talk(port, request_)

    assert b"\r\nConnection: close" in head


def test_a_client_of_http_1_0_need_not_name_the_host(port: int) -> None:
    length = b"Content-Length: %d\r\n\r\n" % len(RECORD)
    head, body = talk(
        port, b"POST /process_ecg HTTP/1.0\r\n" + URLENCODED + length + RECORD
    )

    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["data"]["heart_rate"] == 72


def test_an_address_joined_with_a_slash_too_many_is_the_same(port: int) -> None:
    asked = b"GET //status HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head, body = talk(port, asked)

    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["status"] == "running"


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        (b"GET /status HTTP/1.1\r\nConnection: close\r\n\r\n", 421, "no Host"),
        (b"GET /status HTTP/1.0\r\nHost: bed7\r\n\r\n", 421, "[web] hosts"),
        (b"GET /status HTTP/1.1\nHost: localhost\n\n", 400, "CRLF"),
    ],
)
def test_a_request_written_by_hand_is_told_what_it_lacks(
    port: int, request_: bytes, status: int, said: str
) -> None:
    head, body = talk(port, request_)

    assert int(head.split()[1]) == status
    assert said in json.loads(body)["error"]


def test_a_client_that_asks_for_it_keeps_its_connection(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    kept = {"Connection": "keep-alive"}
    for _ in range(3):
        connection.request("GET", "/status", headers=kept)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Connection"]) == (200, None)
        assert answer.read()
        assert connection.sock is not None  # which it is where it was closed
    connection.close()


CHUNKED = b" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"


def chunks(body: bytes, size: int) -> bytes:
    """Return *body* as RFC 9112, section 7.1, has it, in chunks of *size* bytes."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 1024, 70_000])
def test_what_is_sent_in_chunks_arrives_whole(
    client: Client, port: int, size: int
) -> None:
    head, _ = talk(
        port,
        b"POST /process_ecg" + CHUNKED + URLENCODED + b"\r\n" + chunks(RECORD, size),
    )
    assert head.startswith(b"HTTP/1.1 200 ")

    data = picture(size=(200, 200))  # over the small body size
    given = form(image=("a.bmp", data))
    kind = b"Content-Type: %s\r\n\r\n" % given["content_type"].encode()
    body = chunks(given["body"], size)
    head, _ = talk(port, b"POST /process_image" + CHUNKED + kind + body)

    assert head.startswith(b"HTTP/1.1 200 ")
    assert [file.read_bytes() for file in client.uploads()] == [data]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"5\r\nheart", 400),
        (b"5\r\nheart_rate=7\r\n0\r\n\r\n", 400),
        (b"heart_rate=72", 400),
        (b"-1\r\n\r\n", 400),
        (b"fffffffffffffffffff\r\nheart_rate=72\r\n0\r\n\r\n", 400),
        (b"1;" + b"x" * 100_000 + b"\r\n", 400),
        (b"", 400),
        (chunks(b"x" * 70_000, 4096), 413),
    ],
)
def test_chunks_that_cannot_be_read_are_the_clients_mistake(
    client: Client, port: int, body: bytes, status: int
) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(b"POST /process_ecg" + CHUNKED + URLENCODED + b"\r\n" + body)
        sock.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: sock.recv(65536), b""))

    assert int(said.split()[1]) == status
    assert client.rows() == []
