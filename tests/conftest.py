"""Fixtures that several test files share."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parent.parent.parent / "shared"
"""Real pictures, recordings and models beside the project; not part of it."""


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data beside the project, or skip."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no real data beside the project at {SHARED}")
    return SHARED
