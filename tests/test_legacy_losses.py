"""
Defects of the original system, D1 to D13: what was lost or wrong.

Each test is named after a defect that was measured in it, and fails on what it did.
"""

import re
import socket
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from legacy_rig import ECG, STAMP, Client
from web_rig import SECOND, form, picture

from edge.web.server import Server, listen


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
