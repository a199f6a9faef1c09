"""
The web server: cheroot reads and answers requests, the waiting room holds connections.

Everything that a stranger can make slow happens in the waiting room or is bounded
here: the head and small bodies are there before a worker begins, only a few workers
may wait for the rest of a large body, and no answer but a download fills the buffers.
"""

import errno
import json
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Server as CherootServer

from edge.errors import ConfigError
from edge.web.answers import HEADERS
from edge.web.box import ARRIVED
from edge.web.exchange import LARGEST_BODY, PIECE, STALL_S, Incoming, Outgoing
from edge.web.guest import LONGEST_HEAD, Guest
from edge.web.waiting import WaitingRoom

logger = logging.getLogger(__name__)

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

THREADS = 24
"""Requests that are worked on at the same time."""

ONCE = (b"host", b"content-length", b"transfer-encoding")
"""What makes a request ambiguous when it is there twice."""

HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\0\r\n]*)")
"""One line of RFC 9112, section 5, without the folding that it forbids."""


class Request(HTTPRequest):
    """One request; what cheroot itself refuses is refused in our form."""

    def parse_request(self) -> None:
        """Read the head, after a look at what would make its end ambiguous."""
        status, flaw = examine(self.conn.rfile.head())
        if flaw:
            self.simple_response(status, flaw)
        else:
            super().parse_request()
            self.close_connection |= self.chunked_read  # nobody reads its trailer

    def send_headers(self) -> None:
        """Send the head of an answer; the application may end the connection by it."""
        if (b"Connection", b"close") in self.outheaders:
            self.close_connection = True
        if not self.close_connection:
            self.pass_over()
        super().send_headers()

    def pass_over(self) -> None:
        """Read what the application left of the body, which cheroot would hold."""
        while left := getattr(self.rfile, "remaining", 0):  # of chunks it has none
            if not self.rfile.read(min(left, PIECE)):
                return

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer an error as JSON with the headers of every other answer."""
        if (
            int(str(status)[:3]) >= 500
        ):  # "505 HTTP Version Not Supported": their mistake
            status = "400 Bad Request"
        self.close_connection = True
        text = msg if isinstance(msg, str) else msg.decode("latin-1")
        self.sent_headers = True
        self.conn.wfile.write(last_words(str(status), text or str(status)[4:]))


def last_words(status: str, error: str, **headers: str) -> bytes:
    """Return a whole answer of *status*, after which the connection ends."""
    body = json.dumps({"error": error}).encode() + b"\n"
    fields = {
        **HEADERS, **headers, "Content-Type": "application/json",
        "Content-Length": str(len(body)), "Connection": "close",
    }  # fmt: skip
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {fields[name]}" for name in fields)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


TOO_MANY = last_words(
    "503 Service Unavailable",
    "too many are sending to this box at once; send it again in a minute",
    **{"Retry-After": "60"},
)
"""For a client that waited in vain for its turn to send the rest of a body."""


def examine(head: bytes) -> tuple[str, str]:
    """Return status and sentence for what is wrong with *head*, "" if nothing is."""
    if len(head) > LONGEST_HEAD:
        return "", ""  # cheroot says which part is too long
    first, *lines = head.split(b"\r\n")
    once: set[bytes] = set()
    for line in lines:
        found = HEADER.fullmatch(line)
        if not found:
            return "400 Bad Request", "a header line is malformed"
        name, value = found[1].lower(), found[2].strip()
        status, flaw = of_length(name, value)
        if flaw:
            return status, flaw
        if name in ONCE and name in once:
            return "400 Bad Request", f"{name.decode()} is there twice"
        once.add(name)
    alone = first.endswith(b"HTTP/1.1") and b"content-length" not in once
    if b"transfer-encoding" in once and not alone:
        return "400 Bad Request", "chunks are for HTTP/1.1 without Content-Length"
    return "400 Bad Request", "a NUL byte" if b"\0" in first else ""


def of_length(name: bytes, value: bytes) -> tuple[str, str]:
    """Return what `examine` does of a header that tells how long the body is."""
    if name == b"transfer-encoding" and value.lower() != b"chunked":
        return "411 Length Required", "a body needs Content-Length, or chunks"
    if name == b"content-length" and not re.fullmatch(rb"[0-9]{1,18}", value):
        return "400 Bad Request", "Content-Length is not a number"
    if name == b"content-length" and int(value) > LARGEST_BODY:
        return "413 Request Entity Too Large", f"at most {LARGEST_BODY} bytes are taken"
    return "", ""


class Connection(HTTPConnection):
    """One connection, over as many requests as it lasts."""

    RequestHandlerClass = Request
    guest: Guest
    ssl_env: dict[str, object]  # cheroot adds it to the WSGI environment

    def communicate(self) -> bool:
        """Serve one request; return whether the connection goes on."""
        try:
            goes_on: bool = super().communicate()  # type: ignore[no-untyped-call]
            self.wfile.flush()
            return goes_on
        except OSError as error:  # the client left or took nothing of the answer
            logger.debug("%s left: %s", self.remote_addr, error)
            self.guest.unsent.clear()
            return False
        finally:
            self.rfile.release()

    def close(self) -> None:
        """End the connection, without cutting off the answer."""
        self.server.let_go(self.guest)


class Engine(CherootServer):
    """cheroot's workers and parser, fed from a waiting room."""

    ConnectionClass = Connection
    software = "edge"
    max_request_header_size = LONGEST_HEAD
    max_request_body_size = 0  # `examine` and `Incoming` say what is too much

    def begin(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        """Start the workers and the room for connections to *listener*."""
        self.scheme = "https" if context else "http"
        self.room = WaitingRoom(listener, self.receive, context, redirect, TOO_MANY)
        # A thread is of the kind of the one that starts it: these keep no process from
        # its end, if it fails before it could stop them.
        starter = threading.Thread(target=self.requests.start, daemon=True)
        starter.start()
        starter.join()
        self.ready = True

    def receive(self, guest: Guest) -> None:
        """Give a connection with a complete request to the workers."""
        connection = guest.kept
        if not isinstance(connection, Connection):
            connection = guest.kept = self.connect(guest)
        connection.ssl_env[ARRIVED] = guest.arrived
        guest.sock.settimeout(STALL_S)
        self.requests.put(connection)

    def connect(self, guest: Guest) -> Connection:
        """Return the connection of a new *guest*."""
        outgoing = Outgoing(guest)
        incoming = Incoming(guest, outgoing)
        connection = Connection(
            self, guest.sock, lambda _, mode, __: incoming if "r" in mode else outgoing
        )
        connection.guest = guest
        connection.remote_addr, connection.remote_port = guest.address
        local = guest.sock.getsockname()[0]
        connection.ssl_env = {"SERVER_ADDR": local, "wsgi.url_scheme": self.scheme}
        return connection

    def put_conn(self, connection: Connection) -> None:
        """Take back a connection that goes on."""
        self.room.put(connection.guest)

    def let_go(self, guest: Guest) -> None:
        """End a connection: what the client still sends is read and dropped."""
        guest.leaving = True
        self.room.put(guest)

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Say that there is room: the waiting room has its own limit."""
        return bool(self.ready)

    def error_log(
        self, msg: str = "", level: int = 20, traceback: bool = False
    ) -> None:
        """Log in our form; what a client did wrong is for those who debug."""
        serious = level >= logging.ERROR
        logger.log(level if serious else logging.DEBUG, "%s", msg, exc_info=traceback)


class Server:
    """Serves an application from threads of its own until `stop`."""

    def __init__(
        self, app: Wsgi, listener: socket.socket, context: ssl.SSLContext | None = None
    ) -> None:
        self._engine = Engine(
            listener.getsockname()[:2], app, numthreads=THREADS, server_name="edge"
        )
        self._listener = listener
        self._engine.begin(listener, context)
        self._thread = threading.Thread(
            target=self._engine.room.run, name="web waiting room", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being answered, then close every connection."""
        self._listener.close()
        self._engine.ready = False
        self._engine.requests.stop(5)
        self._engine.room.stop()
        self._thread.join(10)


def listen(host: str, port: int, given: Sequence[socket.socket] = ()) -> socket.socket:
    """
    Return a socket that listens on *host* and *port*, or the one *given* by systemd.

    :raises ConfigError: if the address cannot be had
    """
    if given:
        return given[0]
    try:
        return socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=512,
        )
    except OSError as error:
        mend = "is another program there? Choose another [web] port"
        if error.errno == errno.EADDRNOTAVAIL:
            mend = "set [web] host to an address of this machine"
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; {mend}"
        ) from error


def redirect(request: bytes) -> bytes:
    """Return what a client gets that speaks plain HTTP where TLS is spoken."""
    path = re.match(rb"[A-Z]+ (/[!-~]*) HTTP/", request)
    host = re.search(rb"\r\nHost:[ \t]*([A-Za-z0-9.:\[\]-]{1,260})[ \t]*\r\n", request)
    if not host:
        return b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    address = b"https://%s%s" % (host[1], path[1] if path else b"/")
    body = json.dumps({"error": f"ask {address.decode()}"}).encode() + b"\n"
    return (
        b"HTTP/1.1 308 Permanent Redirect\r\nLocation: %s\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n"
        b"Connection: close\r\n\r\n%s" % (address, len(body), body)
    )
