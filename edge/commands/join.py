"""`edge join`: poses and ECG of two CSV files, joined as the box joins them."""

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from edge.commands import number
from edge.errors import InputError
from edge.export.cells import FORMULA_STARTS, guarded
from edge.join.sheets import Joined, Sheet, join_sheets, number_of, read_sheet

SHOWN = 5
"""Rows left out that are named one by one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the two files, the tolerance and where the answer goes."""
    add = parser.add_argument
    add("poses", type=Path, metavar="POSE.csv", help="a column 'timestamp' and others")
    add("ecg", type=Path, metavar="ECG.csv", help="'timestamp', leads, vitals")
    add(
        "--tolerance-ms",
        type=milliseconds,
        default=1000.0,
        metavar="MS",
        help="furthest ECG that still belongs to a pose, inclusive; default: 1000",
    )
    add(
        "--ecg-window-ms",
        type=milliseconds,
        default=0.0,
        metavar="MS",
        help="also the raw ECG around each pose, so long in all",
    )
    add(
        "--time-zone",
        default="UTC",
        metavar="ZONE",
        help="of stamps that name none, as Europe/Berlin; default: UTC",
    )
    add(
        "--on",
        choices=("box", "utc"),
        default="",
        help="join on box time or on UTC; default: box time where both files have that "
        "of one box",
    )
    add("--output", required=True, metavar="OUT.csv", help="- for standard output")


def milliseconds(text: str) -> float:
    """Return a length in milliseconds, which may not be negative."""
    return number(text, 0, 3_600_000, "is no length: 0 to 3600000 ms")


def run(arguments: argparse.Namespace) -> int:
    """Write the joined table; 0 also where nothing matched, for that is an answer."""
    poses = read_sheet(arguments.poses, "pose_box", arguments.time_zone)
    ecg = read_sheet(arguments.ecg, "box", arguments.time_zone)
    joined = join_sheets(
        poses,
        ecg,
        round(arguments.tolerance_ms * 1e6),
        round(arguments.ecg_window_ms * 1e6),
        arguments.on,
    )
    save(joined, arguments.output, (arguments.poses, arguments.ecg))
    tell(poses, ecg, joined)
    return 0


def save(joined: Joined, place: str, inputs: Sequence[Path]) -> None:
    """
    Write *joined* to *place*, whole or not at all; into a pipe or a device as it is.

    :raises InputError: if it cannot be written there, or *place* is one of *inputs*
    """
    if place == "-":
        write(joined, sys.stdout)
        return
    path = Path(place)
    try:
        if any(path.exists() and path.samefile(given) for given in inputs):
            raise InputError(f"{place} is one of the two files; choose another name")
        if path.exists() and not path.is_file():
            with path.open("w", newline="", encoding="utf-8") as file:
                write(joined, file)
        else:
            replace(path.resolve(), joined)  # what a link means, not the link
    except OSError as error:
        raise InputError(f"{place} cannot be written: {error.strerror}") from error


def replace(path: Path, joined: Joined) -> None:
    """Write *joined* beside *path* and put it there once it is whole."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    with aside.open("x", newline="", encoding="utf-8") as file:
        try:
            write(joined, file)
            file.flush()
            os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


def write(joined: Joined, file: TextIO) -> None:
    """Write the header and the rows as CSV."""
    out = csv.writer(file, lineterminator="\n")
    out.writerow([safe(name) for name in joined.columns])
    for row in joined.rows:
        out.writerow([safe(row.get(name, "")) for name in joined.columns])


def safe(text: str) -> str:
    """Return *text* such that no spreadsheet runs it, one or more numbers as is."""
    if text.startswith(FORMULA_STARTS) and not all(map(number_of, text.split(" "))):
        return guarded(text)
    return text


def tell(poses: Sheet, ecg: Sheet, joined: Joined) -> None:
    """Say on standard error how many rows found their ECG and which were left out."""
    skipped = [*poses.skipped, *ecg.skipped]
    for line in skipped[:SHOWN]:
        print(f"left out: {line}", file=sys.stderr)
    if len(skipped) > SHOWN:
        print(f"left out: {len(skipped) - SHOWN} rows more", file=sys.stderr)
    total = len(joined.rows)
    print(
        f"{joined.matched} of {total} poses have their ECG, "
        f"{total - joined.matched} have none within the tolerance",
        file=sys.stderr,
    )
