"""The joined table alone, as one CSV file or on standard output."""

from pathlib import Path

import pytest
from test_export import START, S, database, edge, rows
from test_export_drive import Bench

from edge.__main__ import main
from edge.config import load
from edge.control import Server
from edge.records import Event

__all__ = ["database"]  # the fixture


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
