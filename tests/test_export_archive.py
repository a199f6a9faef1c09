"""The export as one ZIP file that is sent while it is made."""

import io
import threading
import zipfile
from pathlib import Path

import pytest
from test_export import edge, recorded

from edge.__main__ import main
from edge.errors import StoreError
from edge.export.archive import archive
from edge.export.request import Request
from edge.export.span import find_span
from edge.history import History
from edge.records import BoxNs, UtcNs
from edge.store import Store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "recording.db"
    with Store(path) as store:
        store.append(recorded())
    return path


def request(database: Path) -> Request:
    with History(database) as history:
        return Request(*find_span(history), formats=("csv", "edf", "wfdb"))


def test_archive_holds_the_export(database: Path, tmp_path: Path) -> None:
    data = b"".join(archive(database, request(database), UtcNs(0)))

    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        found.extractall(tmp_path / "out")
    assert main(["verify", str(tmp_path / "out")]) == 0
    words = ["--formats", "csv,edf,wfdb", "--output", str(tmp_path / "folder")]
    assert edge(database, *words) == 0
    for path in (tmp_path / "folder").iterdir():
        if path.name not in ("manifest.json", "SHA256SUMS"):
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_archive_that_is_given_up_ends_its_work(database: Path) -> None:
    before = threading.active_count()
    pieces = archive(database, request(database), UtcNs(0))
    next(pieces)

    pieces.close()  # type: ignore[attr-defined]

    assert threading.active_count() == before


def test_archive_of_nothing_says_why(tmp_path: Path) -> None:
    asked = Request(BoxNs(0), BoxNs(1))
    with pytest.raises(StoreError):
        list(archive(tmp_path / "none.db", asked, UtcNs(0)))
