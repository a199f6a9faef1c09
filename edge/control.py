"""
The Unix socket between the recorder and everybody else on the box.

One connection, many requests, each answered before the next is read. A message is one
line of JSON, then as many bytes as its ``"bytes"`` says (a picture). An answer has
``"error"`` or the result. The socket file belongs to the recorder's user alone.
"""

import json
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edge.errors import ControlError, EdgeError, NotAllowed
from edge.records import BoxNs, BoxState, MonotonicNs, Pose, StreamState

logger = logging.getLogger(__name__)

LONGEST_LINE = 65_536
LARGEST_PAYLOAD = 64 * 1024 * 1024
"""A picture of 20 megapixels; the page sends smaller ones."""
ANSWER_WITHIN_S = 10.0
PICTURE_WITHIN_S = 40.0
"""The longest for an answer; for a picture, which may have to wait for others and for
a slow processor, longer than the recorder gives itself."""

Handler = Callable[[dict[str, Any], bytes], dict[str, Any]]
"""Takes a request and its payload and returns the answer; may raise EdgeError."""


class Server:
    """Answers requests on the socket *path*, one thread a connection."""

    def __init__(self, path: Path, handlers: dict[str, Handler]) -> None:
        """
        Listen; a socket that a killed recorder left is replaced.

        :raises ControlError: if there can be no socket at *path*
        """

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                converse(
                    cast(BinaryIO, self.rfile), cast(BinaryIO, self.wfile), handlers
                )

        class Listener(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

        self._path = path
        try:
            path.unlink(missing_ok=True)
            self._listener = Listener(str(path), Connection)
            path.chmod(0o660)
        except OSError as error:
            raise ControlError(
                f"the recorder cannot listen on {path} ({error.strerror or error}): "
                "remove what is there, or set [box] data_dir to another folder"
            ) from error
        self._thread = threading.Thread(
            target=self._listener.serve_forever,
            args=(0.1,),
            name="control",
            daemon=True,
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening and remove the socket, if the card lets it."""
        self._listener.shutdown()
        self._listener.server_close()
        with suppress(OSError):  # the next recorder replaces it
            self._path.unlink(missing_ok=True)


def converse(reader: BinaryIO, writer: BinaryIO, handlers: dict[str, Handler]) -> None:
    """Answer the requests of one connection until the other side leaves."""
    try:
        while (message := receive(reader)) is not None:
            request, payload = message
            send(writer, answer(request, payload, handlers))
    except (OSError, ValueError) as error:
        logger.debug("control connection ended: %s", error)


def answer(
    request: dict[str, Any], payload: bytes, handlers: dict[str, Handler]
) -> dict[str, Any]:
    """Return what the handler of *request* says, errors as text."""
    handler = handlers.get(str(request.get("do")))
    if handler is None:
        return {"error": f"the recorder knows no request {request.get('do')!r}"}
    try:
        return handler(request, payload)
    except EdgeError as error:
        return {"error": str(error)}
    except (KeyError, TypeError, ValueError) as error:
        return {"error": f"the request {request.get('do')!r} is malformed: {error}"}


def send(writer: BinaryIO, message: dict[str, Any], payload: bytes = b"") -> None:
    """Write one message."""
    if payload:
        message = {**message, "bytes": len(payload)}
    writer.write(json.dumps(message).encode() + b"\n")
    writer.write(payload)
    writer.flush()


def receive(reader: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """
    Return the next message and its payload, ``None`` at the end.

    :raises ValueError: if it is malformed or too large
    """
    line = reader.readline(LONGEST_LINE)
    if not line:
        return None
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")
    size = int(message.get("bytes", 0))
    if not 0 <= size <= LARGEST_PAYLOAD:
        raise ValueError("payload too large")
    return message, reader.read(size)


class Post(NamedTuple):
    """One ECG record of the original system's fields."""

    sampled: BoxNs | None  # None: when it arrived
    arrived: MonotonicNs
    values: dict[str, float]


class Client:
    """
    Asks the recorder. May be shared: each thread has a connection of its own, which
    is made again after the recorder was restarted.

    Every method raises `ControlError` if the recorder does not answer or refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    def state(self) -> BoxState:
        """Return how the recorder does."""
        answer = self.ask("state")
        streams = tuple(StreamState(**entry) for entry in answer.pop("streams"))
        known = {name: answer[name] for name in BoxState._fields if name in answer}
        return BoxState(**{**known, "streams": streams})

    def marker(self, note: str, by: str, at: BoxNs | None = None) -> None:
        """Keep a note, of *at* or of this instant; returns after its commit."""
        self.ask("marker", note=note, by=by, at=at)

    def exported(self, what: str, by: str) -> None:
        """Keep who took *what* away through the page; returns after its commit."""
        self.ask("exported", what=what, by=by)

    def ecg_records(self, posts: list[Post]) -> list[BoxNs]:
        """Keep *posts* and return the instant of each, after their commit."""
        return [BoxNs(at) for at in self.ask("ecg_records", posts=posts)["sampled"]]

    def picture(
        self, pixels: NDArray[np.uint8], exposed: BoxNs, name: str, scale: int = 1
    ) -> Pose:
        """
        Look for a body in *pixels*, shape (height, width, 3), RGB, of which each
        stands for *scale* × *scale* of the picture.

        Returns the pose that was kept under *name*, in pixels of the picture, after
        its commit.
        """
        height, width, _ = pixels.shape
        about = {
            "width": width, "height": height, "scale": scale,
            "exposed": exposed, "name": name,
        }  # fmt: skip
        payload = np.ascontiguousarray(pixels).tobytes()
        found = self.ask("picture", payload, PICTURE_WITHIN_S, **about)
        found["keypoints"] = np.array(found["keypoints"], np.float32)
        return Pose(**found)

    def ask(
        self,
        do: str,
        payload: bytes = b"",
        within_s: float | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        """
        Send any request and return its answer, which must come *within_s*, or as soon
        as usual.

        A connection that the recorder's restart has broken refuses the first byte, so
        sending again asks nothing twice.
        """
        message = {"do": do, **request}
        within_s = ANSWER_WITHIN_S if within_s is None else within_s
        try:
            try:
                send(self._stream(within_s), message, payload)
            except BrokenPipeError:
                self.close()
                send(self._stream(within_s), message, payload)
            reply = receive(self._stream(within_s))
        except PermissionError as error:
            raise NotAllowed(
                f"this user may not ask the recorder on {self._path}: "
                "give the command with sudo"
            ) from error
        except (OSError, ValueError) as error:
            self.close()
            raise ControlError(self._silent(error)) from error
        if reply is None:
            self.close()
            raise ControlError(self._silent("it closed the connection"))
        return checked(reply[0])

    def close(self) -> None:
        """Drop this thread's connection."""
        if hasattr(self._local, "stream"):
            stream = self._local.stream
            del self._local.stream
            with suppress(OSError):  # what was not flushed is lost with the other side
                stream.close()

    def _stream(self, within_s: float) -> BinaryIO:
        if not hasattr(self._local, "stream"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_WITHIN_S)
                connection.connect(str(self._path))
                self._local.stream = connection.makefile("rwb")
                self._local.socket = connection  # open as long as the stream is
        self._local.socket.settimeout(within_s)
        stream: BinaryIO = self._local.stream
        return stream

    def _silent(self, cause: object) -> str:
        return f"the recorder does not answer on {self._path} ({cause}); is it running?"


def checked(reply: dict[str, Any]) -> dict[str, Any]:
    """
    Return *reply*.

    :raises ControlError: if the recorder refused
    """
    if "error" in reply:
        raise ControlError(str(reply["error"]))
    return reply
