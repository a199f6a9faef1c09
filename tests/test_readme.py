"""The README and the program say the same."""

import re
from pathlib import Path

import pytest

from edge.__main__ import COMMANDS
from edge.protocols import DECODERS, make_decoder

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = ("README.md", "CONTRIBUTING.md", "systemd/README.md", "models/README.md")


def test_every_command_is_in_the_readme_and_back() -> None:
    named = set(re.findall(r"^\| `edge ([a-z-]+)", README, re.MULTILINE))
    assert named == set(COMMANDS)


def test_every_command_has_its_module() -> None:
    modules = {path.stem for path in (ROOT / "edge" / "commands").glob("[a-z]*.py")}
    assert modules == {name.replace("-", "_") for name in COMMANDS}


def test_every_script_that_the_readme_names_is_there() -> None:
    for name in re.findall(r"scripts/([a-z-]+)", README):
        assert (ROOT / "scripts" / name).is_file(), name


def test_every_figure_has_a_command_that_prints_it() -> None:
    benches = {
        p.stem.replace("_", "-") for p in (ROOT / "scripts/benches").glob("*.py")
    }
    for name in re.findall(r"scripts/bench ([a-z][a-z-]+)", README):
        assert name in benches, name


def test_every_board_is_in_the_readme_with_its_scale() -> None:
    """Also its leads, rate and speed; a count to the digits that are printed."""
    section = README.partition("## ECG boards")[2].partition("\n## ")[0]
    told = {}
    for row in re.findall(r"^\| (`.*) \|$", section, re.MULTILINE):
        names, _, leads, rates, bauds, count = row.split(" | ")
        for place, name in enumerate(re.findall(r"`([a-z0-9-]+)`", names)):
            told[name] = leads, nth(rates, place), nth(bauds, place), count
    assert set(told) == set(DECODERS)
    for name, (leads, rate, baud, count) in told.items():
        board = make_decoder(name).board
        assert leads in (str(len(board.leads)), ", ".join(board.leads)), name
        assert rate == (f"{board.sampling_rate_hz:g}" if name != "csv" else "its own")
        assert baud == f"{board.baud:,}", name
        number, unit = count.split()
        counts = 1 / (float(number) * {"nV": 1e-6, "µV": 1e-3}[unit])  # a millivolt
        assert board.gain == pytest.approx([counts] * len(board.leads), rel=0.01), name


def nth(cell: str, place: int) -> str:
    """Return the value for the name at *place*; most cells have one for all."""
    values = cell.removesuffix(" Hz").split(", ")
    return values[min(place, len(values) - 1)]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    for name in re.findall(
        r"(?<![\w/-])(?:edge|tests|scripts|config)/[\w/-]+\.\w+", text
    ):
        assert (ROOT / name).is_file() or "NAME" in name, name
