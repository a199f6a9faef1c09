"""`edge account`: who may use the page from the network."""

import argparse
import getpass
import sys

from edge import config
from edge.commands import take_config
from edge.commands.web import state_folder
from edge.errors import InputError
from edge.web.accounts import ROLES, Accounts, Role


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the configuration file, what to do, and for whom."""
    take_config(parser)
    parser.add_argument(
        "--role", choices=ROLES, help="default: the one they have; viewer for a new one"
    )
    parser.add_argument("action", choices=("list", "add", "token", "remove"))
    parser.add_argument("name", nargs="?", help="lower-case name of a person or script")


def run(arguments: argparse.Namespace) -> int:
    """Change or list the accounts; a pass phrase is read from the terminal or stdin."""
    settings = config.load(arguments.config)
    accounts = Accounts(state_folder(settings, arguments.config))
    if arguments.action == "list":
        show(accounts.names())
        return 0
    if not arguments.name:
        raise InputError(f"edge account {arguments.action} needs a name")
    print(changed(accounts, arguments), file=sys.stderr)
    return 0


def show(names: dict[str, Role]) -> None:
    """Print one account a line; that there is none, where no script reads it."""
    for name, role in sorted(names.items()):
        print(f"{name:32} {role}")
    if not names:
        print(
            "there is no account yet; make one: edge account add NAME --role admin",
            file=sys.stderr,
        )


def changed(accounts: Accounts, arguments: argparse.Namespace) -> str:
    """Make the one change that is asked for, and return it in words."""
    name, action = arguments.name, arguments.action
    before = accounts.names().get(name)
    if action == "remove":
        accounts.remove(name)
        return f"{name} is removed"
    if action == "add":
        accounts.add(name, ask_phrase(), arguments.role)
    else:  # the token alone on standard output, for scripts
        print(accounts.add_token(name, arguments.role), flush=True)
    role = accounts.names()[name]
    if before is None:
        return f"{name} is new: {role}"
    new = "the pass phrase" if action == "add" else "the token"
    return f"{name} was there already; {new} is new, {role_change(before, role)}"


def role_change(before: Role, after: Role) -> str:
    """Return what became of a role, in words."""
    return f"still {after}" if before == after else f"was {before}, is now {after}"


def ask_phrase() -> str:
    """
    Return a new pass phrase, typed twice where a person types it.

    :raises InputError: if that was not twice the same
    """
    if sys.stdin.isatty():
        phrase = getpass.getpass("Pass phrase: ")
        if getpass.getpass("The same again: ") != phrase:
            raise InputError("the two pass phrases are not the same; nothing changed")
        return phrase
    return sys.stdin.readline().rstrip("\n")
