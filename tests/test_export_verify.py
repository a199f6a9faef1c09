"""`edge verify`: whether an export is whole and unchanged, in words."""

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from export_rig import edge

from edge.__main__ import main


def test_verify_finds_every_change(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    edge(database, "--output", str(out))
    assert main(["verify", str(out)]) == 0

    for path in sorted(out.iterdir()):
        good = path.read_bytes()
        path.write_bytes(good[:-2] + b"!\n")
        assert main(["verify", str(out)]) == 1, path
        path.write_bytes(b"0" * 64 + good[64:])
        assert main(["verify", str(out)]) == 1, path
        path.write_bytes(good[:-2])
        assert main(["verify", str(out)]) == 1, path
        path.unlink()
        assert main(["verify", str(out)]) == 1, path
        path.write_bytes(good)
    assert main(["verify", str(out)]) == 0


def test_verify_names_what_is_of_another_export(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    edge(database, "--output", str(out))
    (out / "ecg-002.csv").write_bytes((out / "ecg.csv").read_bytes())
    (out / "analysis.csv").write_text("a person's own")

    assert main(["verify", str(out)]) == 1

    said = capsys.readouterr().out
    assert "ecg-002.csv" in said
    assert "analysis.csv" not in said


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("manifest.json", b"{", "manifest.json is damaged"),
        ("manifest.json", b"[]", "manifest.json is damaged"),
        ("manifest.json", b"{}", "manifest.json is damaged"),
        ("manifest.json", b'{"files": [{"name": "a"}]}', "manifest.json is damaged"),
        ("manifest.json", b'{"files": []}', "is not of an export of this program"),
        ("SHA256SUMS", b"\xff\n", "manifest.json: SHA256SUMS does not name it"),
        ("ecg.csv.part", b"", "ecg.csv.part: left by an unfinished try"),
        ("manifest.json.part", b"", "manifest.json.part: left by an unfinished try"),
    ],
)
def test_verify_says_what_is_wrong_with_a_folder(
    database: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes,
    says: str,
) -> None:
    out = tmp_path / "out"
    edge(database, "--output", str(out))
    (out / name).write_bytes(content)

    assert main(["verify", str(out)]) == 1

    assert says in "".join(capsys.readouterr())


def test_verify_reads_nothing_outside_the_folder(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, elsewhere = tmp_path / "out", "../export.csv"
    edge(database, "--output", str(out))
    (tmp_path / "export.csv").write_text("")
    empty = hashlib.sha256(b"").hexdigest()
    sums, whole = out / "SHA256SUMS", out / "manifest.json"
    good = sums.read_text()
    sums.write_text(f"{good}{empty}  {elsewhere}\n")
    capsys.readouterr()
    assert main(["verify", str(out)]) == 0
    assert elsewhere not in capsys.readouterr().out

    said = json.loads(whole.read_text())
    said["files"].append({"name": elsewhere, "sha256": empty})
    whole.write_text(json.dumps(said))
    assert main(["verify", str(out)]) == 1
    assert "names a file elsewhere" in capsys.readouterr().err


def test_verify_says_where_there_is_no_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path)]) == 1
    assert "do it again into the same folder" in capsys.readouterr().err
    assert main(["verify", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err


def test_verify_says_what_it_may_not_read(
    database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    edge(database, "--output", str(out))
    opened = Path.open

    def guarded(path: Path, *mode: Any, **more: Any) -> Any:
        if path.name == forbidden:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *mode, **more)

    monkeypatch.setattr(Path, "open", guarded)
    forbidden = "ecg.csv"
    assert main(["verify", str(out)]) == 1
    said = capsys.readouterr().out
    assert "ecg.csv: cannot be read: Permission denied" in said
    forbidden = "manifest.json"
    assert main(["verify", str(out)]) == 1
    assert "manifest.json cannot be read: Permission" in capsys.readouterr().err
