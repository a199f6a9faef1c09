"""
The tables as Parquet, with types, for pandas, DuckDB and their like.

Each block is the text of the CSV table read by pyarrow with the types of its columns,
so that both formats say the same.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from edge.columns import Column
from edge.export import Options
from edge.export.cells import APOSTROPHE
from edge.export.csv import make_table
from edge.export.output import Output
from edge.export.part import Writable
from edge.export.recording import Recording
from edge.export.tables import Block, Table

STAMPS = ("timestamp", "ended_timestamp", "ecg_timestamp")
TRUTHS = ("clock_synchronised", "derived", "pose_detected", "ecg_matched")
NUMBERS = ("value",)
"""Columns whose type their form does not tell."""

GROUP_ROWS = 131_072
"""Rows that are compressed together."""

ROOM_BYTES = 64 * 1024**2
"""Kept free in a file for the last group and the footer."""


def write(recording: Recording, output: Output, options: Options) -> None:
    """
    Write a file for each of the tables that *options* name.

    :raises ExportError: if the drive fails
    """
    output.stage("parquet")
    for name in options.tables:
        write_table(make_table(name, recording, options), output)


def write_table(table: Table, output: Output) -> None:
    """Write one table, in as many files as it takes."""
    types = {column.name: type_of(column) for column in table.columns}
    blocks = iter(table.blocks())
    number, more = 0, True
    while more:
        number += 1
        name = f"{table.name}-{number:03}" if number > 1 else table.name
        more = write_file(name, table, types, blocks, output)
    output.described(table)


def write_file(
    name: str,
    table: Table,
    types: dict[str, pa.DataType],
    blocks: Iterable[Block],
    output: Output,
) -> bool:
    """Write one file of *table* and return whether there is more for another."""
    schema = pa.schema(list(types.items()))
    part = output.begin(f"{name}.parquet")
    rows, waiting = 0, []
    more = False
    with pq.ParquetWriter(pa.PythonFile(Sink(part), mode="w"), schema) as writer:
        for block in blocks:
            waiting.append(as_arrow(table, types, block))
            rows += block.rows
            if sum(len(one) for one in waiting) >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting), GROUP_ROWS)
                waiting = []
            output.reached(block.until)
            if part.size > output.limit - ROOM_BYTES:
                more = True
                break
        if waiting:
            writer.write_table(pa.concat_tables(waiting), GROUP_ROWS)
    output.finish(part, table.about, rows)
    return more


def as_arrow(table: Table, types: dict[str, pa.DataType], block: Block) -> pa.Table:
    """Return *block* of *table* with *types*."""
    read = pa_csv.read_csv(
        pa.BufferReader(pa.py_buffer(block.text)),
        read_options=pa_csv.ReadOptions(column_names=list(types), use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            true_values=["True"],
            false_values=["False"],
        ),
    )
    # The apostrophe guards spreadsheets only.
    for place, column in enumerate(types):
        if pa.types.is_string(types[column]):
            plain = pc.replace_substring_regex(read[column], f"^{APOSTROPHE}", "")
            read = read.set_column(place, column, plain)
    return read


def type_of(column: Column) -> pa.DataType:
    """Return the type of the values of *column*."""
    if column.name in STAMPS:
        return pa.timestamp("us", "UTC")
    if column.name in TRUTHS or column.name.endswith("_derived"):
        return pa.bool_()
    if column.name in NUMBERS or column.form[-1] in "fg":
        return pa.float64()
    return pa.int64() if column.form == "%d" else pa.string()


class Sink:
    """A part of the export as the file that pyarrow writes to."""

    closed = False

    def __init__(self, part: Writable) -> None:
        self._part = part

    def write(self, data: bytes) -> int:
        """Add *data*."""
        self._part.write(bytes(data))
        return len(data)

    def tell(self) -> int:
        """Return how much was written."""
        return self._part.size

    def flush(self) -> None:
        """Do nothing: the part syncs itself."""

    def close(self) -> None:
        """Do nothing: the part is finished by the writer."""
