"""Who may import whom: the house rules of the README, held."""

import ast
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS: list[set[str]] = [
    {"records", "errors", "release"},
    {
        "clock", "stamps", "config", "systemd", "worker",
        "drives", "drivehelper", "health", "patient", "streams", "edgetpu",
        "pulses",
    },
    {"database", "ledger"},
    {
        "sources", "protocols", "pose", "store", "history", "heart",
        "pictures", "models", "movement", "dating", "simulator",
        "synctest", "chunks",
    },
    {"join", "control", "stating"},
    {"pipeline", "derived", "export"},
    {"given", "vision"},
    {"opening"},
    {"web", "doctor"},
    {"recorder"},
    {"syncing"},
    {"requests"},
    {"daemon"},
    {"commands", "__main__"},
]  # fmt: skip

DOORS: dict[str, set[str]] = {
    # third-party package → the modules that may import it
    "ai_edge_litert": {"edge.models"},
    "tflite_runtime": {"edge.models"},
    "serial": {"edge.sources.usbserial"},
    "picamera2": {"edge.sources.picamera"},
    "libcamera": {"edge.sources.picamera"},
    "av": {"edge.sources.video"},
    "sqlite_utils": {"edge.database.schema"},
    "bottle": {"edge.web"},
    "cheroot": {"edge.web.server"},
    "PIL": {"edge.pictures"},
    "pyarrow": {"edge.export.parquet"},
    "pyrage": {"edge.export.sealed"},
}
PEERS_ALLOWED = {
    "config",
    "dating",
    "heart",
    "join",
    "database",
    "sources",
    "protocols",
    "export",
    "web",
    "commands",
    "doctor",
    "patient",
    "pose",
    "simulator",
    "vision",
}
"""Rooms whose modules may use each other."""

STATIC = ROOT / "edge/web/static"
PAGE_LAYERS: list[set[str]] = [
    {"elements", "figures"},
    {"playing", "pen"},
    {"received"},
    {"body", "traces", "vitals", "parts", "sending"},
    {"axis", "hour", "words"},
    {"hands"},
    {"page", "export", "login"},
]
"""The modules of the pages, as a browser loads them."""
PAGE_IMPORT = re.compile(r'^import .*"\./(\w+)\.js";$', re.MULTILINE)

MODULES = sorted((ROOT / "edge").rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer(room: str) -> int:
    found = [number for number, rooms in enumerate(LAYERS) if room in rooms]
    assert found, f"{room} is in no layer: add it to LAYERS"
    return found[0]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_only_from_layers_above(path: Path) -> None:
    name = module_name(path)
    if name == "edge":
        return
    own = name.split(".")[1]
    for imported in imports(path):
        if not imported.startswith("edge."):
            continue
        room = imported.split(".")[1]
        if room == own:
            assert own in PEERS_ALLOWED
        else:
            assert layer(room) < layer(own), f"{name} imports {imported}"


def test_modules_of_the_page_import_only_from_rows_above() -> None:
    seen: set[str] = set()
    for row in PAGE_LAYERS:
        for name in row:
            text = (STATIC / f"{name}.js").read_text()
            imported = set(PAGE_IMPORT.findall(text))
            assert imported <= seen, f"{name}.js imports {imported - seen}"
            assert text.count("import ") == len(imported), name
        seen |= row
    assert seen == {path.stem for path in STATIC.glob("*.js")}


def test_rows_of_the_readme_are_the_layers() -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("## Where things are")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \d \| (`.*?) \|", section, re.MULTILINE)
    layers = [[layer(name) for name in re.findall(r"`(\w+)/?`", row)] for row in rows]
    assert len(layers) == 7
    for above, below in pairwise(layers):
        assert max(above) < min(below)


def test_what_tests_share_is_in_no_test_file() -> None:
    """Else a test that is moved breaks others, which only all of them together show."""
    for path in (ROOT / "tests").rglob("*.py"):
        for name in imports(path):
            assert not re.search(r"\btest_", name), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_third_party_packages_enter_through_one_door(path: Path) -> None:
    name = module_name(path)
    for imported in imports(path):
        doors = DOORS.get(imported.split(".")[0])
        if doors:
            assert any(name == door or name.startswith(door + ".") for door in doors)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_only_clock_reads_a_wall_clock(path: Path) -> None:
    wall = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow",
            "datetime.today", "date.today", "CLOCK_REALTIME"}  # fmt: skip
    if module_name(path) == "edge.clock":
        return
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            used = ast.unparse(node)
            assert not any(used.endswith(name) for name in wall), f"{path}: {used}"


def test_the_recorder_loads_neither_the_model_s_library_nor_pandas() -> None:
    seen = "{'ai_edge_litert', 'tflite_runtime', 'pandas'} & set(sys.modules)"
    program = f"import sys, edge.daemon; sys.exit(', '.join({seen}) or 0)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert not run.returncode, run.stderr
