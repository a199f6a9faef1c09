"""Tables of a TOML file to frozen dataclasses, every mistake named."""

import difflib
import json
import math
from dataclasses import field, fields
from pathlib import Path
from typing import Any

from edge.config.checks import Check

LONGEST_SHOWN = 200
"""Characters of a wrong value that are repeated."""


def setting(default: Any, check: Check) -> Any:
    """Return a dataclass field with *default* whose value must pass *check*."""
    return field(default=default, metadata={"check": check})


def read_sections(kind: Any, table: dict[str, Any], mistakes: list[str]) -> Any:
    """Return *kind*, a dataclass of sections; what is wrong goes to *mistakes*."""
    sections = {entry.name: entry for entry in fields(kind)}
    found = {}
    for name, content in table.items():
        if name not in sections:
            mistakes.append(f"[{name}] is unknown{nearest(name, sections)}")
        elif not isinstance(content, dict):
            mistakes.append(f"{name} must be a section: write [{name}]")
        else:
            found[name] = read_keys(sections[name].type, name, content, mistakes)
    return kind(**found)


def read_keys(
    kind: Any, section: str, table: dict[str, Any], mistakes: list[str]
) -> Any:
    """Return one section's dataclass *kind*."""
    known = {entry.name: entry for entry in fields(kind)}
    values = {}
    for key, value in table.items():
        where = f"[{section}] {key}"
        if key not in known:
            mistakes.append(f"{where} is unknown{nearest(key, known)}")
            continue
        converted, wrong = convert(known[key].type, value)
        check = known[key].metadata.get("check")
        wrong = wrong or (check(converted) if check else "")
        if wrong:
            mistakes.append(f"{where} = {shown(value)}: {wrong}")
        else:
            values[key] = converted
    return kind(**values)


KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "must be text in quotes"),
    Path: ((str,), "must be a path in quotes"),
    bool: ((bool,), "must be true or false"),
    int: ((int,), "must be a whole number"),
    float: ((int, float), "must be a number"),
    tuple[str, ...]: ((list,), 'must be a list of texts such as ["a", "b"]'),
    tuple[float, ...]: ((list,), "must be a list of numbers such as [0.5, 1.0]"),
}
ENTRIES: dict[Any, Any] = {tuple[str, ...]: str, tuple[float, ...]: float}
"""Of which kind the entries of a list are."""


def convert(kind: Any, value: Any) -> tuple[Any, str]:
    """Return *value* as *kind* and "", or what it should have been."""
    accepted, wrong = KINDS[kind]
    if not isinstance(value, accepted) or (
        isinstance(value, bool) and kind is not bool
    ):
        return value, wrong
    if isinstance(value, list):
        entries = [convert(ENTRIES[kind], entry) for entry in value]
        fine = all(not mistake for _, mistake in entries)
        return tuple(entry for entry, _ in entries), "" if fine else wrong
    return as_float(value) if kind is float else kind(value), ""


def as_float(value: Any) -> float:
    """Return *value*, infinite where it is a whole number beyond all others."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value > 0 or -1)


def shown(value: Any) -> str:
    """Return *value* as it may have been written, not all of what is very long."""
    try:
        text = json.dumps(value, default=str)
    except ValueError:  # a number of thousands of digits
        return "a huge number"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def nearest(name: str, known: dict[str, Any]) -> str:
    """Return a hint at the name that was probably meant."""
    close = difflib.get_close_matches(name, known, 1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
