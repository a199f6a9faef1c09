"""What a person asks of an export, and what makes two tries one."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from edge.export import Options
from edge.export.output import LARGEST_PART
from edge.export.recording import Veil
from edge.records import BoxNs

WORDS = ("from", "to")
"""What `stated` calls the words."""

UNTOLD = "?"
"""Stands for a word that a de-identified export does not tell."""


@dataclass(frozen=True)
class Request:
    """What a person asks for."""

    begin: BoxNs
    end: BoxNs
    formats: tuple[str, ...] = ("csv",)
    options: Options = Options()
    veil: Veil | None = None
    part_bytes: int = LARGEST_PART
    words: tuple[str, str] = ("", "")  # from and to, as the person said them
    check_again: bool = False  # read all files once more at the end
    key: str = ""  # public key of age that everything is sealed to


def identity(request: Request) -> dict[str, Any]:
    """
    Return what has to be the same for two tries to be of one export.

    It goes with the files: of a de-identified export it tells the moved times only,
    and of a sealed one nothing that can be read.
    """
    if not request.key:
        return plain_identity(request)
    return {"sealed_to": request.key, "sha256": digest(request)}


def digest(request: Request) -> str:
    """Return the SHA-256 of what has to be the same, in hexadecimal."""
    text = json.dumps(plain_identity(request), sort_keys=True)
    return sha256(text.encode()).hexdigest()


def plain_identity(request: Request) -> dict[str, Any]:
    """Return what has to be the same, readable."""
    shift_ns = request.veil.shift_ns if request.veil else 0
    return {
        "begin_box_ns": str(request.begin + shift_ns),
        "end_box_ns": str(request.end + shift_ns),
        "formats": list(request.formats),
        "tables": list(request.options.tables),
        "tolerance_ns": request.options.tolerance_ns,
        "part_bytes": request.part_bytes,
        "de_identified": request.veil is not None,
    }


def stated(request: Request) -> dict[str, Any]:
    """Return the identity and, unless it is sealed, the words, which tell no time."""
    if request.key:
        return identity(request)
    words = [
        UNTOLD if request.veil and not tells_no_time(word) else word
        for word in request.words
    ]
    return identity(request) | dict(zip(WORDS, words, strict=True))


def tells_no_time(word: str) -> bool:
    """Return whether *word* is none, or counts back as ``-90m``."""
    return word[:1] in ("", "-")


def is_of(said: object, request: Request) -> bool:
    """
    Return whether what an earlier try *said* of itself is of *request*: the same
    stretch may have been asked for in other words.
    """
    if not isinstance(said, dict):
        return False
    return {name: said[name] for name in said if name not in WORDS} == identity(request)
