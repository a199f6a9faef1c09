"""`edge run`: record, until stopped."""

import argparse
import logging
from pathlib import Path

from edge import config, daemon


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the configuration file."""
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="configuration file"
    )


def run(arguments: argparse.Namespace) -> int:
    """Record until SIGTERM or Ctrl-C; 0 if everything was saved."""
    settings = config.load(arguments.config)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return daemon.run(settings)
