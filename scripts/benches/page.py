"""
The page beside a recorder at full rate: latency, crowds, pictures, ECG posts.

Everything is the product: `edge demo` records a drawn patient and a simulated board,
on a database that holds a million ECG records already (`EDGE_BENCH_RECORDS`). The
clients speak plain sockets from processes of their own. The picture is ``squat.bmp``,
500 × 610 pixels, beside the project (``../shared``); without it its row is missing.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from edge.records import BoxNs, EcgChunk, Record, Segment, Session
from edge.store import Store
from scripts.benches import Row

RECORDS = int(os.environ.get("EDGE_BENCH_RECORDS", "1000000"))
CLIENTS = 8
HALF_OPEN = 500
SLOW_READERS = 100
FOR_S = 10.0
PICTURES = 31
ORIGINAL_PICTURE_MS = 1190.0
"""The system this box replaces, on a picture of this size with 10⁶ ECG records."""

SECOND_NS = 1_000_000_000
BATCH = 20_000
PICTURE = Path(__file__).parents[3] / "shared/models/squat.bmp"
PAUSE_S = 0.037
"""Between pictures, so that they meet the camera's at any moment."""

STAMP = "2001-09-09T01:46:40.4Z"
"""Between two of the million records."""

FIRST = BoxNs(1_000_000_000 * SECOND_NS)
LIVE = b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
RECORD = b"heart_rate=72&ecg_lead1=0.85&ecg_lead2=1.25&ecg_lead3=0.4"
POST = (
    b"POST /process_ecg HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: %d\r\n\r\n" % len(RECORD)
) + RECORD


def rows() -> list[Row]:
    """Return the figures of one box, started once."""
    with tempfile.TemporaryDirectory() as name, box(Path(name)) as port:
        live = p99(crowd(port, "live"))
        before = status(port)
        with contextlib.ExitStack() as stack:
            for _ in range(HALF_OPEN):
                half_open(stack, port)
            for _ in range(SLOW_READERS):
                slow_reader(stack, port)
            besieged = p99(crowd(port, "live"))
        after = status(port)
        lost = losses(after) - losses(before)
        pictures = taken_by_pictures(port)
        posts = len(crowd(port, "post")) / FOR_S
        synced = sync_ms(Path(name))
    return [
        Row(f"live, p99 of {CLIENTS} clients", live, None, None, "ms", 1,
            "<= 50", live <= 50),
        Row(f"the same, {HALF_OPEN} half-open and {SLOW_READERS} slow", besieged,
            None, None, "ms", 1, "<= 500", besieged <= 500),
        Row("ECG and frames lost meanwhile", lost, None, None, "records", 1,
            "= 0", lost == 0),
        *picture_rows(pictures),
        Row(f"ECG posts of {CLIENTS} clients", posts, None, None, "a second", 1,
            ">= 1000", posts >= 1000),
        Row("one sync of the disk", synced, None, None, "ms", 200),
    ]  # fmt: skip


def taken_by_pictures(port: int) -> list[float]:
    """Return the milliseconds of each picture, none without the file."""
    if not PICTURE.is_file():
        print(f"skipped: no picture {PICTURE}", file=sys.stderr)
        return []
    file = PICTURE.read_bytes()
    return [picture(port, file) for _ in range(PICTURES + 1)][1:]


def picture_rows(pictures: list[float]) -> list[Row]:
    """Return the row of /process_image, if it was measured."""
    if not pictures:
        return []
    ours = statistics.median(pictures)
    ratio = ORIGINAL_PICTURE_MS / ours
    name = f"picture among {RECORDS:.0e} ECG records"
    return [Row(name, ours, ORIGINAL_PICTURE_MS, ratio, "ms", len(pictures),
                "ratio >= 40", ratio >= 40)]  # fmt: skip


@contextlib.contextmanager
def box(folder: Path) -> Iterator[int]:
    """Run a whole box on a database that is full of records; give the page's port."""
    fill(folder / "recording.db")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "edge", "demo"]
    arguments = ["--data", str(folder), "--port", str(port)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL) as demo:
        try:
            wait_until_up(demo, port)
            yield port
        finally:
            demo.terminate()  # a shell has a command in the background ignore SIGINT


