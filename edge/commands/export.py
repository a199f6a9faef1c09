"""`edge export`: files of the recording, in a folder or as one CSV."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge import config
from edge.clock import read_wall
from edge.commands import number, take_stretch, user
from edge.commands.join import milliseconds
from edge.control import Client
from edge.drives import present
from edge.errors import ControlError, ExportError
from edge.export import TABLES, WRITERS, Options
from edge.export.claim import span_of_earlier
from edge.export.csv import make_table, write_table
from edge.export.errand import as_line, choose, content, reached, to_drive
from edge.export.folder import DiskFolder
from edge.export.job import Job, Progress
from edge.export.output import LARGEST_PART, Output, files_in
from edge.export.recording import Recording, Veil
from edge.export.request import Request
from edge.export.span import find_span, settled_until
from edge.export.tables import Table
from edge.history import History
from edge.records import BoxNs

REDRAW_EVERY_S = 0.2
TELL_EVERY_S = 0.5
NICE = 10
DAY_NS = 86_400 * 10**9
SMALLEST_PART_MB = 8.0
"""Several blocks of text and a header fit."""
BAR_WIDTH = 30
MOST_DAYS = 14_600
"""Forty years to either side stay within those that EDF can say: 1985 to 2084."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

Detail = dict[str, object]

Begun = Callable[[Job], None]
"""Is told of the job before it runs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take a stretch, a place and what goes there."""
    take_stretch(parser, "the end, on a drive of a running box 10 s before")
    add = parser.add_argument
    # fmt: off
    add("--since-last", action="store_true",
        help="from up to where this drive has the same formats and tables")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--output", type=named, metavar="DIR|FILE.csv|-",
        help="folder for all files; or the joined table alone, - to standard output")
    place.add_argument("--drive", type=named, metavar="NAME|any",
        help="USB drive, as 'edge drive list' names it; unmounted at the end")
    add("--formats", type=names_of(WRITERS), default=("csv",), metavar="LIST",
        help=f"of {', '.join(WRITERS)}; default: csv")
    add("--tables", type=names_of(TABLES), metavar="LIST",
        help=f"of {', '.join(TABLES)}; default: all")
    add("--tolerance-ms", type=milliseconds, metavar="MS",
        help="of the join; default: the configuration's")
    add("--part-mb", type=part_bytes, default=LARGEST_PART, metavar="MB",
        help="largest file; default: just below 4 GiB")
    add("--deidentify", action="store_true",
        help="leave out what a person wrote, settings and names of pictures")
    add("--shift-days", type=days, default=0.0, metavar="DAYS",
        help="with --deidentify: move all times by so much")
    add("--key", metavar="AGE", help="public key (age1…) to seal all files to; "
        "default on a drive: the configuration's")
    add("--config", type=Path, metavar="FILE", help=f"default: {config.INSTALLED}")
    add("--database", type=Path, metavar="FILE", help="a recording without one")
    add("--zone", help="of times without one; of an hour that comes twice the "
        "first is meant; default: the configuration's, or UTC")
    add("--json", action="store_true", help="progress and result for programs")
    # fmt: on


def run(arguments: argparse.Namespace) -> int:
    """Write the files; the exit code is 1 if they are not whole."""
    order = Order(arguments)
    if arguments.since_last and not arguments.drive:
        raise ExportError("--since-last goes with --drive")
    if arguments.since_last and (arguments.first or arguments.until):
        raise ExportError(
            "--since-last begins where the last export to the drive ended: leave "
            "--from and --to out"
        )
    place = arguments.output or ""
    if place == "-" or place.endswith(".csv"):
        check_one_table(arguments)
        return one_table(order, place)
    with cancelled_by_signals() as cancel:
        if arguments.drive:
            return to_a_drive(order, arguments, cancel)
        return to_a_folder(order, arguments, cancel)


