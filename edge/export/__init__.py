"""
Files that leave the box: one module a format, behind one contract.

A writer is a module with ``write(recording, output, options)``. It reads one stretch
of the recording (`edge.export.recording`), puts its files into `output`
(`edge.export.output`) block by block, with memory that does not grow, and says how far
it has come. Writers are imported only when asked for; some need a package that is an
extra of the project.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from edge.errors import ExportError

WRITERS: dict[str, str] = {
    "csv": "edge.export.csv",
    "edf": "edge.export.edf",
    "edf-d": "edge.export.edf_d",
    "wfdb": "edge.export.wfdb",
    "parquet": "edge.export.parquet",
}
"""Name of a format → module of its writer."""

TABLES: tuple[str, ...] = ("joined", "ecg", "vitals", "events")
"""The tables of the CSV format, in the order they are written."""


Writer = Callable[[Any, Any, "Options"], None]
"""Takes a `Recording`, an `Output` and `Options`."""


class Options(NamedTuple):
    """What a person may choose about the content."""

    tables: tuple[str, ...] = TABLES
    tolerance_ns: int = 1_000_000_000  # of the join


def load_writer(name: str) -> Writer:
    """
    Return the writer of the format *name*.

    :raises ExportError: if a package it needs is not installed
    """
    try:
        module = import_module(WRITERS[name])
    except ImportError as error:
        raise ExportError(
            f"the format {name} needs the package {error.name}, which is not "
            f"installed: {sys.executable} -m pip install 'ecg-pose-edge[{name}]'"
        ) from error
    writer: Writer = module.write
    return writer
