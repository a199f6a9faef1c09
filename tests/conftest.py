"""Fixtures that several test files share."""

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from drive_helper import Helper, drive_helper
from export_rig import recorded
from lan_rig import PHRASE, Lan
from legacy_rig import Client
from records_store import BALLAST, quick_folder, segment, session
from web_rig import QuietRecorder, make_recording

from edge import drives
from edge.config import Settings
from edge.models import Model, find_model, load_model
from edge.patient.picture import Pictures
from edge.store import Store
from edge.web.app import make_app

if TYPE_CHECKING:
    from page_rig import Bed

SHARED = Path(__file__).parent.parent.parent / "shared"
"""Real pictures, recordings and models beside the project; not part of it."""
FILES = 1024  # what Linux allows a process unless told otherwise


def pytest_configure() -> None:
    """Let tests with hundreds of connections stand where few files are allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if 0 <= soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data beside the project, or skip."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no real data beside the project at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def model() -> Model:
    """Return the model that the box has."""
    return load_model(find_model())


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    """Return what a camera sees of the simulated patient."""
    return Pictures(640, 480, seed=1)


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
def database(tmp_path: Path) -> Path:
    """Return the small recording that exports are tried on."""
    path = tmp_path / "recording.db"
    with Store(path) as store:
        store.append(recorded())
    return path


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Helper]:
    """Return what mounts drives, and a drive that is plugged in."""
    (tmp_path / "usb").mkdir()
    with drive_helper(tmp_path / "usb") as helper:
        monkeypatch.setattr("edge.commands.export.present", lambda: [helper.drive])
        monkeypatch.setattr(drives, "HELPER", helper.path)
        yield helper


@pytest.fixture
def lan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lan:
    """Return a page on the network that two people may see."""
    monkeypatch.setattr("edge.web.accounts.COST", 2**10)  # the tests log in often
    lan = Lan(tmp_path)
    lan.accounts.add("anna", PHRASE, "admin")
    lan.accounts.add("vera", PHRASE, "viewer")
    return lan


@pytest.fixture
def recorder() -> QuietRecorder:
    """Return a recorder for the page that is not there."""
    return QuietRecorder()


@pytest.fixture
def app(tmp_path: Path, recorder: QuietRecorder) -> Any:
    """Return the page of a small recording, on this machine."""
    return make_app(make_recording(tmp_path), recorder, Settings(), tmp_path / "web")


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
