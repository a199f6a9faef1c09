"""The original system's addresses: what their users rely on."""

import json
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from legacy_rig import COLUMNS, ECG, STAMP, Client
from web_rig import SECOND, ask, fields, form, picture

from edge.config import Join, Settings
from edge.records import BoxNs, ClockReading, UtcNs
from edge.web.app import make_app
from edge.web.box import ARRIVED
from edge.web.server import Server, listen


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


def test_status_answers_head(client: Client) -> None:
    assert ask(client.app, "HEAD", "/status").status == 200


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/status", "GET, HEAD, OPTIONS"),
        ("/process_image", "OPTIONS, POST"),
        ("/process_ecg", "OPTIONS, POST"),
        ("/export", "GET, HEAD, OPTIONS"),
        ("/exports", "GET, HEAD, OPTIONS, POST"),
        ("/static/page.css", "GET, HEAD, OPTIONS"),
    ],
)
def test_every_address_says_how_it_may_be_asked(
    client: Client, path: str, allow: str
) -> None:
    answer = ask(client.app, "OPTIONS", path)

    assert (answer.status, answer.headers["allow"]) == (200, allow)
    assert answer.body == b""
    assert "allow" in ask(client.app, "DELETE", path).headers


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


def test_process_image_has_the_fields_of_the_matching_record_alone(
    client: Client,
) -> None:
    client.ecg(**ECG, timestamp="2024-01-01T10:00:00")  # of another year and person
    client.ecg(heart_rate=75, ecg_lead1=0.5, timestamp=STAMP)

    data = client.image(timestamp=STAMP).json["data"]

    matched = {name: data[name] for name in ECG}
    absent = dict.fromkeys(ECG)
    assert matched == absent | {"heart_rate": 75, "ecg_lead1": 0.5}


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
