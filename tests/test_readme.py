"""The README and the program say the same."""

import re
from pathlib import Path

from edge.__main__ import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


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
