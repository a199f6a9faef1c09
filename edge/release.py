"""Which version of this program runs."""

from importlib import metadata

COMMIT = "$Format:%h$"
"""`git archive`, by which `scripts/install` unpacks, puts it here (.gitattributes)."""


def version() -> str:
    """Return the version, with the commit where it is installed: ``0.1.0-1a2b3c4``."""
    number = metadata.version("ecg-pose-edge")
    return number if COMMIT.startswith("$") else f"{number}-{COMMIT}"
