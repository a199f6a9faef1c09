"""Signal files of recordings that are not simple: losses, subjects, dates, names."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from export_rig import edge, rows
from formats_rig import (
    PERIOD_NS,
    a_segment,
    a_session,
    exported,
    onsets_of,
    second,
    start_of,
)
from records_store import START, S

from edge.export.depth import BDF, EDF, Depth, scale_of
from edge.export.stretches import Note, Stretch, note_missing, plan, read
from edge.records import (
    MISSING,
    BoxNs,
    ClockReading,
    EcgChunk,
    Event,
    Record,
    UtcNs,
)
from edge.stamps import parse_stamp
from edge.store import Store


def lossy(seconds: int) -> tuple[list[Record], int]:
    """Return a wireless board that loses one or two packets of 25, and how many."""
    random = np.random.default_rng(11)
    records: list[Record] = [
        a_session(1, START, "a", "P01"), a_segment(1, 1),
        ClockReading(1, START, UtcNs(START), True, 0),
    ]  # fmt: skip
    number = lost = 0
    before = START
    while number < seconds * 250:
        if number and (missing := int(random.integers(0, 3))):
            number, lost = number + missing, lost + missing
            again = BoxNs(START + number * PERIOD_NS)
            words = f"{missing} samples lost"
            detail: dict[str, object] = {"lost": missing}
            records.append(Event(before, again, "gap", "ecg", words, detail))
        counts = np.arange(number, number + 25, dtype=np.int32)[:, np.newaxis]
        # A date is good to a sample or two, as in a segment's first seconds.
        start = BoxNs(START + number * PERIOD_NS + int(random.integers(-900_000, 0)))
        records.append(EcgChunk(1, start, float(PERIOD_NS), 1000, counts))
        number += 25
        before = BoxNs(START + (number - 1) * PERIOD_NS)
    return records, lost


def test_lost_samples_leave_their_place_empty(tmp_path: Path) -> None:
    records, lost = lossy(60)
    with exported(tmp_path, records, "csv") as (out, recording):
        (stretch,) = plan(recording).stretches
        counts = np.concatenate(list(read(recording, stretch)))
        said = json.loads((out / "manifest.json").read_text())["streams"]["ecg"]

    present = np.flatnonzero(counts[:, 0] != MISSING)
    assert np.array_equal(counts[present, 0], present)
    assert len(counts) - len(present) == lost > 100
    assert stretch.rate_hz == pytest.approx(250.0, rel=1e-3)
    assert sum(note.samples for note in stretch.notes if note.text == "gap") == lost
    assert said["serial"]["gaps"] == sum(isinstance(one, Event) for one in records)
    share = 1 - lost / len(counts)
    assert said["serial"]["complete"] == pytest.approx(share, abs=0.02)


class Unwalked(list[Note]):
    """Notes that nobody may look through: after a bad hour there are thousands."""

    def __iter__(self) -> Iterator[Note]:
        raise AssertionError("all notes were looked through")


@pytest.mark.parametrize("seed", range(20))
def test_why_values_are_missing_is_one_note_as_long_as_it_lasts(seed: int) -> None:
    random = np.random.default_rng(seed)
    off = random.random((400, 3)) < 0.8  # leads, piece by piece
    lost = random.random(400) < 0.1
    stretch = Stretch(a_segment(1, 1), START, notes=Unwalked())
    grid = np.zeros((0, 3), np.bool_)
    for missing, leads in zip(lost.tolist(), off, strict=True):
        grid = np.concatenate([grid, np.zeros((3 * missing, 3), np.bool_)])
        for lead in np.flatnonzero(leads).tolist():
            note_missing(stretch, len(grid), 25, f"{lead} off")
        grid = np.concatenate([grid, np.repeat(leads[np.newaxis], 25, axis=0)])

    for lead in range(3):
        edges = np.flatnonzero(np.diff(grid[:, lead], prepend=False, append=False))
        wanted = [(a, b - a) for a, b in edges.reshape(-1, 2).tolist()]
        notes = [stretch.notes[place] for place in range(len(stretch.notes))]
        found = [(n.sample, n.samples) for n in notes if n.text == f"{lead} off"]
        assert found == wanted


def two_sessions(boot: str, subject: str, later: int) -> list[Record]:
    """
    Return two sessions of 20 s, the second right behind the first in box time, *later*
    seconds behind it in truth.
    """
    again = BoxNs(START + 20 * S)
    return [
        a_session(1, START, "a", "P01"), a_segment(1, 1),
        ClockReading(1, START, UtcNs(START), True, 0),
        *(second(START + number * S, 11, 1) for number in range(20)),
        a_session(2, again, boot, subject), a_segment(2, 2),
        ClockReading(2, again, UtcNs(again + later * S), True, 0),
        *(second(again + number * S, 22, 2) for number in range(20)),
    ]  # fmt: skip


def counts_of(file: Path) -> list[int]:
    """Return the first count of each record, read without any library."""
    data = file.read_bytes()
    size, count, signals = int(data[184:192]), int(data[236:244]), int(data[252:256])
    samples = [
        int(data[256 + signals * 216 + 8 * n : 256 + signals * 216 + 8 * n + 8])
        for n in range(signals)
    ]
    record = 2 * sum(samples)
    begins = (size + number * record for number in range(count))
    return [int.from_bytes(data[at : at + 2], "little", signed=True) for at in begins]


def test_one_discontinuous_file_is_of_one_subject(tmp_path: Path) -> None:
    with exported(tmp_path, two_sessions("a", "P02", 0), "edf-d") as (out, _):
        files = sorted(out.glob("*.edf"))

        assert [file.read_bytes()[8:11] for file in files] == [b"P01", b"P02"]
        assert [set(counts_of(file)) for file in files] == [{11}, {22}]


def test_a_box_that_was_off_is_dated_rightly_after_it(tmp_path: Path) -> None:
    """Without a battery its own time goes on where it ended."""
    with exported(tmp_path, two_sessions("b", "P01", 36_000), "edf-d") as (out, _):
        first, other = (
            start_of(file) + onsets_of(file) for file in sorted(out.glob("*.edf"))
        )

    assert other[0] - first[0] == pytest.approx(36_020)


def test_sessions_of_one_subject_and_date_share_a_file(tmp_path: Path) -> None:
    with exported(tmp_path, two_sessions("a", "P01", 0), "edf-d") as (out, _):
        (file,) = out.glob("*.edf")

        assert counts_of(file) == [11] * 20 + [22] * 20


def test_long_lead_names_stay_apart(tmp_path: Path) -> None:
    pyedflib = pytest.importorskip("pyedflib", reason="pyEDFlib is not installed")
    leads = ("precordial lead V1", "precordial lead V2", "II")
    records: list[Record] = [
        a_session(1, START, "a", ""), a_segment(1, 1, leads),
        *(second(START + number * S, 5, 1, 3) for number in range(3)),
    ]  # fmt: skip
    with (
        exported(tmp_path, records, "edf") as (out, _),
        pyedflib.EdfReader(str(out / "ecg-001.edf")) as reader,
    ):
        labels = reader.getSignalLabels()
        named = [reader.getTransducer(number) for number in range(3)]

    assert len(set(labels)) == 3
    assert labels[2] == "ECG II"
    assert named == [f"openbci-cyton {lead}" for lead in leads]


def test_what_fills_the_last_record_up_is_said(tmp_path: Path) -> None:
    pyedflib = pytest.importorskip("pyedflib", reason="pyEDFlib is not installed")
    records: list[Record] = [a_session(1, START, "a", ""), a_segment(1, 1)]
    short = second(START + S, 5, 1)
    records += [second(START, 5, 1), short._replace(counts=short.counts[:100])]
    with exported(tmp_path, records, "edf") as (out, _):
        with pyedflib.EdfReader(str(out / "ecg-001.edf")) as reader:
            onsets, lengths, texts = reader.readAnnotations()
        words = (out / "README.txt").read_text()

    place = list(texts).index("no more samples")
    begins = onsets[place] - onsets[0] if len(onsets) > 1 else onsets[place]
    assert float(lengths[place]) == pytest.approx(0.6)
    assert begins >= 0
    assert "no value" in " ".join(words.split())


def test_damaged_session_keeps_its_leads_and_dates(tmp_path: Path) -> None:
    path, out = tmp_path / "recording.db", tmp_path / "out"
    records = two_sessions("b", "P01", 36_000)
    records[records.index(a_segment(2, 2))] = a_segment(2, 2, ("V5",))
    with Store(path) as store:
        store.append(records)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE sessions SET subject = 'x' WHERE id = 2")
    other.close()

    assert edge(path, "--output", str(out), "--formats", "csv,wfdb") == 0

    first, last = (rows(out / "ecg.csv")[place] for place in (0, -1))
    said = json.loads((out / "manifest.json").read_text())
    assert (first["I_mv"], last["V5_mv"]) == ("0.110", "0.220")
    began, ended = (parse_stamp(row["timestamp"]) for row in (first, last))
    assert ended - began > 36_000 * S
    assert said["damaged_rows_left_out"] == 1
    assert "damaged rows of the recording that are left out: 1" in said["remarks"]


def test_small_parquet_files_are_full(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    random = np.random.default_rng(5)
    records: list[Record] = [a_session(1, START, "a", ""), a_segment(1, 1)]
    for number in range(2000):
        counts = random.integers(-(2**30), 2**30, (250, 1)).astype(np.int32)
        start = BoxNs(START + number * S)
        records.append(EcgChunk(1, start, float(PERIOD_NS), 1000, counts))
    path, out = tmp_path / "recording.db", tmp_path / "out"
    with Store(path) as store:
        store.append(records)

    words = ("--formats", "parquet", "--tables", "ecg", "--part-mb", "8")
    assert edge(path, "--output", str(out), *words) == 0

    files = sorted(out.glob("*.parquet"), key=lambda file: (len(file.name), file.name))
    sizes = [file.stat().st_size for file in files]
    assert sum(len(pandas.read_parquet(file)) for file in files) == 2000 * 250
    assert all(5_000_000 < size < 8_000_000 for size in sizes[:-1])
    assert len(pandas.read_parquet(files[-1])) > 0


@pytest.mark.parametrize("depth", [EDF, BDF])
@pytest.mark.parametrize("seed", range(5))
def test_header_tells_the_scale_of_any_board(depth: Depth, seed: int) -> None:
    """Read as any reader does: a line through the ends of both ranges."""
    random = np.random.default_rng(seed)
    for _ in range(100):
        gain = float(np.exp(random.uniform(4, 15))) * float(random.choice([-1, 1]))
        baseline = int(random.integers(depth.lowest // 2, depth.highest // 2))
        reach = int(np.exp(random.uniform(0, np.log(0.4 * depth.highest))))
        lowest, highest = baseline - reach, baseline + int(random.integers(reach + 1))

        scale = scale_of(gain, baseline, lowest, highest, depth)

        assert scale
        assert depth.lowest <= scale.lowest < lowest, "one is left for no value"
        assert highest <= scale.highest <= depth.highest
        low, high = float(scale.low_mv), float(scale.high_mv)
        each = (high - low) / (scale.highest - scale.lowest)
        assert max(len(scale.low_mv), len(scale.high_mv)) <= 8
        assert 1 / each == pytest.approx(gain, rel=1e-4)
        assert low + (baseline - scale.lowest) * each == pytest.approx(0, abs=1e-9)
