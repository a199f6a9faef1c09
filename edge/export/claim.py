"""
Whose a folder is: an export may go on where it ended, never write over another.

While an export is not whole, the file `UNFINISHED` in its folder says what was asked.
"""

import json
import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from edge.errors import ExportError
from edge.export import manifest
from edge.export.folder import Folder, plainly
from edge.export.part import ASIDE, put
from edge.export.request import WORDS, Request, is_of, stated
from edge.records import BoxNs

UNFINISHED = "UNFINISHED.txt"
"""Stands in a folder while its export is not whole, and says what was asked for."""

LONGEST_UNFINISHED = 4096
LONGEST_MANIFEST = 64 * 1024 * 1024
"""Bytes that are read of a file of an earlier try; it may be anybody's."""

TORN = "torn"
"""Instead of an identity: a drive was pulled while it was written."""

WRITTEN = re.compile(
    rf"""(
        (joined|ecg|ecg-d|vitals|events)(-[0-9]{{3,}})?
        \.(csv|edf|bdf|dat|hea|atr|parquet)
        |{re.escape(manifest.SEALED)}|{re.escape(manifest.DICTIONARY)}|{manifest.SUMS}
    )(\.age)?({re.escape(ASIDE)})?""",
    re.VERBOSE | re.IGNORECASE,  # as FAT takes names
)
"""The names that exports write, in all formats and sealed."""

UNFINISHED_TEXT = """\
This export is not whole: the drive was pulled, or the box is still writing. Ask for
the same export again and it goes on from here.
"""


def claim(folder: Folder, request: Request) -> None:
    """
    Make *folder* this export's own, also again after a try that did not finish.

    :raises ExportError: if it holds another export or strange files
    """
    with plainly("the folder"):
        names = folder.names()
    earlier = unfinished(folder) if UNFINISHED in names else TORN
    if complaint := strangeness(folder, names, earlier, request):
        raise ExportError(complaint)
    if earlier == TORN:
        text = UNFINISHED_TEXT + json.dumps(stated(request)) + "\n"
        put(folder, UNFINISHED, text.encode())
    with plainly(manifest.NAME):
        if manifest.NAME in names:
            folder.remove(manifest.NAME)


def strangeness(folder: Folder, names: list[str], earlier: Any, wanted: Request) -> str:
    """
    Return why *wanted* must not be written into *folder*, which has *names* and says
    of an *earlier* try what it was; "" if it may.
    """
    if UNFINISHED in names:
        if earlier == TORN or is_of(earlier, wanted):
            return ""
        return (
            "an unfinished export of another stretch is in the folder; "
            "choose another folder, or delete that one"
        )
    if manifest.NAME in names:
        if is_of(whole_request(folder), wanted):
            return ""
        return "another export is in the folder already; choose another folder"
    strange = [name for name in names if ours(name)]
    if strange and UNFINISHED + ASIDE not in names:
        return (
            f"the folder has a {strange[0]} that is of no export known here; "
            "choose another folder"
        )
    return ""


def span_of_earlier(
    folder: Folder, words: tuple[str, str]
) -> tuple[BoxNs, BoxNs] | None:
    """
    Return the stretch of the unfinished export in *folder* that was asked for in the
    same *words*, ``None`` without one: "everything" has grown since.

    :raises ExportError: if the folder cannot be read
    """
    with plainly("the folder"):
        if UNFINISHED not in folder.names():
            return None
    earlier = unfinished(folder)
    with suppress(KeyError, TypeError, ValueError):
        if tuple(earlier[name] for name in WORDS) == words:
            begin, end = int(earlier["begin_box_ns"]), int(earlier["end_box_ns"])
            return (BoxNs(begin), BoxNs(end)) if begin < end else None
    return None


def unfinished(folder: Folder) -> Any:
    """
    Return the identity that a folder's unfinished export states, `TORN` where the
    drive kept nothing or the beginning of it, None where it is no export's.
    """
    text = read_small(folder, UNFINISHED, LONGEST_UNFINISHED).rstrip(b"\0")
    with suppress(ValueError, IndexError):
        return json.loads(text.splitlines()[-1])
    begun = UNFINISHED_TEXT.encode()
    return TORN if text[: len(begun)] == begun[: len(text)] else None


def whole_request(folder: Folder) -> Any:
    """Return the identity that a folder's manifest states, None without."""
    text = read_small(folder, manifest.NAME, LONGEST_MANIFEST)
    with suppress(ValueError, KeyError, TypeError):
        return json.loads(text)["request"]
    return None


def read_small(folder: Folder, name: str, longest: int) -> bytes:
    """Return up to *longest* bytes of the file *name*."""
    with plainly(name):
        handle = folder.open(name)
        try:
            return folder.read(handle, longest)
        finally:
            folder.close(handle)


def ours(name: str) -> bool:
    """Return whether *name* is one that an export writes, but for its marks."""
    return WRITTEN.fullmatch(name) is not None


def clear(folder: Folder, kept: Collection[str]) -> None:
    """
    Remove from *folder*, which is an export's own, the files of an earlier try that
    are not *kept*: with fewer rows there are fewer files.
    """
    with plainly("the folder"):
        names = folder.names()
    for name in names:
        if ours(name) and name not in kept:
            with plainly(name):
                folder.remove(name)
