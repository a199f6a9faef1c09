"""
The command `edge`: one word, one module in `edge.commands`.

Each module has ``add_arguments(parser)`` and ``run(arguments) -> int`` and is imported
only when its command is called.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import UnsupportedOperation

from edge.errors import EdgeError

COMMANDS: dict[str, str] = {
    "run": "record until stopped",
    "web": "serve the page and the API",
    "demo": "everything on this machine, with a drawn patient",
    "status": "how the recorder does",
    "doctor": "say what is well with this box, what is not, and what mends it",
    "check-config": "name every mistake in a configuration",
    "export": "write files of the recording, to a folder or as one CSV",
    "drive": "let a USB drive have an export, now or whenever it is plugged in",
    "keep": "let a stretch of the recording stay, however old it gets",
    "sync-test": "measure how far apart picture and ECG are stamped",
    "join": "poses and ECG of two CSV files, each pose with its nearest sample",
    "verify": "check that an export is whole and unchanged",
    "salvage": "what can be read of a damaged database, into a new one",
    "account": "let people and scripts use the page from the network",
    "record-session": "keep what arrives byte for byte, so that it can be replayed",
    "pose": "where the body is in pictures",
    "decode": "recorded bytes of an ECG board to samples, as CSV",
    "simulate": "be a part that is not there: an ECG board on a serial port",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one line each."""
    try:
        return perform(sys.argv[1:] if argv is None else argv)
    except EdgeError as error:
        if os.environ.get("DEBUG") == "1":
            raise
        complain(str(error))
        return 1
    except BrokenPipeError:  # the reader of our output has left: `edge … | head`
        discard_output()
        return 1
    except OSError:
        if not (why := output_trouble()):
            raise
        discard_output()
        complain(f"standard output cannot be written: {why}")
        return 1
    except KeyboardInterrupt:
        return 130


def perform(argv: Sequence[str]) -> int:
    """
    Run the command that *argv* names and return its exit code, once all that it said
    is written.

    :raises EdgeError: also if there is no standard output, whose number would go to
        the next file that is opened
    """
    if sys.stdout is None:
        raise EdgeError("standard output cannot be written: it is closed")
    try:
        arguments = parse(argv)
    except SystemExit:  # after --help
        sys.stdout.flush()
        raise
    code = int(import_module(arguments.module).run(arguments))
    sys.stdout.flush()
    return code


def output_trouble() -> str:
    """Return why standard output takes not even the end of a line, "" if it does."""
    try:
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), b"\n")
    except UnsupportedOperation:  # it is no file
        return ""
    except OSError as error:
        return error.strerror or str(error)
    return ""


def discard_output() -> None:
    """Let nothing that is still unwritten trouble the end of Python."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(why: str) -> None:
    """Say *why* it did not work, in one line, unless nobody is there to read it."""
    if sys.stderr is not None:
        sys.stderr.write(f"edge: {why}\n")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of the one command that *argv* names."""
    parser = argparse.ArgumentParser(
        prog="edge", description="A bedside recorder: body pose and ECG on one clock."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, help_line in COMMANDS.items():
        module = f"edge.commands.{name.replace('-', '_')}"
        command = commands.add_parser(name, help=help_line, description=help_line)
        command.set_defaults(module=module)
        if name == next((word for word in argv if not word.startswith("-")), None):
            import_module(module).add_arguments(command)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
