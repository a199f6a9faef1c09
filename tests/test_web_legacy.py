"""
The original system's addresses: its contract, and its 37 defects.

The tests D1 to D37 are named after the defects that were measured in it; each fails
on what it did.
"""

import csv
import io
import json
import re
import socket
import struct
import threading
import time
import tomllib
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from web_rig import SECOND, Answer, StoringRecorder, ask, fields, form, picture

from edge.config import Join, Settings
from edge.history import History
from edge.records import KEYPOINTS, BoxNs, ClockReading, EcgChunk, UtcNs
from edge.web.app import make_app
from edge.web.box import ARRIVED
from edge.web.server import Server, listen

ECG = {
    "heart_rate": 72,
    "ecg_lead1": 0.85,
    "ecg_lead2": 1.25,
    "ecg_lead3": -0.4,
    "blood_pressure_systolic": 120,
    "blood_pressure_diastolic": 80,
    "oxygen_saturation": 98,
}
POINTS = [f"{name}_{part}" for name in KEYPOINTS for part in ("y", "x", "confidence")]
COLUMNS = [
    "timestamp", "image_path", "pose_detected", *POINTS, "ecg_timestamp",
    "heart_rate", "ecg_lead1", "ecg_lead2", "ecg_lead3", "blood_pressure_systolic",
    "blood_pressure_diastolic", "oxygen_saturation", "ecg_matched",
]  # fmt: skip
STAMP = "2025-06-29T14:22:01.500000"


