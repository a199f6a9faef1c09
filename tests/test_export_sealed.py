"""A sealed export tells a finder nothing, and its owner everything."""

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from drive_helper import Helper
from export_rig import ecg, edge, export, recorded
from pulled_drive import PulledDrive, whole

from edge.__main__ import main
from edge.errors import ExportError
from edge.export.errand import ROOM
from edge.export.folder import DiskFolder
from edge.export.job import Job
from edge.export.request import Request
from edge.export.span import find_span
from edge.history import History
from edge.records import UtcNs
from edge.store import Store

pyrage: Any = pytest.importorskip("pyrage", reason="pyrage is not installed")

FORMATS = "csv,edf,wfdb"


@pytest.fixture
def identity() -> Any:
    return pyrage.x25519.Identity.generate()


def test_owner_reads_what_an_open_export_has(
    database: Path, tmp_path: Path, identity: Any
) -> None:
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    words = ["--formats", FORMATS, "--output"]
    assert edge(database, *words, str(plain)) == 0
    assert edge(database, "--key", str(identity.to_public()), *words, str(sealed)) == 0
    assert main(["verify", str(sealed)]) == 0

    contents = json.loads(opened(sealed / "contents.json.age", identity))
    assert contents["subjects"] == ["P-07"]
    said = json.loads((plain / "manifest.json").read_text())
    names = [file["name"] for file in said["files"]]
    assert len(names) == 8
    for name in names:
        text = opened(sealed / f"{name}.age", identity)
        assert text == (plain / name).read_bytes()


def opened(path: Path, identity: Any) -> bytes:
    return bytes(pyrage.decrypt(path.read_bytes(), [identity]))


def test_finder_learns_nothing(database: Path, tmp_path: Path, identity: Any) -> None:
    out = tmp_path / "out"
    key = str(identity.to_public())
    assert edge(database, "--key", key, "--formats", FORMATS, "--output", str(out)) == 0

    names = {path.name for path in out.iterdir()}
    clear = {"manifest.json", "README.txt", "SHA256SUMS"}
    assert {name for name in names if not name.endswith(".age")} == clear
    for name in sorted(names):
        content = (out / name).read_bytes()
        for canary in (b"P-07", b"Mr. Y", b"unplugged", b"2025-11", b"1763800"):
            assert canary not in content, name
    with pytest.raises(pyrage.DecryptError):
        opened(out / "ecg.csv.age", pyrage.x25519.Identity.generate())


def test_interrupted_sealed_export_is_finished(database: Path, identity: Any) -> None:
    with History(database) as history:
        request = Request(*find_span(history), key=str(identity.to_public()))
    counting = PulledDrive()
    Job(database, request, counting, UtcNs(0)).run()
    for call in range(5, counting.calls, 9):
        pulled = PulledDrive(call=call, seed=call)
        with pytest.raises(ExportError, match="removed"):
            Job(database, request, pulled, UtcNs(0)).run()
        again = PulledDrive(pulled.left())
        said = Job(database, request, again, UtcNs(0)).run()
        files = dict(whole(again))
        for file in said["files"]:
            digest = hashlib.sha256(files[file["name"]]).hexdigest()
            assert digest == file["sha256"]
        assert opened_bytes(files["ecg.csv.age"], identity).startswith(b"timestamp,")


def opened_bytes(sealed: bytes, identity: Any) -> bytes:
    return bytes(pyrage.decrypt(sealed, [identity]))


def test_drive_takes_one_stretch_for_another_key(
    database: Path, helper: Helper, identity: Any
) -> None:
    other = pyrage.x25519.Identity.generate()
    for one in (identity, other, identity):
        assert export(database, "--key", str(one.to_public())) == 0

    folders = sorted((helper.medium / ROOM).iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert main(["verify", str(folder)]) == 0
        assert folder.name.startswith("sealed_")


def test_full_drive_is_said_through_the_seal(database: Path, identity: Any) -> None:
    with History(database) as history:
        request = Request(*find_span(history), key=str(identity.to_public()))
    with pytest.raises(ExportError, match=r"^ecg\.csv\.age: the drive is full") as said:
        Job(database, request, PulledDrive(room=100_000), UtcNs(0)).run()
    assert said.value.errno == errno.ENOSPC


def test_sealed_files_stay_below_the_size(tmp_path: Path, identity: Any) -> None:
    head = recorded()[:3]
    with Store(tmp_path / "long.db") as store:
        store.append([*head, *(ecg(second) for second in range(120))])
    with History(tmp_path / "long.db") as history:
        span = find_span(history)
    limit = 2_000_000
    drive = PulledDrive()
    key = str(identity.to_public())
    request = Request(*span, part_bytes=limit, key=key)
    Job(tmp_path / "long.db", request, drive, UtcNs(0)).run()

    sizes = {name: len(text) for name, text in whole(drive)}
    assert max(sizes.values()) < limit + 150_000  # what is on its way to the seal
    assert "ecg-003.csv.age" in sizes


def test_cancelled_sealed_export_lets_go_of_the_drive(
    database: Path, tmp_path: Path, identity: Any
) -> None:
    with History(database) as history:
        request = Request(*find_span(history), key=str(identity.to_public()))
    out = tmp_path / "out"
    with DiskFolder.at(out) as folder:
        job = Job(database, request, folder, UtcNs(0))
        job.cancel()
        with pytest.raises(ExportError, match="cancelled"):
            job.run()
        held = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
    assert not [place for place in held if out in place.parents]


def test_key_that_is_none_is_refused(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edge(database, "--key", "age1x", "--output", str(tmp_path / "out")) == 1
    assert "no public key of age" in capsys.readouterr().err
