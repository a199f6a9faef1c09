"""
Defects of the original system, D14 to D30: what it took, kept and said.

Each test is named after a defect that was measured in it, and fails on what it did.
"""

import re
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from legacy_rig import ECG, STAMP, Client
from web_rig import SECOND, ask, fields, form, picture

from edge.history import History
from edge.records import BoxNs, EcgChunk
from edge.web.server import Server, listen


def test_d14_a_black_picture_shows_no_body(client: Client) -> None:
    answer = client.image(picture(None))

    assert answer.status == 200
    assert answer.json["data"]["pose_detected"] is False


BAD_NUMBERS = ["abc", "NaN", "nan", "inf", "-inf", "Infinity", "1e5", "-3e-3", "72,5"]


@pytest.mark.parametrize("text", BAD_NUMBERS)
def test_d15_what_is_no_number_is_a_400_that_names_it(
    client: Client, text: str
) -> None:
    answer = client.ecg(heart_rate=72, ecg_lead2=text)

    assert answer.status == 400
    assert "ecg_lead2" in answer.json["error"]
    assert client.status()["ecg_records_loaded"] == 0


COMPUTED = ["0.30000000000000004", "-1.5e-05", "+2.5E+2", ".5", "5.", f"{1 / 3:.100f}"]


@pytest.mark.parametrize("text", COMPUTED)
def test_a_computed_number_is_taken_with_all_its_digits(
    client: Client, text: str
) -> None:
    answer = client.ecg(ecg_lead2=text)

    assert answer.status == 200, answer.json
    assert answer.json["data"]["ecg_lead2"] == float(text)


@pytest.mark.parametrize(
    "text", ["abc", "1751206921", "29/06/2025 14:22", "2025-13-01T00:00:00", "9" * 70]
)
@pytest.mark.parametrize("to", ["image", "ecg"])
def test_d15_what_is_no_stamp_is_a_400_that_names_it(
    client: Client, text: str, to: str
) -> None:
    answer = (
        client.image(timestamp=text)
        if to == "image"
        else client.ecg(timestamp=text, **ECG)
    )

    assert answer.status == 400
    assert "timestamp" in answer.json["error"]
    assert client.uploads() == []


@pytest.mark.parametrize("year", ["9999", "1600", "2261", "2100", "1969"])
def test_d15_a_year_beyond_reason_is_a_400(client: Client, year: str) -> None:
    answer = client.image(timestamp=f"{year}-06-29T14:22:01")

    assert answer.status == 400
    assert answer.json["error"].startswith(f"timestamp: '{year}-06-29T14:22:01' is ")


@pytest.mark.parametrize(
    "data", [b"not a picture", b"", b"\x89PNG\r\n\x1a\n" + b"x" * 99]
)
def test_d15_what_is_no_picture_is_a_400(client: Client, data: bytes) -> None:
    answer = client.image(data)

    assert answer.status == 400
    assert "image" in answer.json["error"]
    assert client.uploads() == []
    assert client.status()["integrated_records"] == 0


def test_d15_an_oversized_form_is_a_413(client: Client) -> None:
    large = ask(client.app, "POST", "/process_ecg", **form(heart_rate="7" * 600_000))
    many = {f"field{number}": "1" for number in range(1200)}
    parts = ask(client.app, "POST", "/process_ecg", **form(**many))

    assert (large.status, parts.status) == (413, 413)
    assert "error" in large.json


def test_d16_an_ecg_record_alone_is_no_match(client: Client) -> None:
    assert client.ecg(**ECG).json["data"]["ecg_matched"] is False


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("heart_rate", "-50"),
        ("heart_rate", "401"),
        ("oxygen_saturation", "5000"),
        ("blood_pressure_systolic", "-1"),
        ("heart_rate", "1_000"),
        ("heart_rate", "٧٢"),
        ("heart_rate", "7²"),
        ("ecg_lead1", "1001"),
        ("ecg_lead1", "0x1p3"),
    ],
)
def test_d17_values_beyond_belief_are_refused(
    client: Client, name: str, text: str
) -> None:
    answer = client.ecg(**{name: text})

    assert answer.status == 400
    assert name in answer.json["error"]


@pytest.mark.parametrize("text", ["1.0e400", "1" * 15 + ".0", "1e999", "1.0e999"])
def test_d18_nothing_but_json_goes_over_the_wire(client: Client, text: str) -> None:
    assert client.ecg(ecg_lead1=text).status == 400
    client.image(picture(None))
    for path in ("/status", "/live", "/export"):
        assert ask(client.app, "GET", path).json


def test_d19_the_export_can_be_fetched_and_writes_nothing(client: Client) -> None:
    client.image(timestamp=STAMP)
    before = {path for path in client.folder.rglob("*") if "-" not in path.name}
    file = client.export()["file"]
    assert ask(client.app, "GET", f"/{file}").status == 200

    assert not file.startswith("/")
    after = {path for path in client.folder.rglob("*") if "-" not in path.name}
    assert after == before


def test_d20_an_export_of_nothing_says_so(client: Client) -> None:
    export = client.export()

    assert (export["records"], export["file"]) == (0, "")
    assert export["message"] != "Data exported successfully"


