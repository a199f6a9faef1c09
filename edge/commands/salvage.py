"""`edge salvage`: what can be read of a damaged database, into a new one."""

import argparse
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from edge.database.salvage import SOURCES, Salvage
from edge.errors import StoreError
from edge.records import Record
from edge.store import Store

AT_ONCE = 1000
"""Records in one transaction."""

MOST_BYTES = 1 << 43
FOR_EVER_H = 1e9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the damaged database and the new one's name."""
    parser.add_argument("database", type=Path, help="the file that was set aside")
    parser.add_argument(
        "--output", type=Path, required=True, help="the new database; may not exist yet"
    )


def run(arguments: argparse.Namespace) -> int:
    """Copy every sound row and print how many; 1 if there was none."""
    if arguments.output.exists():
        raise StoreError(f"{arguments.output} exists: name a new file with --output")
    salvage = Salvage(arguments.database)
    found: Counter[str] = Counter()
    try:
        with Store(arguments.output, MOST_BYTES, FOR_EVER_H, 0) as store:
            for kind in SOURCES:
                for records in some(salvage.records(kind)):
                    store.append(records)
                    found[kind] += len(records)
    finally:
        salvage.close()
    for kind in SOURCES:
        print(f"{kind.replace('_', ' ')}: {found[kind]}")
    print(
        f"left out, damaged: {salvage.damaged} rows, {salvage.failures} pages or more"
    )
    return int(not found.total())


def some(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Yield *records* in lists of AT_ONCE."""
    while part := list(itertools.islice(records, AT_ONCE)):
        yield part
