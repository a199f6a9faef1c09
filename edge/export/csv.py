"""The tables as CSV: the columns of the original system first, then ours."""

from edge.export import Options, tables
from edge.export.joining import joined
from edge.export.output import Output, TableOutput
from edge.export.recording import Recording
from edge.export.tables import Table


def write(recording: Recording, output: Output, options: Options) -> None:
    """
    Write the tables that *options* name, one after the other.

    :raises ExportError: if the drive fails
    """
    for name in options.tables:
        write_table(make_table(name, recording, options), output)


def make_table(name: str, recording: Recording, options: Options) -> Table:
    """Return one table of *recording* by its name."""
    if name == "joined":
        return joined(recording, options.tolerance_ns)
    makers = {"ecg": tables.ecg, "vitals": tables.vitals, "events": tables.events}
    return makers[name](recording)


def write_table(table: Table, output: Output, name: str = "") -> None:
    """Write *table* in as many files as it takes, under its own name or *name*."""
    output.stage(table.name)
    files = TableOutput(output, name or table.name, table.header, table.about)
    for block in table.blocks():
        files.write(block.text, block.rows, block.until)
    files.finish()
    output.described(table)