class Order:
    """What is to be exported, as the arguments and the configuration say."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        settings = read_settings(arguments)
        tolerance_ms = arguments.tolerance_ms
        if tolerance_ms is None:
            tolerance_ms = settings.join.tolerance_ms
        self.database: Path = arguments.database or settings.database
        self.socket = None if arguments.database else settings.control_socket
        self.zone = arguments.zone or settings.box.time_zone
        self.words = (arguments.first, arguments.until)
        self.options = Options(arguments.tables or TABLES, round(tolerance_ms * 1e6))
        self.formats: tuple[str, ...] = arguments.formats
        self.part_bytes: int = arguments.part_mb
        self.key: str = arguments.key or ""
        if arguments.drive and not arguments.key:
            self.key = settings.export.key
        self.veil = None
        if arguments.deidentify:
            self.veil = Veil(round(arguments.shift_days * DAY_NS))
        elif arguments.shift_days:
            raise ExportError("--shift-days goes with --deidentify")

    @property
    def content(self) -> Detail:
        """What the recorder keeps of what is in the export."""
        return content(self.formats, self.options.tables, self.veil is not None)

    def note(self, place: str, span: tuple[BoxNs, BoxNs], detail: Detail) -> None:
        """Let the recorder keep who exported what, if it is there."""
        if not self.socket or not self.socket.exists():
            return
        begin, end = map(str, span)
        detail = {**detail, "begin_box_ns": begin, "end_box_ns": end}
        by = user()
        try:
            Client(self.socket).ask("export note", by=by, place=place, detail=detail)
        except ControlError as error:
            print(f"not noted in the recording: {error}", file=sys.stderr)

    def span(self, history: History, settled: bool = False) -> tuple[BoxNs, BoxNs]:
        """Return the stretch of *history* that is meant."""
        return find_span(history, *self.words, self.zone, settled)

    def request(self, span: tuple[BoxNs, BoxNs]) -> Request:
        """Return what a job is given."""
        return Request(
            *span,
            self.formats,
            self.options,
            self.veil,
            self.part_bytes,
            self.words,
            key=self.key,
        )


def read_settings(arguments: argparse.Namespace) -> config.Settings:
    """Return the settings; the defaults where only a database is named."""
    if arguments.database and not arguments.config:
        return config.Settings()
    return config.load(arguments.config or config.INSTALLED)


def check_one_table(arguments: argparse.Namespace) -> None:
    """
    Accept *arguments* that the joined table alone can follow.

    :raises ExportError: if they ask for more, such as a sealed file
    """
    asked = {
        "--key": arguments.key is not None,
        "--formats": arguments.formats != ("csv",),
        "--tables": arguments.tables not in (None, ("joined",)),
        "--part-mb": arguments.part_mb != LARGEST_PART,
    }
    words = ", ".join(word for word, given in asked.items() if given)
    if words:
        raise ExportError(
            f"--output {arguments.output} is the joined table alone, in one plain "
            f"file; with {words} give --output a folder"
        )


def one_table(order: Order, place: str) -> int:
    """Write the joined table to the file *place*, or to standard output."""
    detail = content(("csv",), ("joined",), order.veil is not None)
    with History(order.database) as history:
        span = order.span(history)
        recording = Recording(history, *span, order.veil)
        table = make_table("joined", recording, order.options)
        if place == "-":
            # Beforehand: a reader that leaves early has taken rows all the same.
            order.note("standard output", span, detail)
            print_table(table)
            return 0
        path = Path(place)
        with DiskFolder.at(path.parent) as folder:
            write_table(table, Output(files_in(folder)), path.stem)
    order.note(place, span, detail)
    return 0


def print_table(table: Table) -> None:
    """Write *table* to standard output."""
    sys.stdout.buffer.write(table.header)
    for block in table.blocks():
        sys.stdout.buffer.write(block.text)
    sys.stdout.buffer.flush()


def to_a_folder(order: Order, arguments: argparse.Namespace, cancel: Begun) -> int:
    """Write an export to a folder."""
    with History(order.database) as history:
        span = order.span(history)
    with DiskFolder.at(Path(arguments.output)) as folder:
        folder.hold()
        if not (order.veil and order.veil.shift_ns):  # else it told moved times
            span = span_of_earlier(folder, order.words) or span
        tell = teller(arguments.json)
        made = read_wall().utc
        job = Job(order.database, order.request(span), folder, made, tell)
        cancel(job)
        said = job.run()
    report(said, arguments.output, job.output.size, arguments.json)
    order.note(arguments.output, span, order.content)
    return 0


def to_a_drive(order: Order, arguments: argparse.Namespace, cancel: Begun) -> int:
    """Write an export to a USB drive and unmount it."""
    wanted = "" if arguments.drive == "any" else arguments.drive
    drive = choose(present(), wanted)
    with History(order.database) as history:
        request = order.request(order.span(history, settled=True))
        noted = settled_until(Recording(history, request.begin, request.end))
        if arguments.since_last:
            request = replace(request, begin=reached(history, drive, request))
    begin, end = request.begin, request.end
    if begin >= end:
        said = f"nothing was recorded since the last export to {drive.label}"
        print(as_line(nothing=said) if arguments.json else said, flush=True)
        return 0
    if arguments.json:
        print(as_line(begin=str(begin), end=str(end), drive=drive.id), flush=True)
    with suppress(OSError):
        os.nice(NICE)  # the recorder goes first
    made, tell = read_wall().utc, teller(arguments.json)
    done = to_drive(order.database, drive, request, made, tell, cancel)
    report(done.said, f"{done.folder} on {drive.label}", done.size, arguments.json)
    if not arguments.json:
        print("safe to remove")
        detail = {"drive": drive.id, "bytes": done.size, **order.content}
        order.note(drive.label, (begin, noted), detail)
    return 0


@contextmanager
def cancelled_by_signals() -> Iterator[Begun]:
    """Give what lets Ctrl-C and SIGTERM end a job in good order."""
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def begun(job: Job) -> None:
        for number in SIGNALS:
            signal.signal(number, lambda *_: job.cancel())

    try:
        yield begun
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def report(said: dict[str, Any], place: str, size: int, as_json: bool) -> None:
    """Say what was written."""
    if as_json:
        names = [file["name"] for file in said["files"]]
        print(as_line(done=True, place=place, size=size, files=names), flush=True)
        return
    for file in said["files"]:
        rows = f"{file['rows']:,} rows, " if "rows" in file else ""
        print(f"{file['name']}: {rows}{file['bytes']:,} bytes")
    for remark in said["remarks"]:
        print(remark)
    print(f"whole in {place}")


def teller(as_json: bool) -> Callable[[Progress], None]:
    """Return what is done with progress."""
    if not as_json:
        return progress_bar()
    told = 0.0

    def tell(progress: Progress) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= TELL_EVERY_S:
            told = now
            print(as_line(**progress._asdict()), flush=True)

    return tell


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
    low, high = SMALLEST_PART_MB, LARGEST_PART // 10**6
    size = number(text, low, high, f"is no size: {low:g} to {high} MB")
    return int(size * 1e6)


def named(text: str) -> str:
    """Return *text*, which may not be empty, as an unset variable is."""
    if not text:
        raise argparse.ArgumentTypeError("is empty: name a place")
    return text


def days(text: str) -> float:
    """Return a number of days, which may be negative."""
    wrong = f"is no number of days: -{MOST_DAYS} to {MOST_DAYS}"
    return number(text, -MOST_DAYS, MOST_DAYS, wrong)