def test_d21_refused_pictures_leave_nothing_and_kept_ones_are_bounded(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.web.uploads.MOST_FILES", 3)
    for _ in range(6):
        client.image()
    client.image(b"junk" * 1000)

    assert len(client.uploads()) == 3


def test_d21_an_oversized_picture_is_refused_before_it_is_read(client: Client) -> None:
    listener = listen("127.0.0.1", 0)
    server = Server(client.app, listener)
    with socket.create_connection(listener.getsockname()[:2], timeout=20) as sock:
        sock.sendall(
            b"POST /process_image HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 300000000\r\n\r\n"
        )
        assert b" 413 " in sock.recv(4096)
    server.stop()


def bomb(width: int = 10_000, height: int = 10_000) -> bytes:
    """Return a PNG of one colour: few bytes, many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    row = bytes(1 + width)
    pixels = zlib.compressobj(9)
    data = b"".join(pixels.compress(row) for _ in range(height)) + pixels.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b""))
    )


def test_d22_a_decompression_bomb_is_refused_by_its_header(client: Client) -> None:
    data = bomb()
    assert len(data) < 400_000
    before = peak_rss()
    answer = client.image(data)

    assert answer.status in (400, 413)
    assert "image" in answer.json["error"]
    assert peak_rss() - before < 50_000_000


def peak_rss() -> int:
    """Return the most memory that this process has had, bytes."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def test_d23_stalled_clients_hold_no_thread_each(client: Client) -> None:
    listener = listen("127.0.0.1", 0)
    server = Server(client.app, listener)
    threads = threading.active_count()
    socks = [socket.create_connection(listener.getsockname()[:2]) for _ in range(300)]
    for sock in socks:
        sock.sendall(b"POST /process_ecg HTTP/1.1\r\nHost: localhost\r\nContent-Le")
    with socket.create_connection(listener.getsockname()[:2], timeout=20) as sock:
        sock.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 OK" in sock.recv(4096)

    assert threading.active_count() <= threads + 1
    for sock in socks:
        sock.close()
    server.stop()


def test_d24_a_match_among_many_records_is_not_searched_one_by_one(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.recorder.fill(np.arange(20_000, dtype=np.int64) * SECOND)
    read = []
    chunks = History.chunks

    def counted(past: History, begin: BoxNs, end: BoxNs) -> Iterator[EcgChunk]:
        for chunk in chunks(past, begin, end):
            read.append(chunk)
            yield chunk

    monkeypatch.setattr(History, "chunks", counted)
    data = client.image(timestamp="1970-01-01T02:00:00.4").json["data"]

    assert data["ecg_timestamp"] == "1970-01-01T02:00:00.000000"
    assert len(read) < 10


def test_d25_a_csv_is_never_written_in_place(client: Client) -> None:
    client.image(timestamp=STAMP)
    one = ask(client.app, "GET", "/export.csv").body
    two = ask(client.app, "GET", "/export.csv").body

    assert one == two
    assert one.endswith(b"\n")
    assert list(client.folder.rglob("*.csv")) == []


@pytest.mark.parametrize("part", [0.1, 0.33, 0.9])
def test_d26_a_truncated_jpeg_is_no_picture(client: Client, part: float) -> None:
    whole = picture(size=(320, 240), kind="JPEG")
    answer = client.image(whole[: int(len(whole) * part)])

    assert answer.status == 400
    assert "image" in answer.json["error"]


def test_d27_nothing_is_fetched_at_the_start() -> None:
    folder = Path(__file__).parent.parent / "edge"
    for path in folder.rglob("*.py"):
        text = path.read_text()
        for word in ("tfhub", "tensorflow_hub", "urlopen(", "import requests"):
            assert word not in text or path.name == "demo.py", path


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "http://evil.example"},
        {"sec_fetch_site": "cross-site"},
    ],
)
def test_d28_a_form_of_another_site_stores_nothing(
    client: Client, headers: dict[str, Any]
) -> None:
    answer = ask(client.app, "POST", "/process_ecg", **fields(**ECG), **headers)

    assert answer.status in (403, 421)
    assert client.status()["ecg_records_loaded"] == 0


def test_d29_no_answer_names_a_path_of_the_box(client: Client) -> None:
    said = [
        client.image().body,
        client.image(b"junk").body,
        client.ecg(**ECG).body,
        ask(client.app, "GET", "/export").body,
        ask(client.app, "GET", "/export.csv").body,
        ask(client.app, "GET", "/../etc/passwd").body,
    ]
    for body in said:
        assert str(client.folder).encode() not in body
        assert b"/tmp" not in body
        assert b"Traceback" not in body


@pytest.mark.parametrize(
    ("kind", "end"), [("BMP", ".bmp"), ("JPEG", ".jpg"), ("PNG", ".png")]
)
def test_d30_a_picture_is_called_what_it_is(
    client: Client, kind: str, end: str
) -> None:
    data = picture(size=(320, 240), kind=kind)
    path = client.image(data).json["data"]["image_path"]

    assert path.endswith(end)
    assert client.uploads()[0].read_bytes() == data
