"""`edge decode`: recorded bytes of an ECG board to samples, as CSV."""

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.errors import ConfigError
from edge.protocols import DECODERS, Board, Packets, make_decoder
from edge.protocols.vitals import RANGES
from edge.records import MISSING, VITALS
from edge.sources.recording import MAGIC, read_serial

READ_BYTES = 4096  # so that what the board says is placed among its samples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the board and the file."""
    parser.add_argument("--board", choices=sorted(DECODERS), required=True)
    parser.add_argument(
        "--columns",
        default="",
        metavar="A,B",
        help='columns of a "csv" board, if they are not the original system\'s',
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="bytes, or serial-1.bin of a session"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each sample; 1 if there is none."""
    if arguments.columns and arguments.board != "csv":
        raise ConfigError("--columns goes with --board csv")
    options = {"columns": arguments.columns.split(",")} if arguments.columns else {}
    decoder = make_decoder(arguments.board, **options)
    out = csv.writer(sys.stdout, lineterminator="\n")
    samples = 0
    for number, data in enumerate(read(arguments.file)):
        if number == 0:
            out.writerow(header(decoder.board))
        packets = decoder.feed(data)
        out.writerows(rows(decoder.board, packets, samples))
        samples += len(packets.counts)
        for note in packets.notes:
            print(f"at sample {samples}: {note}", file=sys.stderr)
    tally = decoder.tally
    print(
        f"{samples} samples; {tally.packets} packets, {tally.damaged} damaged, "
        f"{tally.skipped_bytes} bytes in no packet",
        file=sys.stderr,
    )
    return int(not samples)


def read(path: Path) -> Iterator[bytes]:
    """
    Yield what is in *path*: bytes as they are, or of a recorded session.

    :raises ConfigError: if it cannot be read
    """
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                yield from (chunk.data for chunk in read_serial(path))
                return
            file.seek(0)
            while data := file.read(READ_BYTES):
                yield data
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


def header(board: Board) -> list[str]:
    """Return the names of the columns, with units."""
    vitals = [f"{name} ({VITALS[name]})" for name in RANGES]
    counter = ["counter"] if board.counter_modulus else []
    return ["sample", *counter, *(f"{lead} (mV)" for lead in board.leads), *vitals]


def rows(board: Board, packets: Packets, first: int) -> Iterator[list[object]]:
    """Yield a row for each sample; what has no value is empty."""
    stated: dict[int, dict[str, float | None]] = {}
    for reading in packets.readings:
        stated.setdefault(reading.packet, {})[reading.name] = reading.value
    for index, counts in enumerate(packets.counts.tolist()):
        millivolts = [
            "" if count == MISSING else f"{(count - baseline) / gain:.9g}"
            for count, gain, baseline in zip(
                counts, board.gain, board.baseline, strict=True
            )
        ]
        counter = [int(packets.counter[index])] if board.counter_modulus else []
        vitals = stated.get(index, {})
        yield [
            first + index, *counter, *millivolts, *(vitals.get(name) for name in RANGES)
        ]  # fmt: skip
