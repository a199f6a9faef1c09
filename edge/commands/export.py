"""`edge export`: files of the recording, in a folder or as one CSV."""

import argparse
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from edge import config
from edge.clock import read_wall
from edge.export import TABLES, WRITERS, Options
from edge.export.csv import make_table, write_table
from edge.export.folder import DiskFolder
from edge.export.job import Job, Progress, Request, span_of_earlier
from edge.export.output import LARGEST_PART, Output
from edge.export.recording import Recording
from edge.export.span import find_span
from edge.history import History

CONFIG = Path("/etc/ecg-pose-edge/edge.toml")
REDRAW_EVERY_S = 0.2
SMALLEST_PART_MB = 8.0
"""Several blocks of text and a header fit."""
BAR_WIDTH = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take a stretch, a place and what goes there."""
    # "-1h" is a value here and no option; argparse knows plain numbers only as such.
    parser._negative_number_matcher = re.compile(r"^-\d+(\.\d+)?[smhd]?$")
    add = parser.add_argument
    add(
        "--from",
        dest="first",
        default="",
        metavar="TIME",
        help="ISO time, or -1h back from the newest record; default: the beginning",
    )
    add(
        "--to",
        dest="until",
        default="",
        metavar="TIME",
        help="the same; default: the end",
    )
    add(
        "--output",
        required=True,
        metavar="DIR|FILE.csv|-",
        help="folder for all files; or the joined table alone, - to standard output",
    )
    add(
        "--formats",
        type=names_of(WRITERS),
        default=("csv",),
        metavar="LIST",
        help=f"of {', '.join(WRITERS)}; default: csv",
    )
    add(
        "--tables",
        type=names_of(TABLES),
        default=TABLES,
        metavar="LIST",
        help=f"of {', '.join(TABLES)}; default: all",
    )
    add("--tolerance-ms", type=float, metavar="MS", help="of the join; default: 1000")
    add(
        "--part-mb",
        type=part_bytes,
        default=LARGEST_PART,
        metavar="MB",
        help="largest file; default: just below 4 GiB",
    )
    add("--config", type=Path, metavar="FILE", help=f"default: {CONFIG}")
    add("--database", type=Path, metavar="FILE", help="a recording without one")


def run(arguments: argparse.Namespace) -> int:
    """Write the files; 130 if cancelled by Ctrl-C."""
    settings = read_settings(arguments)
    database = arguments.database or settings.database
    tolerance_ms = arguments.tolerance_ms
    if tolerance_ms is None:
        tolerance_ms = settings.join.tolerance_ms
    options = Options(arguments.tables, round(tolerance_ms * 1e6))
    words = (arguments.first, arguments.until)
    zone = settings.box.time_zone
    if arguments.output == "-" or arguments.output.endswith(".csv"):
        return one_table(database, words, zone, options, arguments.output)
    return all_files(arguments, database, zone, options)


def read_settings(arguments: argparse.Namespace) -> config.Settings:
    """Return the settings; the defaults where only a database is named."""
    if arguments.database and not arguments.config:
        return config.Settings()
    return config.load(arguments.config or CONFIG)


def one_table(
    database: Path, words: tuple[str, str], zone: str, options: Options, place: str
) -> int:
    """Write the joined table to the file *place*, or to standard output."""
    with History(database) as history:
        recording = Recording(history, *find_span(history, *words, zone))
        table = make_table("joined", recording, options)
        if place == "-":
            sys.stdout.buffer.write(table.header)
            for block in table.blocks():
                sys.stdout.buffer.write(block.text)
            sys.stdout.buffer.flush()
            return 0
        path = Path(place)
        with DiskFolder.at(path.parent) as folder:
            write_table(table, Output(folder), path.stem)
    return 0


def all_files(
    arguments: argparse.Namespace, database: Path, zone: str, options: Options
) -> int:
    """Write an export to a folder."""
    words = (arguments.first, arguments.until)
    with History(database) as history:
        span = find_span(history, *words, zone)
    with DiskFolder.at(Path(arguments.output)) as folder:
        span = span_of_earlier(folder, words) or span
        request = Request(
            *span, arguments.formats, options, None, arguments.part_mb, words
        )
        job = Job(database, request, folder, read_wall().utc, progress_bar())
        signal.signal(signal.SIGINT, lambda *_: job.cancel())
        said = job.run()
    for file in said["files"]:
        print(f"{file['name']}: {file.get('rows', '')} rows, {file['bytes']} bytes")
    return 0


def progress_bar() -> Callable[[Progress], None]:
    """Return what draws progress, which is nothing where nobody looks."""
    if not sys.stderr.isatty():
        return lambda progress: None
    drawn = 0.0

    def draw(progress: Progress) -> None:
        nonlocal drawn
        now = time.monotonic()
        if now - drawn < REDRAW_EVERY_S and progress.share < 1:
            return
        drawn = now
        bar = ("#" * round(BAR_WIDTH * progress.share)).ljust(BAR_WIDTH, ".")
        left = progress.remaining_s
        rest = "" if left is None else f" {left:.0f} s left"
        line = f"{bar} {100 * progress.share:.0f} %{rest}  {progress.file}"
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        if progress.share >= 1:
            print(file=sys.stderr)

    return draw


def names_of(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """Return the reader of a comma-separated list of the names *known*."""
    names = tuple(known)

    def read(text: str) -> tuple[str, ...]:
        asked = tuple(dict.fromkeys(text.split(",")))
        for name in asked:
            if name not in names:
                raise argparse.ArgumentTypeError(
                    f"{name!r} is none of {', '.join(names)}"
                )
        return asked

    return read


def part_bytes(text: str) -> int:
    """Return the bytes of *text* megabytes."""
    size = float(text)
    if not SMALLEST_PART_MB <= size <= LARGEST_PART / 1e6:
        raise argparse.ArgumentTypeError(
            f"must be {SMALLEST_PART_MB:g} to {LARGEST_PART // 10**6} MB"
        )
    return int(size * 1e6)
