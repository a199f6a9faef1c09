"""The server under clients that are slow, rude or broken."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from server_rig import Start, connect, echo, get

from edge.errors import ConfigError
from edge.web.exchange import LARGEST_BODY
from edge.web.guest import SMALL_BODY, Guest, complete
from edge.web.server import THREADS, Server, listen
from edge.web.waiting import SLOW_BODIES


@pytest.fixture
def port() -> Iterator[int]:
    listener = listen("127.0.0.1", 0)
    server = Server(echo, listener)
    yield listener.getsockname()[1]
    server.stop()


def talk(port: int, *pieces: bytes) -> bytes:
    """Send *pieces*, one packet each, and return everything that comes back."""
    with connect(port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_one_connection_serves_many_requests(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for number in range(20):
        connection.request("POST", f"/{number}", b"x" * number)
        said = json.loads(connection.getresponse().read())
        assert (said["path"], said["length"]) == (f"/{number}", number)
    connection.close()


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    one = b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    said = talk(port, one % 1 + one % 2 + one % 3)

    assert said.count(b"200 OK") == 3
    assert said.find(b'"/1"') < said.find(b'"/2"') < said.find(b'"/3"')


def test_a_request_may_come_byte_by_byte(port: int) -> None:
    request = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd"
    said = talk(port, *(bytes([byte]) for byte in request))

    assert b'"length": 4' in said


def test_a_large_body_arrives_whole(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/big", bytes(5_000_000))

    assert json.loads(connection.getresponse().read())["length"] == 5_000_000
    connection.close()


def test_expect_continue_is_answered_before_the_body(port: int) -> None:
    with connect(port) as sock:
        sock.sendall(
            b"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert b"100 Continue" in sock.recv(1000)
        sock.sendall(b"abc")
        assert b"200 OK" in sock.recv(1000)


def test_half_open_connections_hold_up_nobody(port: int) -> None:
    with ExitStack() as stack:
        for number in range(300):
            sock = stack.enter_context(connect(port))
            if number % 3 == 1:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: ")
            elif number % 3 == 2:
                sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")

        assert get(port) == (200, {"path": "/", "length": 0, "text": ""})


def idle(stack: ExitStack, port: int, count: int, of: str = "127.0.0.1") -> None:
    """Open *count* connections from the address *of* that asked once and stay."""
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port), 20, (of, 0))
        stack.enter_context(sock)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1000)


def test_a_full_house_closes_who_holds_the_most(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.web.waiting.MOST_CONNECTIONS", 40)
    with ExitStack() as stack:
        page = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=20, source_address=("127.0.0.2", 0)
        )
        page.request("GET", "/before")
        page.getresponse().read()
        kept = page.sock
        for _ in range(3):
            idle(stack, port, 40, "127.0.0.3")
            for _ in range(5):
                assert get(port)[0] == 200, "a newcomer of a third address"

        page.request("GET", "/after")
        assert json.loads(page.getresponse().read())["path"] == "/after"
        assert page.sock is kept, "an address that holds one keeps it"
        page.close()


@pytest.mark.parametrize("loopback", [False, True])
def test_one_place_holds_so_many_and_still_lets_newcomers_in(
    port: int, monkeypatch: pytest.MonkeyPatch, loopback: bool
) -> None:
    # A worker may still hold each that was just answered, and those are not closed.
    monkeypatch.setattr("edge.web.waiting.MOST_OF_ONE_PLACE", THREADS + 2)
    monkeypatch.setattr("edge.web.waiting.is_loopback", lambda address: loopback)
    with ExitStack() as stack:
        first = stack.enter_context(connect(port))
        first.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert first.recv(1000)
        idle(stack, port, 2 * THREADS)
        assert get(port)[0] == 200

        first.settimeout(0.2 if loopback else 20)
        if loopback:  # a proxy's
            with pytest.raises(TimeoutError):
                first.recv(1)
        else:
            assert first.recv(1) == b""


def test_unfinished_large_bodies_leave_workers_free_and_all_arrive(port: int) -> None:
    length = SMALL_BODY + 1
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length
    with ExitStack() as stack:
        waiting = [stack.enter_context(connect(port)) for _ in range(THREADS * 2)]
        for sock in waiting:
            sock.sendall(head + b"x")
        assert get(port)[0] == 200

        waiting.pop(SLOW_BODIES).close()  # one leaves while it waits for its turn
        for sock in waiting:
            sock.sendall(bytes(length - 1))
        for sock in waiting:
            assert b" 200 OK" in sock.recv(1000)
        assert get(port)[0] == 200


def test_a_client_whose_turn_does_not_come_is_told(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.web.waiting.TURN_WITHIN_S", 0.0)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(SLOW_BODIES):
            slow = stack.enter_context(connect(port))
            slow.sendall(head + b"x")
        late = stack.enter_context(connect(port))
        late.sendall(head + bytes(1000))
        said = b"".join(iter(lambda: late.recv(65536), b""))

        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 60\r\n" in said
        assert "send it again" in json.loads(said.partition(b"\r\n\r\n")[2])["error"]
        assert get(port)[0] == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 0x10\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 411),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Length: 5\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 411),
        (b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / \r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01" + b"\0" * 40 + b"\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"A: " + b"x" * 20000 + b"\r\n\r\n", 413),
        (b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (LARGEST_BODY + 1), 413),
        (b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded\r\n\r\n", 400),
    ],
)
def test_malformed_requests_are_refused_as_json(
    port: int, request_: bytes, status: int
) -> None:
    head, _, body = talk(port, request_).partition(b"\r\n\r\n")

    assert int(head.split()[1]) == status, head
    assert json.loads(body)["error"]
    assert b"Content-Security-Policy" in head
    assert b"nosniff" in head
    assert get(port)[0] == 200


def test_a_refused_upload_still_sees_its_answer(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (10**9)
    with connect(port) as sock:
        sender = threading.Thread(target=flood, args=(sock, head), daemon=True)
        sender.start()
        said = sock.recv(1000)
        sender.join(20)

    assert b" 413 " in said


def test_the_rest_of_a_refused_upload_is_read_and_not_held() -> None:
    length, piece = 20_000_000, bytes(50_000)
    listener = listen("127.0.0.1", 0)
    server = Server(refuse_unread, listener)
    with connect(listener.getsockname()[1]) as sock:
        tracemalloc.start()
        sock.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length
        )
        for _ in range(length // len(piece)):
            sock.sendall(piece)
        said = sock.recv(1000)
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        again = sock.recv(1000)
    server.stop()

    assert b" 403 " in said
    assert b" 403 " in again, "the connection goes on"
    assert held < length / 4


def refuse_unread(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Answer without a look at the body."""
    start("403 Forbidden", [("Content-Length", "2")])
    return [b"no"]


