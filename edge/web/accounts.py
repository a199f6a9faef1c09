"""
Who may use the page: accounts with pass phrases, tokens for scripts.

Pass phrases are kept as scrypt with a salt each, tokens as SHA-256: they are random
enough. The file is `accounts.json` in the page's own folder.
"""

import base64
import hashlib
import hmac
import re
import secrets
import threading
from pathlib import Path
from typing import Literal, NamedTuple

from edge.errors import InputError
from edge.web.statefile import StateFile

Role = Literal["viewer", "admin"]

ROLES: tuple[Role, ...] = ("viewer", "admin")
"""A viewer looks and sets markers; an admin also sends data and exports."""

SHORTEST = 15
LONGEST = 128
"""Characters of a pass phrase: OWASP ASVS 5, 6.2.1 and 6.2.9."""

COST = 2**15
BLOCK = 8
MEMORY = 64 * 1024 * 1024
"""scrypt takes 32 MB and about 0.1 s (OWASP, *Password Storage*)."""

NAME = re.compile(r"[a-z][a-z0-9_.-]{0,31}")
CODE_BYTES = 8


class Person(NamedTuple):
    """Somebody who is let in."""

    name: str
    role: Role
    salt: str = ""  # of the pass phrase they have: another with every new one


LOCAL = Person("local", "admin")
"""Whoever sits at the box itself, where it listens on loopback only."""


class Accounts:
    """The accounts in the folder *path*. Any thread may ask."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path / "accounts.json")
        self._hashing = threading.Lock()
        code = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode()[:12]
        self._code = "-".join((code[:4], code[4:8], code[8:]))

    @property
    def first_use_code(self) -> str | None:
        """What makes the first account; ``None`` once there is one. New every start."""
        return None if self.names() else self._code

    def names(self) -> dict[str, Role]:
        """Return the accounts and tokens by name."""
        table = self._file.read()
        return {name: role_of(entry) for name, entry in table.items()}

    def add(self, name: str, phrase: str, role: Role | None = None) -> None:
        """
        Make the account *name*, or give it a new pass phrase and *role*.

        Without *role* an account keeps its own; a new one is a viewer.

        :raises InputError: if the name or the pass phrase will not do
        """
        kept = self._secret(name, phrase)
        with self._file.alone():
            self._put(name, kept, role)

    def add_token(self, name: str, role: Role | None = None) -> str:
        """
        Return a new token for scripts, which is known to nobody afterwards.

        Without *role* a script keeps its own; a new one is a viewer.

        :raises InputError: if the name will not do
        """
        check_name(name)
        token = secrets.token_urlsafe(32)
        with self._file.alone():
            self._put(name, {"token": digest(token)}, role)
        return token

    def remove(self, name: str) -> None:
        """
        Take the account or the token *name* away.

        :raises InputError: if there is none
        """
        with self._file.alone():
            table = dict(self._file.read())
            if name not in table:
                raise InputError(f"there is no account {name!r}")
            del table[name]
            self._file.write(table)

    def enter(self, name: str, phrase: str) -> Person | None:
        """
        Return who *name* is if the pass phrase is theirs.

        Takes as long for a name that nobody has. One phrase is tried at a time, so
        that guessing cannot take the processor and the memory of the box.
        """
        entry = self._file.read().get(name, {})
        salt = bytes.fromhex(str(entry.get("salt", "00" * 16)))
        wanted = bytes.fromhex(str(entry.get("scrypt", "")))
        found = self._hash(phrase[: LONGEST + 1], salt)
        if not wanted or not hmac.compare_digest(found, wanted):
            return None
        return person_of(name, entry)

    def bearer(self, token: str) -> Person | None:
        """Return the script that *token* belongs to."""
        wanted = digest(token)
        for name, entry in self._file.read().items():
            if hmac.compare_digest(str(entry.get("token", "")), wanted):
                return Person(name, role_of(entry))
        return None

    def person(self, name: str) -> Person | None:
        """Return who *name* is now, ``None`` if the account is gone."""
        entry = self._file.read().get(name)
        return None if entry is None else person_of(name, entry)

    def begin(self, code: str, name: str, phrase: str) -> Person | None:
        """
        Make the first account, an admin, if *code* is the first-use code.

        :raises InputError: if the name or the pass phrase will not do
        """
        with self._file.alone():
            wanted = self.first_use_code
            given = code.strip().upper().encode("utf-8", "replace")
            if not wanted or not hmac.compare_digest(given, wanted.encode()):
                return None
            self._put(name, self._secret(name, phrase), "admin")
            return self.person(name)

    def _secret(self, name: str, phrase: str) -> dict[str, str]:
        """Return what is kept of *phrase*, if it and *name* will do."""
        check_name(name)
        check_phrase(name, phrase)
        salt = secrets.token_bytes(16)
        return {"salt": salt.hex(), "scrypt": self._hash(phrase, salt).hex()}

    def _put(self, name: str, kept: dict[str, str], role: Role | None) -> None:
        table = self._file.read()
        earlier = table.get(name)
        if earlier is not None:
            check_kind(name, earlier, kept)
        entry: dict[str, object] = {"role": role or role_of(earlier or {}), **kept}
        self._file.write({**table, name: entry})

    def _hash(self, phrase: str, salt: bytes) -> bytes:
        with self._hashing:
            return hashlib.scrypt(
                phrase.encode("utf-8", "replace"),
                salt=salt, n=COST, r=BLOCK, p=1, maxmem=MEMORY, dklen=32,
            )  # fmt: skip


def digest(token: str) -> str:
    """Return what is kept of a random token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def person_of(name: str, entry: dict[str, object]) -> Person:
    """Return whose account *entry* is."""
    return Person(name, role_of(entry), str(entry.get("salt", "")))


def role_of(entry: dict[str, object]) -> Role:
    """Return the role in *entry*, the lesser one where it is odd."""
    role = entry.get("role")
    return "admin" if role == "admin" else "viewer"


def check_kind(name: str, earlier: dict[str, object], kept: dict[str, str]) -> None:
    """
    Accept what stays a person or a script: each would lose the access it has.

    :raises InputError: otherwise
    """
    if "token" in kept and "token" not in earlier:
        raise InputError(
            f"{name!r} is a person with a pass phrase; take another name for the "
            f"script, e.g. {name}-script"
        )
    if "token" in earlier and "token" not in kept:
        raise InputError(
            f"{name!r} is a script with a token; take another name for the person, "
            f"or remove {name!r} first"
        )


def check_name(name: str) -> None:
    """
    Accept names that cannot be confused.

    :raises InputError: otherwise
    """
    if not NAME.fullmatch(name):
        raise InputError(
            "name must be a letter and up to 31 letters, digits, '.', '_' or '-', "
            "all lower case"
        )


def check_phrase(name: str, phrase: str) -> None:
    """
    Accept pass phrases that cannot be guessed at once.

    :raises InputError: otherwise
    """
    if not SHORTEST <= len(phrase) <= LONGEST:
        raise InputError(f"passphrase must have {SHORTEST} to {LONGEST} characters")
    if len(set(phrase)) < 5 or name in phrase.lower():
        raise InputError("passphrase must not repeat itself or hold the name")
