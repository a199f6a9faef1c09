"""The commands of `edge`, one module each, and what several of them take alike."""

import argparse
import getpass
import os

LONGEST_S = 1e9
"""Thirty years: what every clock and timer of the system takes."""


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
