"""`edge verify`: check an export, on this or any other computer."""

import argparse
from pathlib import Path

from edge.export.verify import read_manifest, verify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the export's folder."""
    parser.add_argument("folder", type=Path, help="folder of the export")


def run(arguments: argparse.Namespace) -> int:
    """Print a line a file; 1 if one is not as it was written."""
    said = read_manifest(arguments.folder)
    faults = 0
    for verdict in verify(arguments.folder):
        faults += bool(verdict.fault)
        print(f"{verdict.name}: {verdict.fault or 'good'}")
    if span := said.get("range"):  # not in a sealed one
        print(f"from {span['begin']['utc']} to {span['end']['utc']}")
    print("whole and unchanged" if not faults else f"{faults} not as written")
    return int(faults > 0)
