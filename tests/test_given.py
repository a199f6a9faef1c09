"""ECG records that somebody states: uploads, and a file at the start."""

import csv
from pathlib import Path

import pytest
from box import Box

from edge.errors import InputError
from edge.given import Line, Refused, read_file, records_of, segment_of
from edge.history import History
from edge.records import BoxNs, EcgChunk, Vital
from edge.stamps import parse_stamp

FIELDS = [
    "timestamp", "heart_rate", "ecg_lead1", "ecg_lead2", "ecg_lead3",
    "blood_pressure_systolic", "blood_pressure_diastolic", "oxygen_saturation",
]  # fmt: skip
ALWAYS = BoxNs(0), BoxNs(2**62)
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
    write_sample(tmp_path / "sample.csv")
    box = Box(tmp_path)
    box.file.write_text(
        box.file.read_text().replace("[ecg]", '[ecg]\nfile="sample.csv"')
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
    assert "30 ECG records loaded from sample.csv" in events


def test_bad_lines_are_refused_alone_and_the_first_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(
        "heart_rate,timestamp,ecg_lead1\n"
        "70,2025-06-29T14:22:00,1\n"
        "70,yesterday,1\n"
        "abc,2025-06-29T14:22:01,1\n"
        "71,2025-06-29T14:22:02Z,\n"
        "72,2025-06-29T16:22:03.5+02:00,nan\n"
        "73,2025-06-29T14:22:04\n"
    )
    lines = list(read_file(path, "UTC"))

    good = [line for line in lines if isinstance(line, Line)]
    bad = [line for line in lines if isinstance(line, Refused)]
    assert [line.number for line in good] == [2, 5, 7]
    assert good[1].values == {"heart_rate": 71.0}
    assert [line.number for line in bad] == [3, 4, 6]
    assert "yesterday" in bad[0].cause


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
