"""Paths of the configuration: from where they start, and where none can be."""

import os
from pathlib import Path

LONGEST_SOCKET_BYTES = 107
"""What the kernel takes for the path of a socket (sun_path in unix(7))."""

UNSEEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))
"""What the units are kept from, or see another of (ProtectHome=, PrivateTmp=)."""


def path_from(folder: Path, text: str) -> str:
    """Return the path *text* from *folder* on; none, and an address, stays."""
    return str(folder / text) if text and "://" not in text else text


def too_deep(socket: Path) -> list[str]:
    """Return the mistake of a data folder in which a *socket* has too long a path."""
    excess = len(os.fsencode(socket)) - LONGEST_SOCKET_BYTES
    if excess <= 0:
        return []
    most = len(os.fsencode(socket.parent)) - excess
    must = f"must have at most {most} bytes, for the control socket in it"
    return [f"[box] data_dir: the path {socket.parent} {must}"]


def unseen_by_units(folder: Path) -> str:
    """Return why the installed units can never use *folder*, "" if they may well."""
    for path in (folder, folder.resolve()):
        for hidden in UNSEEN:
            if path.is_relative_to(hidden):
                return f"the service cannot see {folder}, as nothing below {hidden}"
    return ""
