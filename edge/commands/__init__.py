"""The commands of `edge`, one module each, and what several of them take alike."""

import argparse
import getpass
import os
import re
from pathlib import Path

from edge import config

LONGEST_S = 1e9
"""Thirty years: what every clock and timer of the system takes."""


NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)[smhd]?$")
"""A number below zero, or a time back from the end (`edge.export.span`)."""


def take_config(parser: argparse.ArgumentParser) -> None:
    """Take the configuration file, by default the installed one."""
    parser.add_argument(
        "--config", type=Path, default=config.INSTALLED, metavar="FILE",
        help="%(default)s",
    )  # fmt: skip


def take_stretch(parser: argparse.ArgumentParser, end: str = "the end") -> None:
    """Take from when to when, by default to *end*."""
    # "-1h" is a value here and no option; argparse knows plain numbers only as such.
    parser._negative_number_matcher = NEGATIVE
    add = parser.add_argument
    # fmt: off
    add("--from", dest="first", default="", metavar="TIME",
        help="ISO time, or -1h: back from what was recorded last; default: all")
    add("--to", dest="until", default="", metavar="TIME",
        help="the same, itself left out, so that the next one begins there; a date "
        f"is its midnight; default: {end}")
    # fmt: on


def seconds(text: str) -> float:
    """
    Return how long something is to run.

    :raises argparse.ArgumentTypeError: if that is no time
    """
    return number(text, 0, LONGEST_S, "is no time to run: 0 to 1000000000 seconds")


def port(text: str) -> int:
    """
    Return the port that a page is to be served on, 0 for any that is free.

    :raises argparse.ArgumentTypeError: if there is none of that number
    """
    wrong = "is no port: 1 to 65535, or 0 for any that is free"
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} {wrong}")
    return int(number(text, 0, 65535, wrong))


def number(text: str, low: float, high: float, wrong: str) -> float:
    """
    Return the number *text*, which is from *low* to *high*.

    :raises argparse.ArgumentTypeError: otherwise; with *wrong* as its words
    """
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} {wrong}") from None
    if not low <= value <= high:  # nor is nan
        raise argparse.ArgumentTypeError(f"{text} {wrong}")
    return value


def user() -> str:
    """Return who gives the command, by number where the system has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # before Python 3.13, and since
        return f"uid {os.getuid()}"
