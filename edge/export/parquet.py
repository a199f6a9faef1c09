"""
The tables as Parquet, with types, for pandas, DuckDB and their like.

Each block is the text of the CSV table read by pyarrow with the types of its columns,
so that both formats say the same.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from edge.export import Options
from edge.export.cells import APOSTROPHE
from edge.export.csv import make_table
from edge.export.output import Output
from edge.export.part import Writable
from edge.export.recording import Recording
from edge.export.tables import Block, Table
from edge.join.columns import Column

STAMPS = ("timestamp", "ended_timestamp", "ecg_timestamp")
TRUTHS = ("clock_synchronised", "derived", "pose_detected", "ecg_matched")
NUMBERS = ("value",)
"""Columns whose type their form does not tell."""

GROUP_ROWS = 131_072
"""Rows that are compressed together."""

ROOM_BYTES = 64 * 1024**2
ROOM_SHARE = 0.25
"""Kept free in a file for the last group and the footer: the lesser of the two."""


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
    number, first = 0, next(blocks, None)
    while first is not None or not number:  # a table without rows is a file, too
        number += 1
        name = f"{table.name}-{number:03}" if number > 1 else table.name
        first = write_file(name, table, types, first, blocks, output)
    output.described(table)


def write_file(
    name: str,
    table: Table,
    types: dict[str, pa.DataType],
    block: Block | None,
    following: Iterator[Block],
    output: Output,
) -> Block | None:
    """
    Write one file of *table* from *block* and those *following* it, and return the
    first one for another file, if there is more.
    """
    schema = pa.schema(list(types.items()))
    part = output.begin(f"{name}.parquet")
    full = output.limit - min(ROOM_BYTES, round(output.limit * ROOM_SHARE))
    rows, group = 0, schema.empty_table()
    with pq.ParquetWriter(pa.PythonFile(Sink(part), mode="w"), schema) as writer:
        while block is not None and part.size <= full:
            group = pa.concat_tables([group, as_arrow(table, types, block)])
            rows += block.rows
            if len(group) >= GROUP_ROWS or part.size + group.nbytes > full:
                writer.write_table(group, GROUP_ROWS)
                group = schema.empty_table()
            output.reached(block.until)
            block = next(following, None)
        if len(group):
            writer.write_table(group, GROUP_ROWS)
    output.finish(part, table.about, rows)
    return block


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
