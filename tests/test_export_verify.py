"""`edge verify`: whether an export is whole and unchanged, in words."""

import errno
from pathlib import Path
from typing import Any

import pytest
from test_export import edge, recorded

from edge.__main__ import main
from edge.store import Store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "recording.db"
    with Store(path) as store:
        store.append(recorded())
    return path


def test_verify_finds_every_change(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    edge(database, "--output", str(out))
    assert main(["verify", str(out)]) == 0

    for path in sorted(out.iterdir()):
        good = path.read_bytes()
        path.write_bytes(good[:-2] + b"!\n")
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
