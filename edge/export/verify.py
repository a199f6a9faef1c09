"""Whether an export is whole and unchanged, on any computer."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from edge.errors import ExportError
from edge.export import manifest
from edge.export.claim import ours
from edge.export.part import ASIDE

READ_SIZE = 1024 * 1024


class Verdict(NamedTuple):
    """What was found of one file."""

    name: str
    fault: str  # "" if it is as it was written


def verify(folder: Path) -> Iterator[Verdict]:
    """
    Yield a verdict on each file of the export in *folder*, the manifest first.

    :raises ExportError: if there is no export, or a file cannot be read
    """
    said = read_manifest(folder)
    sums = read_sums(folder)
    yield Verdict(manifest.NAME, fault(folder, manifest.NAME, sums.get(manifest.NAME)))
    listed = {str(file["name"]): str(file["sha256"]) for file in said["files"]}
    for name, digest in listed.items():
        yield Verdict(name, fault(folder, name, digest))
    if any(sums.get(name) != digest for name, digest in listed.items()):
        yield Verdict(manifest.SUMS, "changed or damaged: the manifest has other sums")
    for name in sums.keys() - listed.keys() - {manifest.NAME}:
        yield Verdict(name, fault(folder, name, sums[name]))
    known = sums.keys() | listed.keys() | {manifest.NAME, manifest.SUMS}
    for path in sorted(folder.iterdir()):
        if path.name.endswith(ASIDE):
            yield Verdict(path.name, "left by an unfinished try; it may be deleted")
        elif ours(path.name) and path.name not in known:
            yield Verdict(path.name, "no file of this export; it may be deleted")


def read_manifest(folder: Path) -> dict[str, Any]:
    """
    Return the manifest of the export in *folder*.

    :raises ExportError: if there is none that can be read
    """
    path = folder / manifest.NAME
    text = whole_file(path)
    if text is None and folder.is_dir():
        raise ExportError(
            f"{folder} has no {manifest.NAME}: the export is not whole; do it again "
            "into the same folder to finish it"
        )
    if text is None:
        raise ExportError(f"{folder} is no folder")
    try:
        said = json.loads(text)
        files = [(str(file["name"]), str(file["sha256"])) for file in said["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{path} is damaged: {error}") from error
    if said.get("format") != manifest.FORMAT:
        raise ExportError(f"{path} is not of an export of this program")
    if any("/" in name or name.startswith(".") for name, _ in files):
        raise ExportError(f"{path} names a file elsewhere")
    return dict(said)


def read_sums(folder: Path) -> dict[str, str]:
    """Return name → SHA-256 from the file of sums, nothing where there is none."""
    text = whole_file(folder / manifest.SUMS) or b""
    lines = text.decode(errors="replace").splitlines()
    pairs = (line.split("  ", 1) for line in lines if "  " in line)
    return {name: digest for digest, name in pairs if "/" not in name}


def fault(folder: Path, name: str, digest: str | None) -> str:
    """Return what is wrong with the file *name*, "" if its SHA-256 is *digest*."""
    path = folder / name
    if digest is None:
        return f"{manifest.SUMS} does not name it"
    try:
        found = file_sum(path)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if found == digest else "changed or damaged: its SHA-256 is another"


def whole_file(path: Path) -> bytes | None:
    """
    Return what is in the file *path*, None where there is none.

    :raises ExportError: if it cannot be read
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}") from error


def file_sum(path: Path) -> str:
    """Return the SHA-256 of the file *path*."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(READ_SIZE):
            found.update(data)
    return found.hexdigest()
