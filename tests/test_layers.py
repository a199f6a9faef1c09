"""Who may import whom: the house rules of the README, held."""

import ast
import subprocess
import sys
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

MODULES = sorted((ROOT / "edge").rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            if node.module == "edge":
                names |= {f"edge.{alias.name}" for alias in node.names}
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
