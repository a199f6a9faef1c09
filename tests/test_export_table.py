"""The joined table alone, as one CSV file or on standard output."""

import re
import sys
from pathlib import Path

import pytest
from desk_rig import Bench
from export_rig import START, S, edge, rows

from edge.__main__ import main
from edge.config import load
from edge.control import Server
from edge.records import BoxNs, Event, Vital
from edge.store import Store


@pytest.mark.parametrize("place", ["joined.csv", "-"])
@pytest.mark.parametrize(
    "words",
    [
        ["--key", "age1qqqq"],
        ["--formats", "csv,edf"],
        ["--formats", "parquet"],
        ["--tables", "ecg"],
        ["--tables", "joined,ecg,vitals,events"],
        ["--part-mb", "8"],
    ],
)
def test_what_one_plain_table_cannot_follow_is_refused(
    database: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    place: str,
    words: list[str],
) -> None:
    path = tmp_path / place if place != "-" else place

    assert edge(database, *words, "--output", str(path)) == 1

    said = capsys.readouterr()
    assert f"with {words[0]} give --output a folder" in said.err
    assert said.out == ""
    assert not (tmp_path / "joined.csv").exists()


@pytest.mark.parametrize(
    ("words", "package", "extra"),
    [
        (["--key", "age1q"], "pyrage", "sealed"),
        (["--formats", "parquet"], "pyarrow", "parquet"),
    ],
)
def test_package_that_is_missing_is_named_with_what_installs_it_here(
    database: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    package: str,
    extra: str,
) -> None:
    """Debian's own pip refuses, and nobody but this environment knows the project."""
    monkeypatch.setitem(sys.modules, package, None)
    for module in ("edge.export.sealed", "edge.export.parquet"):
        monkeypatch.delitem(sys.modules, module, raising=False)

    assert edge(database, *words, "--output", str(tmp_path / "out")) == 1

    installs = f"{sys.executable} -m pip install 'ecg-pose-edge[{extra}]'"
    said = capsys.readouterr().err
    assert package in said
    assert installs in said


@pytest.mark.parametrize(
    ("place", "says"),
    [("none/out", "make the folder .*none first"), ("file", "a file is in the way")],
)
def test_folder_that_cannot_be_made_is_told_why(
    place: str,
    says: str,
    database: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    assert edge(database, "--output", str(tmp_path / place)) == 1
    assert re.search(says, capsys.readouterr().err)


def test_what_it_is_anyway_may_be_said(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "joined.csv"
    words = ["--formats", "csv", "--tables", "joined", "--output", str(out)]

    assert edge(database, *words) == 0

    assert len(rows(out)) == 50


@pytest.mark.parametrize("place", ["joined.csv", "-"])
@pytest.mark.parametrize("more", [[], ["--deidentify"]])
def test_the_recording_keeps_who_took_it(
    database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    more: list[str],
) -> None:
    monkeypatch.setenv("LOGNAME", "anna")
    file = tmp_path / "edge.toml"
    file.write_text(f"[box]\ndata_dir = '{database.parent}'\n")
    path = str(tmp_path / place) if place != "-" else place
    bench = Bench(tmp_path, "")
    server = Server(load(file).control_socket, bench.desk.handlers())
    try:
        words = ["--config", str(file), "--from=-5s", *more, "--output", path]
        assert main(["export", *words]) == 0
    finally:
        server.close()

    (event,) = bench.kept
    assert isinstance(event, Event)
    where = "standard output" if place == "-" else path
    assert event.cause == f"exported, to {where}, for anna"
    detail = event.detail
    assert (detail["formats"], detail["tables"]) == (["csv"], ["joined"])
    assert detail["deidentify"] is bool(more)
    assert int(str(detail["begin_box_ns"])) > START + 4 * S


def test_dictionary_names_every_source_of_a_vital(
    database: Path, tmp_path: Path
) -> None:
    with Store(database) as store:
        moved = Vital(BoxNs(START + S), "movement", 1.5, "", "camera", True)
        store.append([moved])

    edge(database, "--output", str(tmp_path / "out"))

    found = {row["source"] for row in rows(tmp_path / "out" / "vitals.csv")}
    words = (tmp_path / "out" / "README.txt").read_text()
    (said,) = re.findall("COLUMNS OF vitals.*?source: (.*?)\n", words, re.DOTALL)
    assert found == {"serial", "camera"}
    assert found <= set(re.findall(r"\w+", said))