def fill(path: Path) -> None:
    """Store `RECORDS` ECG records, one a second, as scripts had posted them."""
    count = np.full((1, 3), 850_000, np.int32)
    offset = np.zeros(1, np.uint32)
    with Store(path) as store:
        gain, zero = (1e6,) * 3, (0,) * 3
        leads = ("I", "II", "III")
        store.append(
            [
                Session(1, "", FIRST, 0, "bench", "", "{}"),
                Segment(1, 1, "upload", "", leads, gain, zero, 0.0, False, "given"),
            ]
        )
        for first in range(0, RECORDS, BATCH):
            batch: list[Record] = [
                EcgChunk(1, BoxNs(FIRST + n * SECOND_NS), 0.0, 0, count, offset)
                for n in range(first, min(first + BATCH, RECORDS))
            ]
            store.append(batch)


def wait_until_up(demo: subprocess.Popen[bytes], port: int) -> None:
    """Return when poses are recorded."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and demo.poll() is None:
        with contextlib.suppress(OSError):
            if status(port)["verdict"]["level"] == "ok":
                time.sleep(3)
                return
        time.sleep(0.2)
    raise RuntimeError("the box did not come up: try `edge demo` by itself")


def status(port: int) -> Any:
    """Return what /status says."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=30) as said:
        return json.load(said)


def losses(said: Any) -> float:
    """Return how many records the streams have dropped or refused."""
    return float(sum(s["dropped"] + s["damaged"] for s in said["streams"]))


def crowd(port: int, what: str) -> list[float]:
    """Return the milliseconds of each request of all clients in `FOR_S` seconds."""
    with ProcessPoolExecutor(2) as pool:
        halves = [pool.submit(clients, port, what, CLIENTS // 2) for _ in range(2)]
        return [ms for half in halves for ms in half.result()]


def clients(port: int, what: str, count: int) -> list[float]:
    """Return what *count* clients of one process measured."""
    with ThreadPoolExecutor(count) as pool:
        found = pool.map(lambda _: client(port, what), range(count))
        return [ms for one in found for ms in one]


def client(port: int, what: str) -> list[float]:
    """Ask on one kept connection: /live as a page does, posts one after the other."""
    taken = []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cursor = ""
        end = time.perf_counter() + FOR_S
        while (began := time.perf_counter()) < end:
            if what == "post":
                exchange(sock, POST)
            else:
                path = b"/live?since=" + cursor.encode()
                cursor = json.loads(exchange(sock, LIVE.replace(b"/live", path, 1)))[
                    "cursor"
                ]
            taken.append((time.perf_counter() - began) * 1000)
            if what == "live":
                time.sleep(0.1)
    return taken


def exchange(sock: socket.socket, request: bytes) -> bytes:
    """Send *request* and return the body of its answer, which must be 200."""
    sock.sendall(request)
    said = b""
    while b"\r\n\r\n" not in said:
        said += sock.recv(65536) or gone()
    head, _, body = said.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(said[:200].decode("latin-1"))
    length = int(head.lower().split(b"content-length:")[1].split()[0])
    while len(body) < length:
        body += sock.recv(65536) or gone()
    return body


def gone() -> bytes:
    """Say that the server closed a connection that it should have kept."""
    raise RuntimeError("the server closed the connection")


def half_open(stack: contextlib.ExitStack, port: int) -> None:
    """Connect and begin a request that never ends."""
    sock = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    sock.sendall(b"POST /process_ecg HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-")


def slow_reader(stack: contextlib.ExitStack, port: int) -> None:
    """Ask for much and read none of it."""
    sock = stack.enter_context(socket.socket())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.connect(("127.0.0.1", port))
    sock.sendall(LIVE * 3)


def picture(port: int, file: bytes) -> float:
    """Return the milliseconds from connecting to the answer for one picture."""
    body = b"".join(
        (
            b'--x\r\nContent-Disposition: form-data; name="timestamp"\r\n\r\n',
            STAMP.encode(),
            b'\r\n--x\r\nContent-Disposition: form-data; name="image"; ',
            b'filename="squat.bmp"\r\n\r\n' + file + b"\r\n--x--\r\n",
        )
    )
    head = (
        b"POST /process_image HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        data = json.loads(exchange(sock, head + body))["data"]
    taken = (time.perf_counter() - began) * 1000
    if not (data["ecg_matched"] and data["pose_detected"]):
        raise RuntimeError(f"the picture found no ECG record or no body: {data}")
    time.sleep(PAUSE_S)
    return taken


def sync_ms(folder: Path) -> float:
    """Return the median milliseconds of one sync of a few pages in *folder*."""
    taken = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(os.urandom(16384))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def p99(taken: list[float]) -> float:
    """Return the 99th percentile."""
    return float(np.percentile(taken, 99))
