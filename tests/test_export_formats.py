"""Every further format, opened by the field's readers and compared with the store."""

import datetime
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats_rig import (
    RATE_HZ,
    TRUE_PERIOD_NS,
    exported,
    onsets_of,
    start_of,
    with_gaps,
)
from records_store import EVER, START, S, pose, vital

from edge.__main__ import main
from edge.export import WRITERS
from edge.export.folder import DiskFolder
from edge.export.job import Job
from edge.export.recording import Recording
from edge.export.request import Request
from edge.export.stretches import Note, plan, read
from edge.export.wfdb import annotations
from edge.history import History
from edge.records import (
    MISSING,
    BoxNs,
    EcgChunk,
    Event,
    Record,
    Segment,
    UtcNs,
)
from edge.store import Store


def expected(recording: Recording) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Return counts, times and segment of each chunk in the store."""
    found = []
    for chunk in recording.history.chunks(*EVER):
        steps = np.arange(len(chunk.counts)) * chunk.period_ns
        found.append((chunk.counts, chunk.start + steps, chunk.segment))
    return found


def test_stretches_hold_every_sample_where_it_was(tmp_path: Path) -> None:
    with exported(tmp_path, with_gaps(2000), "csv") as (_, recording):
        found = plan(Recording(recording.history, *EVER))
        grids = [np.concatenate(list(read(recording, s))) for s in found.stretches]
        stored = expected(recording)

    assert [len(stretch.notes) for stretch in found.stretches] == [4, 2]
    assert [len(grid) for grid in grids] == [60 * RATE_HZ, 35 * RATE_HZ]
    for counts, times, _ in stored:
        (stretch, grid), = (
            (s, g) for s, g in zip(found.stretches, grids, strict=True)
            if s.start <= times[0] <= s.last
        )  # fmt: skip
        place = np.rint((times - stretch.start) / stretch.period_ns).astype(int)
        assert np.array_equal(grid[place], counts)
        assert np.abs(stretch.start + place * stretch.period_ns - times).max() < 1e5


@pytest.mark.parametrize("scale", [2000, 1_000_000])
def test_edf_holds_every_count(tmp_path: Path, scale: int) -> None:
    pyedflib = pytest.importorskip("pyedflib", reason="pyEDFlib is not installed")
    ending = "edf" if scale < 2**15 else "bdf"

    with exported(tmp_path, with_gaps(scale), "edf") as (out, recording):
        files = sorted(out.glob(f"*.{ending}"))
        assert len(files) == 2
        for file, (first, until) in zip(files, ((0, 60), (85, 120)), strict=True):
            with pyedflib.EdfReader(str(file)) as reader:
                check_edf(reader, recording, first, until)


def test_edf_rounds_what_24_bits_do_not_hold_and_says_so(tmp_path: Path) -> None:
    pyedflib = pytest.importorskip("pyedflib", reason="pyEDFlib is not installed")
    with exported(tmp_path, with_gaps(2**30), "edf") as (out, recording):
        said = json.loads((out / "manifest.json").read_text())
        with pyedflib.EdfReader(str(out / "ecg-001.bdf")) as reader:
            found = [reader.readSignal(lead) for lead in range(2)]
        stored = expected(recording)

    assert "steps of 1000" in said["remarks"][0]
    for second, (counts, _, _) in enumerate(stored[:40]):
        for lead, (gain, baseline) in enumerate(((200.0, 3), (350.5, -7))):
            there = counts[:, lead] != MISSING
            here = found[lead][second * RATE_HZ : (second + 1) * RATE_HZ][there]
            exact = (counts[there, lead].astype(float) - baseline) / gain
            assert (np.abs(here - exact) < 501 / gain).all()


def check_edf(reader: Any, recording: Recording, first: int, until: int) -> None:
    """Compare an open file with the seconds *first* to *until* of the recording."""
    assert reader.getSignalLabels() == ["ECG I", "ECG V 1"]
    assert reader.getPatientCode() == "bed 1"  # an underscore in the file
    begin = START + 123_456_700 + round(first * RATE_HZ * TRUE_PERIOD_NS)
    assert utc_of(reader) == pytest.approx(begin, abs=1000)
    duration_s = (until - first) * RATE_HZ * TRUE_PERIOD_NS / 1e9
    assert reader.file_duration == pytest.approx(duration_s, abs=0.001)
    for lead, (gain, baseline) in enumerate(((200.0, 3), (350.5, -7))):
        digital = reader.readSignal(lead, digital=True)
        physical = reader.readSignal(lead)
        for counts, times, _ in expected(recording):
            second = round((times[0] - START) / (RATE_HZ * TRUE_PERIOD_NS))
            if not first <= second < until:
                continue
            at = slice((second - first) * RATE_HZ, (second - first + 1) * RATE_HZ)
            stored = counts[:, lead]
            there = stored != MISSING
            assert np.array_equal(digital[at][there], stored[there])
            assert (digital[at][~there] == reader.getDigitalMinimum(lead)).all()
            assert (stored[there] > reader.getDigitalMinimum(lead)).all()
            exact = (stored[there] - baseline) / gain
            assert (np.abs(physical[at][there] - exact) < 1e-3 / gain).all()
    onsets, durations, texts = reader.readAnnotations()
    notes = {
        text: (onset, duration)
        for onset, duration, text in zip(onsets, durations, texts, strict=True)
    }
    if first == 0:
        assert notes["gap"] == (
            pytest.approx(40.0, abs=0.01),
            pytest.approx(3, abs=0.01),
        )
        assert notes["marker: turned over, Käthe"][0] == pytest.approx(10, abs=0.01)
    assert "V 1 lead_off" in notes


def utc_of(reader: Any) -> int:
    """Return the nanoseconds of UTC at which an EDF file begins."""
    # pyEDFlib divides the part below a second by 100 where EDFlib means 10.
    whole = reader.getStartdatetime().replace(microsecond=0, tzinfo=datetime.UTC)
    return int(whole.timestamp()) * S + int(reader.starttime_subsecond) * 100


@pytest.mark.parametrize("scale", [2000, 1_000_000])
def test_edf_d_holds_every_count_and_onset(tmp_path: Path, scale: int) -> None:
    mne = pytest.importorskip("mne", reason="MNE is not installed")
    with exported(tmp_path, with_gaps(scale), "edf-d") as (out, recording):
        (file,) = out.glob("*.[be]df")
        assert (file.suffix == ".edf") == (scale == 2000)
        with file.open("rb") as opened:
            assert opened.read(197)[192:] in (b"EDF+D", b"BDF+D")
        opener = mne.io.read_raw_edf if scale == 2000 else mne.io.read_raw_bdf
        raw = opener(file, preload=True, verbose="error")
        volts = raw.get_data()
        onsets = onsets_of(file)
        counts = np.concatenate(
            [np.concatenate(list(read(recording, stretch)))
             for stretch in plan(Recording(recording.history, *EVER)).stretches]
        )  # fmt: skip
        stored = expected(recording)

    assert volts.shape == (2, len(counts))
    for lead, (gain, baseline) in enumerate(((200.0, 3), (350.5, -7))):
        there = counts[:, lead] != MISSING
        assert np.allclose(
            volts[lead][there] * 1000,
            (counts[there, lead] - baseline) / gain,
            rtol=2e-6,
        )
    # MNE does not tell the onsets: they date each second of the board, gaps and all.
    for _, times, _ in stored:
        began = (times[0] - START) / 1e9 + 0.1234567
        assert np.abs(onsets - began).min() < 1e-5


@pytest.mark.filterwarnings("ignore")  # wfdb's own, about pandas
@pytest.mark.parametrize("scale", [2000, 1_000_000])
def test_no_file_is_larger_than_asked_for(tmp_path: Path, scale: int) -> None:
    pyedflib = pytest.importorskip("pyedflib", reason="pyEDFlib is not installed")
    wfdb = pytest.importorskip("wfdb", reason="wfdb is not installed")
    path, out, limit = tmp_path / "recording.db", tmp_path, 60_000
    with Store(path) as store:
        store.append(with_gaps(scale))
    span = START, BoxNs(START + 121 * S)
    asked = Request(*span, ("edf", "edf-d", "wfdb"), part_bytes=limit)

    for name in asked.formats:
        with DiskFolder.at(out / name) as folder:
            Job(path, replace(asked, formats=(name,)), folder, UtcNs(0)).run()

    files = {name: sorted((out / name).glob("ecg-*")) for name in asked.formats}
    for found in files.values():
        assert len(found) > 1
        assert max(file.stat().st_size for file in found) <= limit
    with History(path) as history:
        stored = expected(Recording(history, *span))
    for read_one, name in ((edf_counts(pyedflib), "edf"), (wfdb_counts(wfdb), "wfdb")):
        read_all = [read_one(file) for file in files[name] if file.suffix in SIGNALS]
        times, counts = (np.concatenate(part) for part in zip(*read_all, strict=True))
        for wanted, began, _ in stored:
            place = int(np.abs(times - began[0]).argmin())
            assert abs(times[place] - began[0]) < 2e6
            there = wanted != MISSING
            assert np.array_equal(
                counts[place : place + len(wanted)][there], wanted[there]
            )
    onsets = np.concatenate(
        [start_of(file) + onsets_of(file) for file in files["edf-d"]]
    )
    for _, times, _ in stored:
        assert np.abs(onsets - (times[0] + 123_456_700) / 1e9).min() < 1e-5


SIGNALS = (".edf", ".bdf", ".hea")


def edf_counts(pyedflib: Any) -> Any:
    """Return what reads times and counts of a file."""

    def read_one(file: Path) -> tuple[np.ndarray, np.ndarray]:
        with pyedflib.EdfReader(str(file)) as reader:
            found = [reader.readSignal(lead, digital=True) for lead in range(2)]
            began = utc_of(reader) - 123_456_700
        counts = np.stack(found, axis=1)
        return began + np.arange(len(counts)) * TRUE_PERIOD_NS, counts

    return read_one


def wfdb_counts(wfdb: Any) -> Any:
    """Return what reads times and counts of a record."""

    def read_one(file: Path) -> tuple[np.ndarray, np.ndarray]:
        record = wfdb.rdrecord(str(file.with_suffix("")), physical=False)
        began = np.datetime64(record.base_datetime, "ns").astype(np.int64)
        steps = np.arange(len(record.d_signal)) * TRUE_PERIOD_NS
        return began - 123_456_700 + steps, record.d_signal

    return read_one


@pytest.mark.filterwarnings("ignore")  # wfdb's own, about pandas
@pytest.mark.parametrize("scale", [2000, 1_000_000, 2**30])
def test_wfdb_holds_every_count(tmp_path: Path, scale: int) -> None:
    wfdb = pytest.importorskip("wfdb", reason="wfdb is not installed")
    with exported(tmp_path, with_gaps(scale), "wfdb") as (out, recording):
        found = plan(Recording(recording.history, *EVER)).stretches
        grids = [np.concatenate(list(read(recording, s))) for s in found]
        for number, (stretch, grid) in enumerate(zip(found, grids, strict=True), 1):
            name = str(out / f"ecg-{number:03}")
            record = wfdb.rdrecord(name, physical=False)
            physical = wfdb.rdrecord(name).p_signal
            notes = wfdb.rdann(name, "atr")

            assert record.sig_name == ["I", "V_1"]
            assert record.comments[0] == "subject: bed 1"
            assert record.fs == pytest.approx(1e9 / TRUE_PERIOD_NS, abs=1e-5)
            begin = np.datetime64(record.base_datetime, "us").astype(np.int64)
            assert begin == (stretch.start + 123_456_700) // 1000
            there = grid != MISSING
            assert np.array_equal(record.d_signal[there], grid[there])
            assert np.isnan(physical[~there]).all()
            exact = (grid - np.array([3, -7])) / np.array([200.0, 350.5])
            assert np.allclose(physical[there], exact[there], rtol=1e-12)
            sums = [check % 65_536 for check in record.checksum]
            assert sums == [check % 65_536 for check in record.calc_checksum()]
            assert set(notes.symbol) == {'"'}  # a comment
            said = list(zip(notes.sample.tolist(), notes.aux_note, strict=True))
            for note in stretch.notes:
                assert (note.sample, f"{note.text}, for {note.samples} samples") in said


@pytest.mark.filterwarnings("ignore")  # wfdb's own, about pandas
@pytest.mark.parametrize("letter", ["a", "ä", "心"])
def test_wfdb_note_says_how_long_it_lasts_however_long_it_is(
    tmp_path: Path, letter: str
) -> None:
    wfdb = pytest.importorskip("wfdb", reason="wfdb is not installed")
    notes = [Note(7, 2**40, letter * length) for length in range(60, 260)]
    (tmp_path / "ecg.atr").write_bytes(annotations(notes))
    said = wfdb.rdann(str(tmp_path / "ecg"), "atr").aux_note
    assert len(said) == len(notes)
    for note, text in zip(notes, said, strict=True):
        words, _, lasting = text.encode("latin-1").decode().rpartition(", for ")
        assert lasting == f"{2**40} samples"
        assert note.text.startswith(words)
        assert words == note.text or len(text) > 247


def test_what_came_at_no_rate_is_said_to_be_missing(tmp_path: Path) -> None:
    uneven = EcgChunk(
        2, BoxNs(START), 0.0, 5000, np.ones((3, 1), np.int32),
        np.array([0, 700, 9000], np.uint32),
    )  # fmt: skip
    by_hand = Segment(2, 1, "upload", "", ("I",), (1.0,), (0,), 0.0, False, "given")

    with exported(tmp_path, [*with_gaps(2000), by_hand, uneven], "edf,wfdb") as (
        out,
        _,
    ):
        said = json.loads((out / "manifest.json").read_text())

    assert len(said["remarks"]) == 2
    assert all("3 ECG samples" in remark for remark in said["remarks"])


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "parquet"])
def test_damaged_session_costs_its_name_alone(tmp_path: Path, name: str) -> None:
    path, out = tmp_path / "recording.db", tmp_path / "out"
    with Store(path) as store:
        store.append(with_gaps(2000))
    with sqlite3.connect(path) as other:
        other.execute("UPDATE sessions SET subject = 'nobody'")
    other.close()

    words = ["--database", str(path), "--output", str(out), "--formats", name]
    assert main(["export", *words]) == 0

    said = json.loads((out / "manifest.json").read_text())
    assert said["damaged_rows_left_out"] > 0
    assert sum(file["bytes"] for file in said["files"]) > 40_000
    for file in out.iterdir():
        assert b"nobody" not in file.read_bytes()


def test_records_of_one_file_do_not_overlap(tmp_path: Path) -> None:
    """Stretches that end because they are long enough, with chunks of odd lengths."""
    random = np.random.default_rng(5)
    path, limit = tmp_path / "recording.db", 60_000
    records, sent = with_gaps(2000)[:3], 0
    while sent < 100 * RATE_HZ:
        counts = random.integers(-2000, 2000, (random.integers(1, 400), 2))
        start = BoxNs(START + round(sent * TRUE_PERIOD_NS))
        records.append(EcgChunk(1, start, TRUE_PERIOD_NS, 9, counts.astype(np.int32)))
        sent += len(counts)
    with Store(path) as store:
        store.append(records)
    span = START, BoxNs(START + 200 * S)
    with DiskFolder.at(tmp_path / "out") as folder:
        Job(path, Request(*span, ("edf-d",), part_bytes=limit), folder, UtcNs(0)).run()

    for file in (tmp_path / "out").glob("ecg-d-*"):
        duration_s = float(file.read_bytes()[244:252])
        assert np.diff(onsets_of(file)).min() > duration_s - 1e-6
    with History(path) as history:
        found = plan(Recording(history, *span), limit).stretches
        kept = [part for one in found for part in read(Recording(history, *span), one)]
        stored = [counts for counts, _, _ in expected(Recording(history, *span))]
    assert len(found) > 5
    assert np.array_equal(np.concatenate(kept), np.concatenate(stored))


def test_no_format_writes_over_another(tmp_path: Path) -> None:
    with exported(tmp_path, with_gaps(2000), "csv,edf,edf-d,wfdb") as (out, _):
        said = json.loads((out / "manifest.json").read_text())

    names = [file["name"] for file in said["files"]]
    assert {"ecg-001.edf", "ecg-002.edf", "ecg-d-001.edf"} <= set(names)
    assert len(names) == len(set(names))


def everything() -> list[Record]:
    """The recording with poses, vitals and a marker that looks like a formula."""
    random = np.random.default_rng(3)
    records = with_gaps(2000)
    times = np.sort(random.integers(START, START + 100 * S, 300)).tolist()
    records += [pose(random, time) for time in times]
    records += [vital(random, int(time)) for time in times[::7]]
    records.append(Event(BoxNs(START + S), None, "marker", "", "=1+1 'x'", {"n": 1}))
    return records


def test_parquet_says_what_the_csv_says(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    with exported(tmp_path, everything(), "csv,parquet") as (out, _):
        for name in ("joined", "ecg", "vitals", "events"):
            table = pandas.read_parquet(out / f"{name}.parquet")
            text = pandas.read_csv(
                out / f"{name}.csv", dtype=str, keep_default_na=False
            )
            assert list(table.columns) == list(text.columns)
            assert len(table) == len(text)
            for column in text.columns:
                assert same_values(table[column], text[column]), (name, column)


def same_values(typed: Any, text: Any) -> bool:
    """Return whether a column with types holds what its text says."""
    empty = text == ""
    assert (typed.isna() == empty).all()
    typed, text = typed[~empty], text[~empty]
    if str(typed.dtype).startswith("datetime64"):
        return [stamp.isoformat(timespec="microseconds") for stamp in typed] == list(
            text
        )
    if typed.dtype == float or str(typed.dtype).startswith("int"):
        return list(typed.astype(float)) == list(text.astype(float))
    return list(typed.astype(str)) == [one.removeprefix("'") for one in text]
