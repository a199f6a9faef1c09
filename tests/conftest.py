"""Fixtures that several test files share."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from legacy_rig import Client

if TYPE_CHECKING:
    from page_rig import Bed

SHARED = Path(__file__).parent.parent.parent / "shared"
"""Real pictures, recordings and models beside the project; not part of it."""


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data beside the project, or skip."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no real data beside the project at {SHARED}")
    return SHARED


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Return a script that knows the original system's addresses."""
    client = Client(tmp_path)
    yield client
    client.recorder.close()


@pytest.fixture
def bed(tmp_path: Path) -> Iterator["Bed"]:
    """Return a box that records beside a bed and serves its page."""
    from page_rig import Bed  # here, since it loads what steers a browser

    bed = Bed(tmp_path)
    yield bed
    bed.close()
