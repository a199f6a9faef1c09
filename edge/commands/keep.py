"""`edge keep`: stretches of the recording that stay, however old they get."""

import argparse

import numpy as np

from edge import config
from edge.commands import take_config, take_stretch, user
from edge.control import Client
from edge.errors import InputError
from edge.export.recording import Recording
from edge.export.span import find_span
from edge.history import History
from edge.records import BoxNs, Kept


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what to do and with which stretch."""
    parser.add_argument(
        "do",
        choices=("list", "add", "release"),
        help="list: what is kept; add: keep a stretch; release: let it leave again",
    )
    parser.add_argument(
        "number", nargs="?", type=int, help="of what is released, as in the list"
    )
    take_stretch(parser)
    parser.add_argument("--why", default="", help="what it is kept for")
    take_config(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask the recorder, and print what is kept then."""
    settings = config.load(arguments.config)
    client = Client(settings.control_socket)
    with History(settings.database) as history:
        if arguments.do == "add":
            if not arguments.why or not (arguments.first or arguments.until):
                raise InputError("say --from or --to, and --why it is kept")
            zone = settings.box.time_zone
            begin, end = find_span(history, arguments.first, arguments.until, zone)
            client.ask("keep", begin=begin, end=end, why=arguments.why, by=user())
        if arguments.do == "release":
            if arguments.number is None:
                raise InputError("say which number is to be released")
            client.ask("release", number=arguments.number, by=user())
        print(as_text(history))
    return 0


def as_text(history: History) -> str:
    """Return a line for each stretch that is kept."""
    kept = history.kept()
    ends = [BoxNs(0), *(end for one in kept.values() for end in one[:2])]
    dates = Recording(history, min(ends), max(ends)).ledger.date(np.array(ends[1:]))
    utc = dates.utc.reshape(-1, 2)
    lines = [
        line(number, one, *map(int, ends))
        for (number, one), ends in zip(kept.items(), utc, strict=True)
    ]
    return "\n".join(lines) or "nothing is kept"


def line(number: int, kept: Kept, begin_utc: int, end_utc: int) -> str:
    """Return one stretch in words."""
    ends = (begin_utc, end_utc)
    first, last = (str(np.datetime64(ns, "ns"))[:19] + "Z" for ns in ends)
    return f"{number}  {first} to {last}  {kept.why}"