class Client:
    """A script of the original system's users."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder = folder
        self.recorder = StoringRecorder(folder)
        self.app = make_app(
            self.recorder.path, self.recorder, settings or Settings(), folder / "web"
        )

    def ecg(self, **values: object) -> Answer:
        return ask(self.app, "POST", "/process_ecg", **fields(**values))

    def image(self, data: bytes | None = None, **more: Any) -> Answer:
        image = ("photo.bmp", picture() if data is None else data)
        return ask(self.app, "POST", "/process_image", **form(image=image, **more))

    def status(self) -> Any:
        return ask(self.app, "GET", "/status").json

    def export(self) -> Any:
        return ask(self.app, "GET", "/export").json

    def rows(self) -> list[dict[str, str]]:
        text = ask(self.app, "GET", "/export.csv").body.decode()
        return list(csv.DictReader(io.StringIO(text)))

    def uploads(self) -> list[Path]:
        folder = self.folder / "web" / "uploads"
        return sorted(folder.iterdir()) if folder.exists() else []


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    yield client
    client.recorder.close()


# ------------------------------------------------------------------------- contract


def test_page_holds_both_forms_and_both_links(client: Client) -> None:
    html = ask(client.app, "GET", "/").body.decode()

    assert re.search(r'action="process_image"[^>]*enctype="multipart/form-data"', html)
    assert 'name="image"' in html
    assert 'name="timestamp"' in html
    assert 'action="process_ecg"' in html
    for name in ECG:
        assert f'name="{name}"' in html
    assert 'href="export"' in html
    assert 'href="status"' in html


def test_status_has_the_five_keys(client: Client) -> None:
    status = client.status()

    assert status["status"] == "running"
    assert status["ecg_records_loaded"] == 0
    assert status["integrated_records"] == 0
    assert status["pose_detector_ready"] is True
    assert "T" in status["server_time"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_status_answers_other_methods(client: Client, method: str) -> None:
    assert ask(client.app, method, "/status").status == 200


def test_process_image_answers_the_63_fields(client: Client) -> None:
    client.ecg(timestamp="2025-06-29T14:22:01.300000", **ECG)
    answer = client.image(timestamp=STAMP)

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"data", "message", "status"}
    assert answer.json["message"] == "Image processed successfully"
    assert answer.json["status"] == "success"
    data = answer.json["data"]
    assert sorted(data) == sorted(COLUMNS)
    assert data["timestamp"] == STAMP
    assert data["pose_detected"] is True
    assert (data["nose_x"], data["nose_y"]) == (40.0, 30.0)
    assert data["nose_confidence"] == pytest.approx(0.9, abs=1e-4)
    assert data["ecg_timestamp"] == "2025-06-29T14:22:01.300000"
    assert {name: data[name] for name in ECG} == ECG
    assert data["ecg_matched"] is True
    assert list(answer.json) == sorted(answer.json), "keys sorted"
    assert list(data) == sorted(data)


def test_process_image_without_a_match_has_nulls(client: Client) -> None:
    client.ecg(timestamp="2025-06-29T14:22:03.500000", **ECG)
    data = client.image(timestamp=STAMP).json["data"]

    assert data["ecg_matched"] is False
    assert {data[name] for name in ("ecg_timestamp", *ECG)} == {None}


@pytest.mark.parametrize(
    ("tolerance_ms", "matched"), [(1000.0, True), (999.999, False)]
)
def test_tolerance_is_inclusive_and_can_be_set(
    tmp_path: Path, tolerance_ms: float, matched: bool
) -> None:
    client = Client(tmp_path, Settings(join=Join(tolerance_ms)))
    client.ecg(timestamp="2025-06-29T14:22:02.500000", **ECG)
    data = client.image(timestamp=STAMP).json["data"]

    assert data["ecg_matched"] is matched
    client.recorder.close()


def test_process_ecg_answers_the_given_fields(client: Client) -> None:
    answer = client.ecg(heart_rate=72, ecg_lead1="0.850", unknown="x", ecg_lead2="")

    assert answer.status == 200
    assert answer.json["message"] == "ECG data processed successfully"
    data = answer.json["data"]
    assert data["heart_rate"] == 72
    assert isinstance(data["heart_rate"], int)
    assert data["ecg_lead1"] == 0.85
    assert data["pose_detected"] is False
    assert set(data) == {
        "heart_rate", "ecg_lead1", "pose_detected", "ecg_matched", "timestamp",
    }  # fmt: skip


def test_process_ecg_takes_multipart_and_the_first_of_doubles(client: Client) -> None:
    multipart = ask(client.app, "POST", "/process_ecg", **form(heart_rate="60"))
    doubled = ask(
        client.app, "POST", "/process_ecg", b"heart_rate=61&heart_rate=99",
        content_type="application/x-www-form-urlencoded",
    )  # fmt: skip

    assert multipart.json["data"]["heart_rate"] == 60
    assert doubled.json["data"]["heart_rate"] == 61


@pytest.mark.parametrize(
    "given",
    [
        {},
        fields(other="1"),
        fields(heart_rate="", ecg_lead1=""),
        {"body": b'{"heart_rate": 72}', "content_type": "application/json"},
    ],
)
def test_process_ecg_without_fields(client: Client, given: dict[str, Any]) -> None:
    answer = ask(client.app, "POST", "/process_ecg?heart_rate=72", **given)

    assert answer.status == 400
    assert answer.json == {"error": "No ECG data provided"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        form(image="text, not a file"),
        form(other=("a.bmp", b"x")),
        {"body": b"{}", "content_type": "application/json"},
        fields(image="x"),
    ],
)
def test_process_image_without_a_file(client: Client, given: dict[str, Any]) -> None:
    answer = ask(client.app, "POST", "/process_image", **given)

    assert answer.status == 400
    assert answer.json == {"error": "No image file provided"}


def test_process_image_without_a_file_name(client: Client) -> None:
    answer = ask(client.app, "POST", "/process_image", **form(image=("", picture())))

    assert answer.status == 400
    assert answer.json == {"error": "No image file selected"}


def test_export_says_how_many_and_where(client: Client) -> None:
    client.image(timestamp=STAMP)
    export = client.export()

    assert export["records"] == 1
    assert export["message"] == "Data exported successfully"
    assert export["status"] == "success"
    text = ask(client.app, "GET", "/" + export["file"])
    assert text.status == 200
    assert text.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
def test_export_answers_what_the_client_accepts(
    client: Client, accept: str, kind: str
) -> None:
    client.image(timestamp=STAMP)
    answer = ask(client.app, "GET", "/export", accept=accept)

    assert answer.status == 200
    assert answer.headers["content-type"].startswith(kind)


def test_csv_begins_with_the_63_columns(client: Client) -> None:
    client.ecg(timestamp="2025-06-29T14:22:01", **ECG)
    client.image(timestamp=STAMP)
    text = ask(client.app, "GET", "/export.csv").body.decode()
    header = text.splitlines()[0].split(",")
    matched = [row for row in client.rows() if row["pose_detected"] == "True"]

    assert header[:63] == COLUMNS
    assert len(matched) == 1
    assert float(matched[0]["nose_x"]) == 40
    assert float(matched[0]["heart_rate"]) == 72
    assert matched[0]["ecg_matched"] == "True"


# -------------------------------------------------------------- what was lost or wrong


def test_d1_a_valid_picture_is_answered_with_200_and_stored_once(
    client: Client,
) -> None:
    assert client.image().status == 200
    assert client.status()["integrated_records"] == 1


def test_d2_everything_that_is_imported_is_a_dependency() -> None:
    root = Path(__file__).parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = {re.split("[<>=]", name)[0] for name in project["dependencies"]}

    assert {"numpy", "bottle", "cheroot", "pillow", "ai-edge-litert"} <= wanted


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (300, 40)])
def test_d3_keypoints_lie_in_pixels_of_the_picture(
    client: Client, size: tuple[int, int]
) -> None:
    spot = (size[0] - 20, size[1] // 3)
    data = client.image(picture(spot, size)).json["data"]

    assert (data["left_wrist_x"], data["left_wrist_y"]) == spot


def test_d3_keypoints_of_a_large_picture_lie_in_its_own_pixels(client: Client) -> None:
    data = client.image(picture((3000, 1000), (4000, 3000), "PNG")).json["data"]

    assert data["nose_x"] == pytest.approx(3000, abs=4)
    assert data["nose_y"] == pytest.approx(1000, abs=4)


def test_d4_pictures_of_the_same_second_are_all_kept(client: Client) -> None:
    paths = {client.image().json["data"]["image_path"] for _ in range(10)}

    assert len(paths) == 10
    assert {path.name for path in client.uploads()} == paths


def test_d5_each_of_many_pictures_at_once_gets_its_own_pose(client: Client) -> None:
    spots = [(8 + 2 * n, 10 + n % 40) for n in range(40)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda spot: client.image(picture(spot)), spots))

    found = [(a.json["data"]["nose_x"], a.json["data"]["nose_y"]) for a in answers]
    assert found == spots
    kept = sorted(path.read_bytes() for path in client.uploads())
    assert kept == sorted(picture(spot) for spot in spots)


def test_d6_a_restart_loses_nothing(client: Client) -> None:
    client.image(timestamp=STAMP)
    for number in range(5):
        client.ecg(timestamp=f"2025-06-29T14:22:0{number}", **ECG)
    before = client.status()
    client.recorder.restart()

    after = client.status()
    for name in ("ecg_records_loaded", "integrated_records"):
        assert after[name] == before[name] > 0


def test_d7_an_export_after_a_restart_has_the_rows_of_before(client: Client) -> None:
    for number in range(5):
        client.image(timestamp=f"2025-06-29T14:22:0{number}")
    assert client.export()["records"] == 5
    client.recorder.restart()
    client.image(timestamp="2025-06-29T14:23:00")

    assert client.export()["records"] == 6
    assert len(client.rows()) == 6


@pytest.mark.parametrize("ecg", ["2025-06-29T14:22:01Z", "2025-06-29T16:22:01+02:00"])
@pytest.mark.parametrize(
    "image", [STAMP + "Z", "2025-06-29T16:22:01.5+02:00", "2025-06-29T09:22:01-0500"]
)
def test_d8_stamps_with_a_zone_match(client: Client, ecg: str, image: str) -> None:
    client.ecg(timestamp=ecg, **ECG)
    zoned = client.image(timestamp=image)
    plain = client.image(timestamp=STAMP)

    assert zoned.json["data"]["timestamp"] == image
    assert zoned.json["data"]["ecg_matched"] is True
    assert plain.json["data"]["ecg_matched"] is True


def test_d9_the_stamp_of_an_ecg_record_is_kept(client: Client) -> None:
    answer = client.ecg(timestamp="2025-06-29T14:22:09", **ECG)
    data = client.image(timestamp="2025-06-29T14:22:09").json["data"]

    assert answer.json["data"]["timestamp"] == "2025-06-29T14:22:09"
    assert data["ecg_matched"] is True


def test_d10_a_picture_without_a_stamp_is_of_the_upload_s_beginning(
    client: Client,
) -> None:
    listener = listen("127.0.0.1", 0)
    server = Server(client.app, listener)
    given = form(image=("a.bmp", picture(size=(200, 200))))  # over the small body size
    body = given["body"]
    head = (
        f"POST /process_image HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: {given['content_type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(listener.getsockname()[:2], timeout=20) as sock:
        sock.sendall(head[:50])
        began = time.monotonic()
        time.sleep(1.2)  # an upload that takes its time is what this is about
        sock.sendall(head[50:] + body[:100])
        sock.sendall(body[100:])
        said = b"".join(iter(lambda: sock.recv(65536), b""))
    took = time.monotonic() - began
    server.stop()

    assert b" 200 OK" in said
    finished = client.recorder.state().now  # the recorder's clock stands in this rig
    assert took > 1.2
    assert (finished - pose_box(client)) / 1e9 > 1.0


def pose_box(client: Client) -> int:
    """Return the box time of the newest pose."""
    row = client.rows()[-1]
    return int(row["pose_box_s"]) * SECOND + int(row["pose_box_ns"])


def test_d11_no_request_disables_the_export(client: Client) -> None:
    assert client.ecg(heart_rate="9" * 400).status == 400
    client.image(timestamp=STAMP)

    assert client.export()["records"] == 1
    assert len(client.rows()) == 1


@pytest.mark.parametrize(
    "stamp",
    ["2025-06-29T14:22:01", "2025-06-29T14:22:01Z", "2025-06-29 14:22:01.123456789"],
)
def test_d12_an_odd_stamp_costs_no_other_record(client: Client, stamp: str) -> None:
    client.ecg(timestamp="2025-06-29T14:22:01.4", **ECG)
    assert client.ecg(timestamp="nonsense", **ECG).status == 400
    assert client.ecg(timestamp=stamp, **ECG).status == 200

    assert client.status()["ecg_records_loaded"] == 2


def test_d13_server_times_say_their_zone(client: Client) -> None:
    status = client.status()
    data = client.ecg(**ECG).json["data"]
    image = client.image().json["data"]

    for text in (status["server_time"], data["timestamp"], image["timestamp"]):
        assert re.search(r"(\+00:00|Z)$", text), text


# ------------------------------------------------------------- contract and robustness


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
    client: Client, headers: dict[str, str]
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


# ----------------------------------------------------------------------------- minor


def test_d31_columns_and_numbers_do_not_depend_on_what_came_first(
    tmp_path: Path,
) -> None:
    texts = []
    for number, first in enumerate(("ecg", "image")):
        folder = tmp_path / str(number)
        folder.mkdir()
        client = Client(folder)
        if first == "ecg":
            client.ecg(timestamp="2025-06-29T14:22:01", heart_rate=72)
        client.image(timestamp=STAMP)
        client.ecg(timestamp="2025-06-29T14:22:01", **ECG)
        client.image(timestamp="2025-06-29T14:22:01.6")
        texts.append(ask(client.app, "GET", "/export.csv").body.decode())
        rates = {row["heart_rate"] for row in client.rows()} - {""}
        assert len(rates) == 1
        client.recorder.close()

    headers = [text.splitlines()[0] for text in texts]
    assert headers[0] == headers[1]


def test_d32_the_page_shows_the_state_and_its_forms_stay_on_it() -> None:
    folder = Path(__file__).parent.parent / "edge/web/static"
    html = (folder / "index.html").read_text()

    assert "Running" not in html
    assert "Ready" not in html
    assert "preventDefault" in (folder / "page.js").read_text()


@pytest.mark.parametrize("size", [(1, 2000), (2000, 1), (1, 1)])
def test_d33_a_thin_picture_is_no_server_error(
    client: Client, size: tuple[int, int]
) -> None:
    answer = client.image(picture(None, size, "PNG"))

    assert answer.status in (200, 400)
    assert "tensor" not in answer.body.decode().lower()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/process_ecg", 405),
        ("POST", "/status", 405),
        ("DELETE", "/", 405),
        ("PUT", "/export", 405),
    ],
)
def test_d34_every_error_is_json(
    client: Client, method: str, path: str, status: int
) -> None:
    answer = ask(client.app, method, path)

    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["error"]


@pytest.mark.parametrize(
    "stamp",
    ["2025-06-29T14:22:01.5", "20250629T142201.5", "2025-06-29 14:22:01.500",
     "2025-06-29T14:22:01.500000000"],
)  # fmt: skip
def test_d35_the_usual_iso_forms_are_understood(client: Client, stamp: str) -> None:
    client.ecg(timestamp=STAMP, **ECG)
    data = client.image(timestamp=stamp).json["data"]

    assert data["ecg_matched"] is True
    assert data["ecg_timestamp"] == STAMP


def test_d36_the_page_makes_no_folder_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    recorder = StoringRecorder(data)
    before = set(tmp_path.rglob("*"))
    app = make_app(recorder.path, recorder, Settings(), tmp_path / "web")
    ask(app, "GET", "/status")

    made = {path.name for path in set(tmp_path.rglob("*")) - before}
    assert not {name for name in made if not name.startswith("recording.db")}
    recorder.close()


def test_d37_nothing_ships_invented_vital_signs() -> None:
    folder = Path(__file__).parent.parent / "edge"
    assert list(folder.rglob("*.csv")) == []


# ------------------------------------------------------------------ nothing half done


def test_a_picture_that_was_not_looked_at_is_not_kept(client: Client) -> None:
    client.recorder.silent = True
    answer = client.image()

    assert answer.status == 503
    assert client.uploads() == []


def test_old_records_keep_their_distance_when_the_clock_is_set(
    client: Client,
) -> None:
    client.ecg(timestamp="2024-06-29T14:22:01.300000", **ECG)
    recorder = client.recorder
    step = 3600 * SECOND
    at = BoxNs(recorder.now + SECOND)
    recorder.keep(ClockReading(1, at, UtcNs(at + step), True, step))
    client.app = make_app(recorder.path, recorder, Settings(), client.folder / "web")

    data = client.image(timestamp="2024-06-29T14:22:01.5").json["data"]
    assert data["ecg_timestamp"] == "2024-06-29T14:22:01.300000"


def test_arrival_is_known_to_the_application(client: Client) -> None:
    seen: list[float] = []

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        seen.append(environ[ARRIVED])
        start("200 OK", [("Content-Length", "0")])
        return [b""]

    listener = listen("127.0.0.1", 0)
    server = Server(app, listener)
    before = time.monotonic()
    with socket.create_connection(listener.getsockname()[:2], timeout=20) as sock:
        for _ in range(2):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 OK" in sock.recv(4096)
    server.stop()

    assert before <= seen[0] <= seen[1] <= time.monotonic()
    assert json.dumps(seen)
