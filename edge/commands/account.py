"""`edge account`: who may use the page from the network."""

import argparse
import getpass
import sys
from pathlib import Path

from edge import config
from edge.commands.web import state_folder
from edge.errors import InputError
from edge.web.accounts import ROLES, Accounts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the configuration file, what to do, and for whom."""
    parser.add_argument(
        "--config", type=Path, default=config.INSTALLED, metavar="FILE",
        help="%(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--role", choices=ROLES, default="viewer", help="default: %(default)s"
    )
    parser.add_argument("action", choices=("list", "add", "token", "remove"))
    parser.add_argument("name", nargs="?", help="lower-case name of a person or script")


def run(arguments: argparse.Namespace) -> int:
    """Change or list the accounts; a pass phrase is read from the terminal or stdin."""
    settings = config.load(arguments.config)
    accounts = Accounts(state_folder(settings, arguments.config))
    if arguments.action == "list":
        for name, role in sorted(accounts.names().items()):
            print(f"{name:32} {role}")
        return 0
    if not arguments.name:
        raise InputError(f"edge account {arguments.action} needs a name")
    if arguments.action == "add":
        accounts.add(arguments.name, ask_phrase(), arguments.role)
    elif arguments.action == "token":
        print(accounts.add_token(arguments.name, arguments.role))
    else:
        accounts.remove(arguments.name)
    return 0


def ask_phrase() -> str:
    """Return a new pass phrase."""
    if sys.stdin.isatty():
        return getpass.getpass("Pass phrase: ")
    return sys.stdin.readline().rstrip("\n")
