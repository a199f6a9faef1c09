"""`edge status`: how the recorder does, for people or as JSON."""

import argparse
import json
from typing import cast

from edge import config
from edge.commands import take_config
from edge.control import Client
from edge.records import BoxState, StreamState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the configuration file and the form of the answer."""
    take_config(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the state; 0 if it records and every stream is well."""
    state = Client(config.load(arguments.config).control_socket).state()
    print(as_json(state) if arguments.json else as_text(state))
    wrong = any(stream.state in ("stale", "lost") for stream in state.streams)
    return int(wrong or not state.recording)


def as_json(state: BoxState) -> str:
    """Return every field of *state*."""
    streams = [stream._asdict() for stream in state.streams]
    return json.dumps({**state._asdict(), "streams": streams}, indent=1)


def as_text(state: BoxState) -> str:
    """Return a few lines for people."""
    saved = ", ".join(f"{count:,} {name}" for name, count in state.saved.items())
    troubles = state.machine.get("troubles", ())
    lines = [
        "recording" if state.recording else "NOT RECORDING",
        f"session {state.session}, for {lasting(state.now - state.started)}",
        f"saved: {saved}",
        *(stream_line(stream, state.now) for stream in state.streams),
        *(f"machine: {trouble}" for trouble in cast(list[str], troubles)),
    ]
    return "\n".join(lines)


def stream_line(stream: StreamState, now: int) -> str:
    """Return one stream's state, counts and age."""
    age = "never" if stream.last is None else f"{lasting(now - stream.last)} ago"
    counts = f"{stream.received:,} received, {stream.dropped:,} dropped"
    words = f"{stream.name:7} {stream.state:6} {counts}, {stream.damaged:,} damaged"
    return f"{words}, last {age}" + (f": {stream.cause}" if stream.cause else "")


def lasting(duration_ns: int) -> str:
    """Return *duration_ns* in the unit that a person would say it in."""
    s = duration_ns / 1e9
    if s < 120:
        return f"{s:.1f} s"
    if s < 2 * 3600:
        return f"{s / 60:.0f} min"
    return f"{s / 3600:.0f} h" if s < 48 * 3600 else f"{s / 86400:.0f} days"
