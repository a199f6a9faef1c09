"""What the manifest says of gaps: each with its causes, however many there are."""

import json
import tracemalloc
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_rig import START, UTC_AHEAD, S, ecg, pose, recorded, rows

from edge.__main__ import main
from edge.export import Options, load_writer
from edge.export.causes import LEFT
from edge.export.folder import DiskFolder
from edge.export.job import Job, Progress
from edge.export.manifest import iso
from edge.export.output import Output, files_in
from edge.export.part import Writable
from edge.export.recording import Recording, Veil
from edge.export.request import Request
from edge.history import History
from edge.records import BoxNs, Event, Record, UtcNs
from edge.store import Store


def manifest_of(database: Path, records: list[Record]) -> dict[str, Any]:
    """Return the manifest of an export of the ECG of *records*."""
    with Store(database) as store:
        store.append(records)
    return exported(database)


def exported(database: Path, *more: str) -> dict[str, Any]:
    """Return the manifest of an export of the ECG in *database*."""
    place = database.with_suffix(".out")
    words = ["export", "--database", str(database), "--tables", "ecg", *more]
    assert main([*words, "--output", str(place)]) == 0
    said = json.loads((place / "manifest.json").read_text())
    assert isinstance(said, dict)
    return said


def instant(said: dict[str, int]) -> int:
    return said["box_s"] * S + said["box_ns"]


@pytest.mark.parametrize("seed", range(6))
def test_each_gap_has_the_causes_of_its_time(tmp_path: Path, seed: int) -> None:
    """Also what stopped the whole box: that is no event of the ECG alone."""
    random = np.random.default_rng(seed)
    about = recorded()[:3]
    there = sorted(random.choice(60, 30, replace=False).tolist())
    told = [
        Event(
            BoxNs(START + int(began)),
            None if number % 9 == 0 else BoxNs(START + int(began + lasted)),
            str(random.choice(["gap", "gap", "state"])),
            str(random.choice(["ecg", "", "pose", "camera"])),
            str(random.choice(["unplugged", "cut off", "lost"])),
        )
        for number, (began, lasted) in enumerate(
            zip(
                random.integers(-S, 61 * S, 80),
                random.integers(1, 4 * S, 80),
                strict=True,
            )
        )
    ]
    said = manifest_of(
        tmp_path / "box.db", [*about, *(ecg(second) for second in there), *told]
    )

    gaps = said["streams"]["ecg"]["serial"]["gaps_listed"]
    assert len(gaps) >= sum(b - a > 1 for a, b in zip(there, there[1:], strict=False))
    for gap in gaps:
        begin, end = instant(gap["begin"]), instant(gap["end"])
        wanted = [
            event.cause
            for event in sorted(told, key=lambda event: event.began)
            if (event.kind, event.stream) in (("gap", "ecg"), ("gap", ""))
            and event.began < end
            and begin < (event.ended or event.began)
        ]
        assert gap["causes"] == [cause for cause, _ in groupby(wanted)]


def test_what_left_before_it_was_read_is_a_gap_with_a_cause(tmp_path: Path) -> None:
    """An export of weeks lasts for hours, in which the full recording goes on."""
    database = tmp_path / "box.db"
    with Store(database, retention_h=60 / 3600) as store:
        store.append(recorded()[:3])
        for second in range(200):
            store.append([ecg(second)])
    said = exported(database, f"--from=box:{START}")

    with History(database) as history:
        first = next(history.chunks(BoxNs(0), BoxNs(2**62))).start
    (gap,) = said["streams"]["ecg"]["serial"]["gaps_listed"]
    assert (instant(gap["begin"]), instant(gap["end"])) == (START, first)
    assert gap["causes"] == [LEFT]


@pytest.mark.parametrize("name", ["edf", "edf-d", "wfdb"])
def test_what_left_while_its_file_was_written_is_told(
    tmp_path: Path, name: str
) -> None:
    """Such a file is laid out first and written in a second pass."""
    database, out = tmp_path / "box.db", tmp_path / "out"
    with Store(database, retention_h=60 / 3600) as store, History(database) as history:
        store.append(recorded()[:3])
        for second in range(100):
            store.append([ecg(second)])
        begin, end = history.span() or (START, START)
        recording = Recording(history, begin, end)

        with DiskFolder.at(out) as folder:
            make = files_in(folder)

            def later(file: str) -> Writable:
                if not out.exists() or not any(out.iterdir()):
                    for second in range(100, 120):
                        store.append([ecg(second)])
                return make(file)

            output = Output(later)
            load_writer(name)(recording, output, Options(("ecg",), S))
            output.close()
        first = next(history.chunks(BoxNs(0), BoxNs(2**62))).start

    assert first > begin
    lost = (first - begin) // 2_000_000
    (remark,) = output.remarks
    assert remark.startswith(f"{lost} ECG samples left the recording while this")


@pytest.mark.parametrize(("more", "shift_s"), [(0, 0), (30, 0), (30, -5000)])
def test_what_left_between_the_tables_is_told(
    tmp_path: Path, more: int, shift_s: int
) -> None:
    """Each table is read in a pass of its own, while the ring moves on."""
    database, out = tmp_path / "box.db", tmp_path / "out"
    with Store(database, retention_h=60 / 3600) as store, History(database) as history:
        store.append(recorded()[:3])

        def record(seconds: range) -> None:
            for second in seconds:
                store.append([ecg(second), pose(START + second * S, 0.5)])

        record(range(100))
        span = history.span()
        assert span
        written: list[str] = []

        def tell(progress: Progress) -> None:
            if not written and more:
                record(range(100, 100 + more))
            written.append(progress.file)

        options, veil = Options(("joined", "ecg"), S), Veil(shift_s * S)
        request = Request(*span, options=options, veil=veil if shift_s else None)
        with DiskFolder.at(out) as folder:
            said = Job(database, request, folder, UtcNs(START), tell).run()
        left_before = history.left_before()

    assert written[0].startswith("joined")
    kept = {row["timestamp"] for row in rows(out / "ecg.csv")}
    matched = [row["ecg_timestamp"] for row in rows(out / "joined.csv")]
    assert bool(set(filter(None, matched)) - kept) == bool(more)
    assert len(said["remarks"]) == bool(more)
    for remark in said["remarks"]:
        assert left_before
        assert iso(left_before + UTC_AHEAD + shift_s * S) in remark


def test_what_nobody_told_is_no_claim_that_it_left(tmp_path: Path) -> None:
    said = manifest_of(tmp_path / "box.db", [*recorded()[:3], ecg(0), ecg(5)])

    (gap,) = said["streams"]["ecg"]["serial"]["gaps_listed"]
    assert gap["causes"] == []


def test_events_by_the_thousand_take_no_memory(tmp_path: Path) -> None:
    """A radio link that loses one packet in a hundred leaves three million in weeks."""

    def peak(events: int) -> int:
        database = tmp_path / f"{events}.db"
        with Store(database) as store:
            store.append(recorded())
            store.append(
                Event(BoxNs(START + at), BoxNs(START + at + 4), "gap", "ecg", "lost")
                for at in range(0, events * 100_000, 100_000)
            )
        tracemalloc.start()
        said = exported(database)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert said["streams"]["events"]["gap"] == events + 1
        return most

    few, many = peak(10), peak(20_000)
    assert many - few < 2 << 20, f"{few} bytes, {many} with many"
