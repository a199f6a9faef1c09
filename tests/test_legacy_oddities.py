"""
Defects of the original system, D31 to D37: the minor ones.

Each test is named after a defect that was measured in it, and fails on what it did.
"""

from pathlib import Path

import pytest
from legacy_rig import ECG, STAMP, Client
from web_rig import StoringRecorder, ask, picture

from edge.config import Settings
from edge.web.app import make_app


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
    assert "preventDefault" in (folder / "sending.js").read_text()


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
     "2025-06-29T14:22:01.500000000", "2025-06-29T14:22:01,500000000"],
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


@pytest.mark.parametrize(
    ("disposition", "boundary"),
    [
        ("form-data; name=image; filename=a.bmp; filename*=utf-8''a.bmp", "boundary=B"),
        ("form-data; name=\"image\"; filename*=utf-8''caf%C3%A9.bmp", "boundary=B"),
        ('form-data; Name="image"; FileName="a.bmp"', "boundary=B"),
        ('form-data; name="image"; filename="a \\"b\\"; name=x.bmp"', "boundary=B"),
        ('form-data; name="image"; filename="C:\\a\\"', "boundary=B"),
        ('form-data; name="image"; filename="a.bmp"', "Boundary=B"),
        ('form-data; name="image"; filename="a.bmp"', 'charset=utf-8; BOUNDARY="B"'),
    ],
)
def test_parameters_in_any_form_name_the_picture(
    client: Client, disposition: str, boundary: str
) -> None:
    head = f"--B\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
    answer = ask(
        client.app, "POST", "/process_image", head + picture() + b"\r\n--B--\r\n",
        content_type=f"multipart/form-data; {boundary}",
    )  # fmt: skip

    assert answer.status == 200, answer.body


def test_an_empty_file_name_is_none_in_any_form(client: Client) -> None:
    for name in ('filename=""', "filename*=utf-8''"):
        head = f'--B\r\nContent-Disposition: form-data; name="image"; {name}\r\n\r\n'
        answer = ask(
            client.app, "POST", "/process_image", head.encode() + b"x\r\n--B--\r\n",
            content_type="multipart/form-data; boundary=B",
        )  # fmt: skip
        assert answer.json["error"] == "No image file selected"


@pytest.mark.parametrize(
    "more", ["&note=Müller".encode(), b"&note=M%FCller", b"&note=M\xfcller", b"&%FF=1"]
)
def test_a_field_that_nobody_asks_for_loses_no_record(
    client: Client, more: bytes
) -> None:
    kind = {"content_type": "application/x-www-form-urlencoded"}
    answer = ask(client.app, "POST", "/process_ecg", b"heart_rate=72" + more, **kind)
    assert answer.status == 200, answer.body
    assert "note" not in answer.json["data"]

    for wrong in (b"heart_rate=72%FF", b"heart_rate=72&timestamp=%FF"):
        answer = ask(client.app, "POST", "/process_ecg", wrong, **kind)
        assert answer.status == 400
        assert answer.json["error"].split()[0].rstrip(":") in wrong.decode()
    assert client.status()["ecg_records_loaded"] == 1
