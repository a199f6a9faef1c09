"""`edge check-config`: name every mistake in a configuration file."""

import argparse
from pathlib import Path

from edge import config
from edge.errors import ConfigError
from edge.protocols.configured import decoder_of
from edge.pulses import every
from edge.sources.synthetic import read_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file."""
    parser.add_argument("file", type=Path, metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    """Say that the file is good; mistakes are raised as one `ConfigError`."""
    settings, mistakes = config.read(arguments.file)
    for section, check in (("ecg", check_board), ("camera", check_camera)):
        if any(mistake.startswith(f"[{section}] ") for mistake in mistakes):
            continue  # the rest may fit what was meant
        try:
            check(settings)
        except ConfigError as error:
            mistakes.append(str(error))
    config.refuse(arguments.file, mistakes)
    print(f"{arguments.file} is good; the recording goes to {settings.database}")
    return 0


def check_board(settings: config.Settings) -> None:
    """
    Accept leads and columns that the board has.

    :raises ConfigError: otherwise
    """
    decoder_of(settings.ecg)


def check_camera(settings: config.Settings) -> None:
    """
    Accept a drawn patient whose options there are.

    :raises ConfigError: otherwise
    """
    if settings.camera.source == "synthetic":
        numbers, _ = read_options(settings.camera.device)
        every(numbers["flash_period_s"])
