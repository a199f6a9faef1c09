"""ECG records that somebody states: uploads, and a file at the start."""

import csv
import itertools
import os
import re
import threading
from pathlib import Path

import pytest
from box import Box

from edge import config
from edge.config import Camera, Ecg, Settings
from edge.errors import InputError
from edge.given import Line, Refused, read_file, records_of, segment_of
from edge.history import History
from edge.ledger import Ledger
from edge.opening import file_records
from edge.recorder import Recorder
from edge.records import BoxNs, EcgChunk, Event, Record, Segment, Vital
from edge.stamps import parse_stamp
from edge.store import Store

FIELDS = [
    "timestamp", "heart_rate", "ecg_lead1", "ecg_lead2", "ecg_lead3",
    "blood_pressure_systolic", "blood_pressure_diastolic", "oxygen_saturation",
]  # fmt: skip
FILE = "timestamp,heart_rate,ecg_lead1\n2025-06-29T14:22:00,70,1\n"
ALWAYS = BoxNs(0), BoxNs(2**62)
LINES = range(20_000)
SEGMENT = segment_of(3, 1, "upload")


def write_sample(path: Path) -> None:
    """Write 30 records, one each 100 ms, as the original system's sample file has."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        for number in range(30):
            stamp = f"2025-06-29T14:22:{number / 10:09.6f}"
            writer.writerow([stamp, 72 + number, 0.5, -0.25, 1.0, 120, 80, 98])


def restart(box: Box) -> None:
    box.stop()
    box.start()


def test_file_is_loaded_once_over_restarts_and_matches_to_the_instant(
    tmp_path: Path,
) -> None:
    write_sample(tmp_path / "one sample.csv")
    box = Box(tmp_path)
    box.file.write_text(
        box.file.read_text().replace("[ecg]", '[ecg]\nfile="one sample.csv"')
    )
    box.start()
    box.until(lambda state: state.saved["vitals"] >= 120)
    restart(box)
    box.until(lambda state: state.recording)
    assert box.stop() == 0

    with History(box.settings.database) as history:
        starts = [chunk.start for chunk in history.chunks(*ALWAYS)]
        vitals = list(history.vitals(*ALWAYS))
        events = [event.cause for event in history.events(*ALWAYS)]
    wanted = parse_stamp("2025-06-29T14:22:01.500000")
    assert len(starts) == 30
    assert len(vitals) == 120
    assert min(abs(start - wanted) for start in starts) < 1_000_000
    assert "30 ECG records loaded from one sample.csv" in events


def test_bad_lines_are_refused_alone_and_the_first_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(
        "heart_rate,timestamp,ecg_lead1\n"
        "70,2025-06-29T14:22:00,1\n"
        "70,yesterday,1\n"
        "abc,2025-06-29T14:22:01,1\n"
        "71,2025-06-29T14:22:02Z,\n"
        "72,2025-06-29T16:22:03.5+02:00,1 mV\n"
        "73,2025-06-29T14:22:04\n"
    )
    lines = list(read_file(path, "UTC"))

    good = [line for line in lines if isinstance(line, Line)]
    bad = [line for line in lines if isinstance(line, Refused)]
    assert [line.number for line in good] == [2, 5, 7]
    assert good[1].values == {"heart_rate": 71.0}
    assert [line.number for line in bad] == [3, 4, 6]
    assert "yesterday" in bad[0].cause


def opened(folder: Path, file: Path) -> list[Record]:
    """Return what a recorder puts into its new recording from the ECG *file*."""
    settings = Settings(config.Box(folder), ecg=Ecg(file=str(file)))
    new_segment = itertools.count(1).__next__
    about = Ledger(()), 1, new_segment, BoxNs(0)
    with Store(settings.database), History(settings.database) as history:
        return [*itertools.chain(*file_records(settings, history, *about))]


def test_long_file_keeps_no_recorder_from_its_start(tmp_path: Path) -> None:
    """Reading it takes longer than a service manager waits, on a slow box."""
    write_sample(tmp_path / "ecg.csv")
    ecg = Ecg(file=str(tmp_path / "ecg.csv"))
    settings = Settings(config.Box(tmp_path), camera=Camera(source="none"), ecg=ecg)
    with Store(settings.database) as store:
        recorder = Recorder(settings, store, threading.Event())
        recorder.begin()
        queued = recorder.intake.take(0)

    assert not [record for record in queued if isinstance(record, EcgChunk | Segment)]


def test_file_is_loaded_to_its_end_after_a_kill(tmp_path: Path) -> None:
    stamps = [f"2025-06-29T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}" for n in LINES]
    lines = "".join(f"{stamp},70,1\n" for stamp in stamps)
    (tmp_path / "ecg.csv").write_text(f"timestamp,heart_rate,ecg_lead1\n{lines}")
    box = Box(tmp_path)
    box.file.write_text(box.file.read_text().replace("[ecg]", '[ecg]\nfile="ecg.csv"'))
    box.start()
    try:
        box.until(lambda state: state.saved["samples"] > 0)
        box.kill()
        box.start()
        box.until(lambda state: state.recording)
        box.until(lambda state: is_loaded(box, len(LINES)))
        assert box.stop() == 0
    finally:
        box.end()

    with History(box.settings.database) as history:
        starts = [chunk.start for chunk in history.chunks(*ALWAYS)]
        (segment,) = history.segments().values()
    assert starts == [BoxNs(parse_stamp(stamp)) for stamp in stamps]
    assert re.fullmatch("ecg.csv [0-9a-f]{12}", segment.board)


def is_loaded(box: Box, count: int) -> bool:
    """Return whether it is said that *count* records were loaded."""
    with History(box.settings.database) as history:
        events = [event.cause for event in history.events(*ALWAYS)]
    return f"{count} ECG records loaded from ecg.csv" in events


@pytest.mark.parametrize("year", ["1969", "2100", "2200"])
def test_line_of_a_year_beyond_reason_is_refused(tmp_path: Path, year: str) -> None:
    path = tmp_path / "ecg.csv"
    path.write_text(f"timestamp,ecg_lead1\n{year}-06-29T14:22:01,1\n")

    (refused,) = read_file(path, "UTC")

    assert isinstance(refused, Refused)
    said = f"'{year}-06-29T14:22:01' is outside the years 1970 to 2099"
    assert refused.cause == said


@pytest.mark.parametrize("size", [10, 5_000])  # less and more than a field may have
def test_quote_left_open_costs_its_own_line(tmp_path: Path, size: int) -> None:
    path = tmp_path / "ecg.csv"
    good = "2025-06-29T14:22:00,70,1\n" * size
    path.write_text(f'timestamp,heart_rate,ecg_lead1\n"2025{good}{good}')

    records = opened(tmp_path, path)

    assert sum(isinstance(made, EcgChunk) for made in records) == 2 * size - 1
    last = records[-1]
    assert isinstance(last, Event)
    assert last.detail == {"loaded": 2 * size - 1, "refused": 1}
    assert "first line 2: '2025" in last.cause


@pytest.mark.parametrize("word", ["NaN", "NA", "nan", " N/A", "<NA>", "null", "None"])
def test_a_cell_without_a_value_costs_only_itself(tmp_path: Path, word: str) -> None:
    path = tmp_path / "ecg.csv"
    path.write_text(f"timestamp,heart_rate,ecg_lead1\n2025-06-29T14:22:00,70,{word}\n")

    assert [line[2:] for line in read_file(path, "UTC")] == [({"heart_rate": 70.0},)]


def test_quoted_fields_are_read(tmp_path: Path) -> None:
    path = tmp_path / "ecg.csv"
    path.write_text('"note","timestamp","ecg_lead1"\n"a, b","2025-06-29T14:22","1"\n')

    assert [line[2:] for line in read_file(path, "UTC")] == [({"ecg_lead1": 1.0},)]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (FILE.encode("utf-16"), "line 1: .*no column 'timestamp'; save .* in UTF-8"),
        (FILE.replace(",", ";").encode(), "line 1: .*no column 'timestamp'"),
        (FILE.encode().replace(b",70", b",7\xff"), "line 2: heart_rate"),
        (FILE.encode().replace(b",70", b",7\0"), "line 2: heart_rate"),
        (b"x" * 200_000, "line 1: 'x+'… is no line of CSV"),
        (FILE.encode() + b"," * 10 + b"9" * 200_000, "line 3: .* is no line of CSV"),
    ],
)
def test_file_that_is_none_is_an_event(
    tmp_path: Path, content: bytes, cause: str
) -> None:
    (tmp_path / "ecg.csv").write_bytes(content)

    event = opened(tmp_path, tmp_path / "ecg.csv")[-1]

    assert isinstance(event, Event)
    assert re.search(f"1 line refused, first {cause}", event.cause)


def test_what_is_no_file_is_an_event(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        event = opened(tmp_path, path)[-1]
        assert isinstance(event, Event)
        assert event.cause.endswith("cannot be read: it is no file; see [ecg] file")


def test_missing_file_is_an_event_and_recording_goes_on(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.file.write_text(box.file.read_text().replace("[ecg]", '[ecg]\nfile="none.csv"'))
    box.start()
    box.until(lambda state: state.recording)
    assert box.stop() == 0
    with History(box.settings.database) as history:
        events = [event.cause for event in history.events(*ALWAYS)]
    assert any("none.csv cannot be read" in cause for cause in events)


def test_values_come_back_to_the_last_digit() -> None:
    values = {"ecg_lead1": 0.123456, "ecg_lead3": -2.5, "heart_rate": 72.0}
    chunk, vital = records_of(SEGMENT, BoxNs(5_000), values)
    assert isinstance(chunk, EcgChunk)
    assert chunk.counts[0, 0] / SEGMENT.gain[0] == 0.123456
    assert chunk.counts[0, 2] / SEGMENT.gain[2] == -2.5
    assert vital == Vital(BoxNs(5_000), "heart_rate", 72.0, "", "upload")


@pytest.mark.parametrize(
    "values",
    [{"colour": 1.0}, {"heart_rate": float("nan")}, {"ecg_lead1": 2148.0}],
)
def test_values_that_cannot_be_kept_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError):
        records_of(SEGMENT, BoxNs(0), values)
