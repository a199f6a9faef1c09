"""What all commands have in common."""

import getpass
import os
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.commands import user

NO_TIMES = ["nan", "inf", "-1", "1e300", "soon", ""]
NO_PORTS = ["-1", "65536", "9" * 400, "1.5", "http", ""]
NO_DELAYS = ["nan", "-inf", "1e9", "late"]


@pytest.mark.parametrize(
    ("command", "option", "values"),
    [
        ("record-session {}/new --config {}/edge.toml", "--for", NO_TIMES),
        ("demo --data {}/new", "--for", NO_TIMES),
        ("simulate ecg --link {}/new", "--for", NO_TIMES),
        ("sync-test --config {}/edge.toml", "--for", NO_TIMES),
        ("demo --data {}/new", "--port", NO_PORTS),
        ("web --config {}/edge.toml", "--port", NO_PORTS),
        ("demo --data {}/new", "--flash", NO_DELAYS),
    ],
)
def test_number_that_is_none_is_refused_before_anything_is_done(
    command: str,
    option: str,
    values: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for value in values:
        words = command.replace("{}", str(tmp_path)).split()
        with pytest.raises(SystemExit) as refused:
            main([*words, f"{option}={value}"])

        assert refused.value.code == 2
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert f"argument {option}: {value} is no " in said
    assert [*tmp_path.iterdir()] == []


def test_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container's, of which the system has no entry."""
    for error in (KeyError, OSError):

        def nobody(error: type[Exception] = error) -> str:
            raise error("getpwuid(): uid not found: 4242")

        monkeypatch.setattr(getpass, "getuser", nobody)
        monkeypatch.setattr(os, "getuid", lambda: 4242)
        assert user() == "uid 4242"


def test_columns_of_a_board_that_has_its_own_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bytes").touch()
    words = ["decode", "--board", "olimex", "--columns", "a,b", str(tmp_path / "bytes")]

    assert main(words) == 1
    assert capsys.readouterr().err == "edge: --columns goes with --board csv\n"
