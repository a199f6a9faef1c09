"""Fixtures that several test files share."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lan_rig import PHRASE, Lan
from legacy_rig import Client
from records_store import BALLAST, quick_folder, segment, session

from edge.store import Store

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
def path() -> Iterator[Path]:
    """Return where a database may be made whose syncs cost nothing."""
    with quick_folder() as folder:
        yield folder / "edge.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Return a store that has begun a session."""
    with Store(path, ballast_bytes=BALLAST) as store:
        store.append([session(), segment()])
        yield store


@pytest.fixture
def lan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lan:
    """Return a page on the network that two people may see."""
    monkeypatch.setattr("edge.web.accounts.COST", 2**10)  # the tests log in often
    lan = Lan(tmp_path)
    lan.accounts.add("anna", PHRASE, "admin")
    lan.accounts.add("vera", PHRASE, "viewer")
    return lan


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
