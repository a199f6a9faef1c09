"""`edge pose`: the keypoints of pictures, for people, as JSON or as CSV."""

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from edge.errors import PictureError
from edge.export.cells import guarded
from edge.join.columns import COLUMNS, Cell
from edge.models import DEFAULT, Model, find_model, load_model
from edge.pictures import read_picture_file
from edge.pose import Estimate, estimate
from edge.pose.crop import Rotation
from edge.records import KEYPOINTS

PARTS = ("y", "x", "confidence")
HEADER = (
    "image_path", "pose_detected",
    *(f"{name}_{part}" for name in KEYPOINTS for part in PARTS),
    "pose_state", "picture_width", "picture_height", "rotation",
    "model", "device", "inference_ms",
)  # fmt: skip
"""Those columns of a joined row that a picture alone has."""
FORMS = {column.name: column.form for column in COLUMNS}


class Result(NamedTuple):
    """What was found in one picture, and by what."""

    picture: str
    found: Estimate
    model: Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the pictures, how they are turned, and the form of the answer."""
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE")
    parser.add_argument(
        "--rotation",
        choices=("auto", "0", "90", "180", "270"),
        default="auto",
        help="degrees to turn the pictures clockwise so that heads are up;"
        " auto takes what the model sees best (default)",
    )
    parser.add_argument(
        "--model",
        default=DEFAULT,
        metavar="FILE",
        help=f"a file, or a name in the models folder (default: {DEFAULT})",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON array")
    form.add_argument("--csv", action="store_true", help="one line a picture")


def run(arguments: argparse.Namespace) -> int:
    """Print what is in each picture; 1 if one cannot be looked at."""
    given = Path(arguments.model)
    with quiet_libraries():
        model = load_model(given if given.is_file() else find_model(arguments.model))
    failed: list[Path] = []
    results = look(arguments, model, failed)
    if arguments.json:
        print(json.dumps([as_json(result) for result in results], indent=1))
    elif arguments.csv:
        write_csv(results)
    else:
        for result in results:
            print(as_text(result), flush=True)
    return int(bool(failed))


def look(
    arguments: argparse.Namespace, model: Model, failed: list[Path]
) -> Iterator[Result]:
    """Yield the result of each picture; say why of those that go to *failed*."""
    given = arguments.rotation
    rotation = None if given == "auto" else cast(Rotation, int(given))
    for path in arguments.pictures:
        try:
            pixels = read_picture_file(path)
        except PictureError as error:
            print(f"edge: {printable(path)}: {error}", file=sys.stderr, flush=True)
            failed.append(path)
            continue
        found = estimate(model, pixels, rotation)
        yield Result(printable(path), found, model)


def as_text(result: Result) -> str:
    """Return a few lines for people."""
    picture, found, model = result
    words = (
        f"{picture}: {found.state}, {found.width}×{found.height}, "
        f"{model.name} on {model.device}, {found.inference_ms:.1f} ms"
    )
    points = found.keypoints.tolist() if found.state == "pose" else []
    lines = [
        f"  {name:15} x {x:7.1f}  y {y:7.1f}  score {score:.2f}"
        for name, (x, y, score) in zip(KEYPOINTS, points, strict=False)
    ]
    return "\n".join([words, *lines])


def as_json(result: Result) -> dict[str, object]:
    """Return every field; no keypoints where there is no pose."""
    picture, found, model = result
    points = found.keypoints.tolist() if found.state == "pose" else []
    keypoints = [
        {"name": name, "x": round(x, 2), "y": round(y, 2), "score": round(score, 4)}
        for name, (x, y, score) in zip(KEYPOINTS, points, strict=False)
    ]
    return {
        "picture": picture,
        "state": found.state,
        "width": found.width,
        "height": found.height,
        "rotation": found.rotation,
        "model": model.name,
        "device": model.device,
        "inference_ms": round(found.inference_ms, 2),
        "keypoints": keypoints,
    }


def write_csv(results: Iterator[Result]) -> None:
    """Print HEADER and a line for each of *results* as it comes."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(HEADER)
    for result in results:
        values = zip(HEADER, csv_cells(result), strict=True)
        out.writerow("" if v is None else FORMS[name] % v for name, v in values)
        sys.stdout.flush()


def csv_cells(result: Result) -> list[Cell]:
    """Return the value of each column of HEADER; no keypoints without a pose."""
    picture, found, model = result
    pose = found.state == "pose"
    numbers = found.keypoints[:, (1, 0, 2)].ravel().tolist()
    return [
        guarded(picture), pose, *(numbers if pose else [None] * len(numbers)),
        found.state, found.width, found.height, found.rotation,
        model.name, model.device, found.inference_ms,
    ]  # fmt: skip


def printable(path: Path) -> str:
    """Return *path* as one line of text, whatever bytes its name has."""
    name = os.fsencode(path).decode(errors="replace")
    return "".join(letter if letter.isprintable() else "�" for letter in name)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep what the runtime prints about itself, past Python, from the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
