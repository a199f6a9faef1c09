"""`edge pose`: pictures of the drawn patient, and files that are no pictures."""

import csv
import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge.__main__ import main
from edge.join.columns import COLUMNS
from edge.patient.picture import Pictures
from edge.records import KEYPOINTS

MODEL = "movenet_lightning_int8.tflite"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the patient standing, turned to one side, and away."""
    folder = tmp_path_factory.mktemp("pictures")
    pictures = Pictures(640, 480, seed=1)
    standing = Image.fromarray(pictures.picture(2.0))
    standing.save(folder / "standing.png")
    standing.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png")
    Image.fromarray(pictures.picture(50.0)).save(folder / "empty.png")
    np.save(folder / "truth.npy", pictures.truth(2.0)[:, :2])
    return folder


def in_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[Json]:
    capsys.readouterr()
    assert main(["pose", "--json", *map(str, arguments)]) == 0
    found: list[Json] = json.loads(capsys.readouterr().out)
    return found


def places(result: Json) -> np.ndarray:
    return np.array([(point["x"], point["y"]) for point in result["keypoints"]])


def test_json_says_where_the_body_is_and_who_found_it(
    patient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = in_json(capsys, patient / "standing.png")

    assert found["picture"] == str(patient / "standing.png")
    assert (found["state"], found["width"], found["height"]) == ("pose", 640, 480)
    assert (found["model"], found["device"]) == (MODEL, "cpu")
    assert found["inference_ms"] > 0
    assert [point["name"] for point in found["keypoints"]] == list(KEYPOINTS)
    away = np.hypot(*(places(found) - np.load(patient / "truth.npy")).T)
    assert np.median(away) < 10


def test_a_turned_picture_gives_the_same_upright(
    patient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (upright,) = in_json(capsys, patient / "standing.png")
    (turned,) = in_json(capsys, "--rotation", 90, patient / "turned.png")

    (found,) = in_json(capsys, patient / "turned.png")
    (as_it_is,) = in_json(capsys, "--rotation", 0, patient / "turned.png")

    assert (turned["width"], turned["height"], turned["rotation"]) == (640, 480, 90)
    assert found["keypoints"] == turned["keypoints"]
    assert (as_it_is["width"], as_it_is["rotation"]) == (480, 0)
    assert np.median(np.abs(places(turned) - places(upright))) < 3


def test_an_empty_room_has_no_keypoints(
    patient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = in_json(capsys, patient / "empty.png")

    assert (found["state"], found["keypoints"]) == ("no pose", [])


def test_csv_has_columns_of_the_joined_table(
    patient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = in_json(capsys, patient / "standing.png", patient / "empty.png")
    assert main(["pose", "--csv", *(str(result["picture"]) for result in found)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

    assert set(rows[0]) <= {column.name for column in COLUMNS}
    assert [row["pose_detected"] for row in rows] == ["True", "False"]
    assert [row["pose_state"] for row in rows] == ["pose", "no pose"]
    for point in found[0]["keypoints"]:
        values = [
            float(rows[0][f"{point['name']}_{part}"])
            for part in ("x", "y", "confidence")
        ]
        assert values == pytest.approx([point["x"], point["y"], point["score"]])
        assert rows[1][f"{point['name']}_x"] == ""


def test_people_read_a_line_for_each_keypoint(
    patient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["pose", str(patient / "standing.png"), str(patient / "empty.png")]) == 0
    )
    lines = capsys.readouterr().out.splitlines()

    assert f"standing.png: pose, 640×480, {MODEL} on cpu, " in lines[0]
    assert [line.split()[0] for line in lines[1:18]] == list(KEYPOINTS)
    assert "empty.png: no pose" in lines[18]
    assert len(lines) == 19


def huge_png(path: Path, side: int) -> Path:
    """Write a black picture of *side* × *side* RGB pixels that takes little room."""
    squeeze = zlib.compressobj(9)
    row = bytes(1 + 3 * side)
    data = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", data),
        (b"IEND", b""),
    ]
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, body in chunks:
            checksum = struct.pack(">I", zlib.crc32(name + body))
            file.write(struct.pack(">I", len(body)) + name + body + checksum)
    return path


def test_bad_files_are_a_line_each_and_stop_nothing(
    patient: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good = patient / "standing.png"
    (tmp_path / "notes.jpg").write_text("no picture at all")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:100_000])
    huge_png(tmp_path / "huge.png", 10_000)
    (tmp_path / "folder").mkdir()
    names = ["notes.jpg", "cut.png", "huge.png", "folder", "absent.png"]

    status = main(["pose", *(str(tmp_path / name) for name in names), str(good)])

    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert status == 1
    assert [line.split(": ")[1] for line in lines] == [str(tmp_path / n) for n in names]
    assert "cannot be read as one of JPEG" in lines[0]
    assert "10000 × 10000 pixels are too many" in lines[2]
    assert lines[3].endswith("it cannot be read: Is a directory")
    assert lines[4].endswith("it cannot be read: No such file or directory")
    assert out.startswith(f"{good}: pose")


def test_a_huge_picture_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """Unpacked it would take 300 MB; the child may have 60 MB more than it started."""
    path = huge_png(tmp_path / "huge.png", 10_000)
    assert path.stat().st_size < 400_000
    program = f"""
import resource
from pathlib import Path
from edge.errors import PictureError
from edge.pictures import read_picture_file
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20),) * 2)
try:
    read_picture_file(Path({str(path)!r}))
except PictureError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )

    assert "too many" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["wrong.tflite", "/absent/x.tflite", "x.tflite"])
def test_wrong_model_is_one_line(
    name: str, patient: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.tflite").write_bytes(b"TFL3 but not ours")
    model = tmp_path / name if name.startswith("wrong") else name

    status = main(["pose", "--model", str(model), str(patient / "standing.png")])

    out, err = capfd.readouterr()
    assert (status, out) == (1, "")
    assert err.startswith("edge: ")
    assert len(err.splitlines()) == 1


def test_runtime_says_nothing_of_itself(
    patient: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["pose", str(patient / "empty.png")]) == 0

    assert capfd.readouterr().err == ""


def test_a_name_of_any_bytes_is_printed_in_one_line(
    patient: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / b"=a\xffb\nc.png".decode(errors="surrogateescape")
    path.write_bytes((patient / "empty.png").read_bytes())

    assert main(["pose", "--csv", str(path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
