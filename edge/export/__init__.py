"""
Files that leave the box: one module a format, behind one contract.

A writer is a module with ``write(recording, output, options)``. It reads one stretch
of the recording (`edge.export.recording`), puts its files into `output`
(`edge.export.output`) block by block, with memory that does not grow, and says how far
it has come. Writers are imported only when asked for; some need a package that is an
extra of the project.
"""

from typing import NamedTuple

WRITERS: dict[str, str] = {
    "csv": "edge.export.csv",
}
"""Name of a format → module of its writer."""

TABLES: tuple[str, ...] = ("joined", "ecg", "vitals", "events")
"""The tables of the CSV format, in the order they are written."""


class Options(NamedTuple):
    """What a person may choose about the content."""

    tables: tuple[str, ...] = TABLES
    tolerance_ns: int = 1_000_000_000  # of the join
