"""The harness: runs the named subjects and prints a table, or JSON."""

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

from scripts.benches import Row

NAMES = sorted(
    path.stem.replace("_", "-")
    for path in Path(__file__).parent.glob("*.py")
    if not path.stem.startswith("_")
)


def main() -> int:
    """Print the figures; the exit code is 1 if one misses its bar."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", action="store_true", help="one JSON object")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in NAMES:
            parser.error(f"no figures called {name!r}; there are {', '.join(NAMES)}")
    rows: list[Row] = []
    for name in arguments.names or NAMES:
        print(f"{name} …", file=sys.stderr)
        subject = import_module(f"scripts.benches.{name.replace('-', '_')}")
        rows += subject.rows()
    print(as_json(rows) if arguments.json else as_table(rows))
    return int(any(row.holds is False for row in rows))


def as_json(rows: list[Row]) -> str:
    """Return the one object that programs read."""
    return json.dumps({"rows": [row._asdict() for row in rows]}, indent=1)


def as_table(rows: list[Row]) -> str:
    """Return the table that people read."""
    cells = [("figure", "ours", "peer", "ratio", "unit", "runs", "bar", "")]
    for row in rows:
        verdict = {True: "holds", False: "MISSED", None: ""}[row.holds]
        cells.append(
            (row.name, number(row.ours), number(row.peer), number(row.ratio))
            + (row.unit, str(row.runs), row.bar, verdict)
        )
    widths = [max(len(line[column]) for line in cells) for column in range(8)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        for line in cells
    )


def number(value: float | None) -> str:
    """Return *value* with four figures, or a dash."""
    return "–" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    sys.exit(main())
