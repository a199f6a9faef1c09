"""EDF+D: all stretches of the same leads in one discontinuous file; see `edf`."""

from edge.export import Options
from edge.export.edf import write_files
from edge.export.output import Output
from edge.export.recording import Recording


def write(recording: Recording, output: Output, options: Options) -> None:
    """
    Write one file for all stretches of the same leads.

    :raises ExportError: if the drive fails
    """
    write_files(recording, output, discontinuous=True)