def flood(sock: socket.socket, head: bytes) -> None:
    """Send *head* and two megabytes, as a client does that does not listen."""
    try:
        sock.sendall(head + bytes(2_000_000))
    except OSError:
        return


def test_an_answer_that_nobody_reads_holds_up_nobody() -> None:
    data = bytes(400_000)

    def large(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        body = data if environ["PATH_INFO"] == "/large" else b"{}"
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    listener = listen("127.0.0.1", 0)
    server = Server(large, listener)
    port = listener.getsockname()[1]
    with ExitStack() as stack:
        for _ in range(THREADS * 3):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", port))
            sock.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        assert get(port)[0] == 200
        answers = b"".join(read_for(sock, 3 * 400_000))
    server.stop()
    assert answers.count(b"200 OK") == 3


def read_for(sock: socket.socket, size: int) -> Iterator[bytes]:
    """Yield what *sock* has to say, at least *size* bytes."""
    sock.settimeout(20)
    while size > 0:
        piece = sock.recv(65536)
        assert piece, "the answers were cut off"
        size -= len(piece)
        yield piece


def test_stopping_ends_kept_connections() -> None:
    listener = listen("127.0.0.1", 0)
    server = Server(echo, listener)
    with connect(listener.getsockname()[1]) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in sock.recv(1000)
        server.stop()
        rest = b"".join(iter(lambda: sock.recv(1000), b""))
    assert rest in (b"", b'{"path": "/", "length": 0, "text": ""}')


FAILS = """
from edge.web.server import Server, listen
Server(lambda environ, start: [], listen("127.0.0.1", 0))
raise ZeroDivisionError("a fault of ours")
"""


def test_a_page_that_fails_ends_so_that_it_is_started_again() -> None:
    done = subprocess.run([sys.executable, "-c", FAILS], check=False, timeout=60)
    assert done.returncode == 1


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"GET / HTTP/1.1\r\n", False),
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"P / HTTP/1.1\r\ncontent-length:3\r\n\r\nab", False),
        (b"P / HTTP/1.1\r\ncontent-length:3\r\n\r\nabc", True),
        (b"P / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", True),
        (b"x" * 20000, True),
    ],
)
def test_complete_knows_when_a_worker_can_begin(data: bytes, whole: bool) -> None:
    with socket.socket() as sock:
        assert complete(Guest(sock, ("", 0), data=bytearray(data))) is whole
