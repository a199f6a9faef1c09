"""The joined table of an export says what `edge.join.rows` says of the same poses."""

import csv
import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from export_rig import edge, rows
from records_store import START, S, chunk, pose, second, segment, session, vital

from edge.__main__ import main
from edge.export.cells import APOSTROPHE
from edge.export.joining import joined
from edge.export.recording import Recording
from edge.history import History
from edge.join.columns import COLUMNS, Cell, cells
from edge.join.rows import joined_rows
from edge.records import BoxNs, ClockReading, EcgChunk, Record, UtcNs
from edge.store import Store

FLOAT32 = {column.name for column in COLUMNS if column.name.endswith(("_x", "_y"))} | {
    column.name for column in COLUMNS if column.name.endswith("_confidence")
}


def recording(random: np.random.Generator, path: Path) -> None:
    """Store a minute of two sessions with gaps, an upload beside, odd vitals."""
    records: list[Record] = [
        session(1, START - 5 * S),
        segment(1, "serial", 3),
        segment(2, "upload", 16),
        ClockReading(1, START, UtcNs(START + 77), bool(random.integers(2)), 0),
        session(2, START + 40 * S),
        segment(3, "serial", 1)._replace(session=2),
        ClockReading(2, BoxNs(START + 41 * S), UtcNs(START + 45 * S), True, 0),
    ]
    for passed_s in range(60):
        at = START + passed_s * S
        if random.random() < 0.7:
            number = 1 if passed_s < 40 else 3
            records.append(chunk(random, at, number, 3 if number == 1 else 1))
        if random.random() < 0.2:
            records.append(chunk(random, at + int(random.integers(S)), 2, 16))
        times = np.sort(random.integers(at, at + S, int(random.integers(12))))
        records += [pose(random, int(time)) for time in times]
        if random.random() < 0.5:
            records.append(vital(random, at + int(random.integers(S))))
    with Store(path) as store:
        store.append(records)


def agrees(text: str, cell: Cell, name: str) -> bool:
    """Return whether *text* is *cell* as precisely as its column has it."""
    if cell is None or isinstance(cell, str):
        return text.removeprefix(APOSTROPHE) == (cell or "")
    if isinstance(cell, bool | int):
        return text == str(cell)
    if name in FLOAT32:
        return bool(np.float32(text) == np.float32(cell))
    near = 0.5 if name.endswith("age_ms") else 0.00051
    return abs(float(text) - cell) <= near


@pytest.mark.parametrize("tolerance_ns", [0, S // 50, S, 20 * S])
@pytest.mark.parametrize("seed", range(6))
def test_cells_are_those_of_the_rows(
    tmp_path: Path, seed: int, tolerance_ns: int
) -> None:
    random = np.random.default_rng(seed)
    recording(random, tmp_path / "edge.db")
    begin, end = sorted(random.integers(START, START + 60 * S, 2).tolist())

    with History(tmp_path / "edge.db") as history:
        table = joined(Recording(history, begin, end), tolerance_ns)
        text = b"".join(block.text for block in table.blocks()).decode()
        rows = list(joined_rows(history, begin, end, tolerance_ns))

    found = list(csv.reader(io.StringIO(text, newline="")))
    assert len(found) == len(rows)
    for line, row in zip(found, rows, strict=True):
        for column, here, cell in zip(COLUMNS, line, cells(row), strict=True):
            assert agrees(here, cell, column.name), (column.name, here, cell)


def test_all_leads_of_the_largest_board_are_there(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    counts = np.arange(16 * 125, dtype=np.int32).reshape(125, 16)
    daisy = EcgChunk(1, START, 8e6, 1000, counts)
    board = segment(1, "serial", 16)
    with Store(tmp_path / "edge.db") as store:
        store.append([session(), board, daisy, pose(random, START)])

    out = tmp_path / "joined.csv"
    words = ["--database", str(tmp_path / "edge.db"), "--output", str(out)]
    assert main(["export", *words]) == 0

    (row,) = rows(out)
    found = [float(row[f"ecg_lead{number}"]) for number in range(1, 17)]
    assert found == [number / 1000 for number in range(16)]
    assert row["ecg_leads"].split() == list(board.leads)


@pytest.mark.parametrize("pose_every_s", [60, 1800])
def test_hours_with_few_poses_or_none_take_no_memory(
    tmp_path: Path, pose_every_s: int
) -> None:
    random = np.random.default_rng(1)
    with Store(tmp_path / "edge.db") as store:
        store.append([session(1, START), segment(1, "serial", 8)])
        for first in range(0, 3600, 600):
            times = [START + second * S for second in range(first, first + 600)]
            store.append([chunk(random, at, 1, 8) for at in times])
            store.append([vital(random, at) for at in times])
        poses = range(0, 3600, pose_every_s)
        store.append([pose(random, START + second * S) for second in poses])

    with History(tmp_path / "edge.db") as history:
        table = joined(Recording(history, START, BoxNs(START + 3600 * S)), S)
        tracemalloc.start()
        rows = sum(block.rows for block in table.blocks())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert rows == len(poses)
    assert peak < 12_000_000, peak


def test_no_ecg_at_all_is_said(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    with Store(tmp_path / "edge.db") as store:
        store.append([session(), pose(random, START)])

    with History(tmp_path / "edge.db") as history:
        table = joined(Recording(history, START, BoxNs(START + 1)), S)
        (block,) = table.blocks()

    names = [column.name for column in COLUMNS]
    values = block.text.decode().strip().split(",")
    assert values[names.index("unmatched_reason")] == "no_ecg"
    assert values[names.index("ecg_matched")] == "False"


def test_export_joined_again_is_itself(tmp_path: Path) -> None:
    """joined.csv and ecg.csv of an export, joined once more, on box time."""
    dice = np.random.default_rng(9)
    database, folder = tmp_path / "edge.db", tmp_path / "export"
    with Store(database) as store:
        store.append([session(), segment()])
        for number in range(20):
            store.append(second(dice, START + 3 * number * S))
    assert edge(database, "--output", str(folder)) == 0
    before = rows(folder / "joined.csv")

    out = tmp_path / "again.csv"
    names = [str(folder / "joined.csv"), str(folder / "ecg.csv")]
    assert main(["join", *names, "--output", str(out)]) == 0
    after = rows(out)

    same = [
        name
        for name in before[0]
        if name.startswith(("ecg_box", "ecg_matched", "difference", "nose", "pose"))
    ] + ["timestamp", "ecg_timestamp", "ecg_uncertainty_ms", "ecg_segment"]
    assert len(before) > 50
    for one, other in zip(before, after, strict=True):
        assert {name: one[name] for name in same} == {
            name: other[name] for name in same
        }
