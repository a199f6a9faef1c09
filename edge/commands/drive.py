"""`edge drive`: exports to USB drives, as the page orders them."""

import argparse
import json
from typing import Any

from edge import config
from edge.commands import take_config, take_stretch, user
from edge.control import Client


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what to do and with which drive."""
    parser.add_argument(
        "do",
        choices=("list", "arm", "cancel", "enrol", "forget"),
        help="list: drives and what goes on; arm: the next drive gets an export; "
        "enrol: this drive gets what is new whenever it is plugged in",
    )
    parser.add_argument("drive", nargs="?", default="", help="its name, as in the list")
    take_stretch(parser)
    parser.add_argument("--since-last", action="store_true", help="what is new to it")
    take_config(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Ask the recorder."""
    client = Client(config.load(arguments.config).control_socket)
    if arguments.do != "list":
        order: dict[str, Any] = {
            "by": user(),
            "drive": arguments.drive,
            "from": arguments.first,
            "to": arguments.until,
            "since_last": arguments.since_last,
        }
        client.ask(f"export {arguments.do}", **order)
    state = client.ask("export state")
    print(json.dumps(state, indent=1) if arguments.json else as_text(state))
    return 0


def as_text(state: dict[str, Any]) -> str:
    """Return what goes on, which drives are there, and which are enrolled."""
    lines = [f"{state['state']}: {state['sentence']}".rstrip(": ")]
    for drive in state["drives"]:
        size = f"{drive['size'] / 1e9:.1f} GB"
        said = drive["fault"] or f"{size}, {drive['file_system']}"
        enrolled = ", enrolled" if drive["enrolled"] else ""
        lines.append(f"{drive['name']} {drive['label']}: {said}{enrolled}")
    here = [drive["id"] for drive in state["drives"]]
    for order in state["enrolled"]:
        if order["drive"] not in here:
            lines.append(f"{order['drive']} {order['label']}: enrolled, not plugged in")
    return "\n".join(lines)
