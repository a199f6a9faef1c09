"""`edge doctor`: what is well, what is not, and the command that mends it."""

import argparse
import json
from pathlib import Path

from edge import config
from edge.doctor import examine
from edge.doctor.machine import Finding, Machine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the configuration file and the form of the answer."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"instead of {config.INSTALLED}"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 0 if none is a fault."""
    found = config.INSTALLED if config.INSTALLED.exists() else None
    path = arguments.config or found
    settings = config.load(path) if path else config.Settings()
    findings = examine(settings, Machine())
    print(as_json(findings) if arguments.json else as_table(findings))
    return int(any(finding.level == "fault" for finding in findings))


def as_json(findings: list[Finding]) -> str:
    """Return ``{"findings": […]}`` with the fields of `Finding`."""
    return json.dumps({"findings": [entry._asdict() for entry in findings]}, indent=1)


def as_table(findings: list[Finding]) -> str:
    """Return a line for each finding, and one more where something mends it."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:8}{finding.part:11}{finding.says}")
        if finding.mend and finding.level != "ok":
            lines.append(f"{'':19}→ {finding.mend}")
    return "\n".join(lines)
