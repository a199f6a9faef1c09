"""`edge check-config`: name every mistake in a configuration file."""

import argparse
from pathlib import Path

from edge import config
from edge.pipeline import decoder_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file."""
    parser.add_argument("file", type=Path, metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    """Say that the file is good; mistakes are raised as one `ConfigError`."""
    settings = config.load(arguments.file)
    decoder_of(settings.ecg)
    print(f"{arguments.file} is good; the recording goes to {settings.database}")
    return 0
