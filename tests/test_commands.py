"""What all commands have in common."""

import getpass
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from records_store import session
from web_rig import QuietRecorder

from edge.__main__ import main
from edge.commands import user
from edge.commands.status import as_text
from edge.records import BoxNs
from edge.store import Store

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
        ("simulate ecg --link {}/new", "--sync-pulse", NO_TIMES),
        ("join {}/a {}/b --output {}/new", "--tolerance-ms", NO_TIMES),
        ("export --output {}/new", "--part-mb", ["7", "5000", *NO_TIMES]),
        ("export --output {}/new", "--shift-days", ["1e9", "nan", "week"]),
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


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0.44, "0.4 s"), (119, "119.0 s"), (130, "2 min"), (90_000, "25 h"),
     (1_814_400, "21 days")],
)  # fmt: skip
def test_status_says_how_long_as_a_person_would(seconds: float, says: str) -> None:
    recorder = QuietRecorder()
    began = BoxNs(recorder.now - round(seconds * 1e9))
    ecg = recorder.streams["ecg"]._replace(last=began)
    state = recorder.state()._replace(started=began, streams=(ecg,))
    session, _, stream = as_text(state).splitlines()[1:]

    assert session == f"session 1, for {says}"
    assert stream.endswith(f"last {says} ago")


@pytest.mark.parametrize("words", [["status"], ["sync-test"], ["record-session", "x"]])
def test_box_is_asked_without_naming_its_settings(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As `edge doctor` and errors advise to."""
    installed = tmp_path / "edge.toml"
    monkeypatch.setattr("edge.config.INSTALLED", installed)

    assert main(words) == 1
    assert f"{installed}: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("join {}/none {}/none --output {}/out", "none cannot be read: No such file"),
        ("join {}/latin {}/latin --output {}/out", "latin is not UTF-8: save it"),
        ("simulate ecg --link {}/none/link", "none/link: No such file or directory"),
        ("salvage {}/old.db --output {}/none/new.db", "none: No such file or"),
    ],
)
def test_file_that_cannot_be_had_is_named_once(
    command: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin").write_bytes("timestamp,Größe\n".encode("latin-1"))
    with Store(tmp_path / "old.db") as store:
        store.append([session()])

    words = [word.replace("{}", str(tmp_path)) for word in command.split()]
    assert main(words) == 1

    said = capsys.readouterr().err
    assert says in said
    assert "[Errno" not in said


def full() -> None:
    """Let this process's files take no more, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def closed() -> None:
    """Do what a shell does for `>&-`."""
    os.close(1)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("lacking", "why"), [(full, "too large"), (closed, "closed")])
@pytest.mark.parametrize(
    "command",
    [
        "check-config edge.toml",
        "decode --board csv lines",
        "account --config edge.toml list",
    ],
)
def test_output_that_cannot_be_written_is_told_in_a_line(
    command: str,
    lacking: Callable[[], None],
    why: str,
    unbuffered: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "edge.toml").write_text('[box]\ndata_dir = "."\n')
    (tmp_path / "lines").write_text(9999 * "1,2,3,4,5,6,7,8\n")
    (tmp_path / "web").mkdir()
    (tmp_path / "web/accounts.json").write_text('{"anna": {"role": "admin"}}')
    with (tmp_path / "output").open("w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "edge", *command.split()],
            stdout=output, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered}, preexec_fn=lacking,
            timeout=60, check=False,
        )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.startswith("edge: standard output cannot be written: ")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


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
