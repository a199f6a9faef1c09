"""`edge join` on files of this box, of the original system, and on odd ones."""

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from export_rig import rows
from records_store import S, pose, session

from edge.__main__ import main
from edge.history import History
from edge.join.columns import COLUMNS, LEGACY, cells
from edge.join.rows import joined_rows
from edge.records import BoxNs, EcgChunk, Record, Segment, UtcNs, Vital
from edge.stamps import parse_stamp, stamp
from edge.store import Store

ECG_COLUMNS = (
    "timestamp,heart_rate,ecg_lead1,ecg_lead2,ecg_lead3,"
    "blood_pressure_systolic,blood_pressure_diastolic,oxygen_saturation"
)
FIRST = datetime(2025, 6, 29, 14, 22, tzinfo=UTC)


def sample_ecg() -> str:
    """Return 30 records, one every 100 ms, as the original system's sample file."""
    lines = [ECG_COLUMNS]
    for number in range(30):
        at = (FIRST + timedelta(milliseconds=100 * number)).replace(tzinfo=None)
        text = at.isoformat(timespec="microseconds")
        lead = 0.5 + 0.03 * number
        lines.append(f"{text},{70 + number},{lead:.2f},-0.25,0.1,120,80,98")
    return "\n".join(lines) + "\n"


class Files:
    """Two files and their join in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def join(self, poses: str, ecg: str, *options: str) -> list[dict[str, str]]:
        pose_file, ecg_file = self.folder / "pose.csv", self.folder / "ecg.csv"
        pose_file.write_text(poses, encoding="utf-8")
        ecg_file.write_text(ecg, encoding="utf-8")
        out = self.folder / "out.csv"
        names = [str(pose_file), str(ecg_file), "--output", str(out)]
        assert main(["join", *names, *options]) == 0
        return rows(out)

    def refused(self, poses: str, ecg: str, capsys: pytest.CaptureFixture[str]) -> str:
        (self.folder / "pose.csv").write_text(poses)
        (self.folder / "ecg.csv").write_text(ecg)
        names = [str(self.folder / name) for name in ("pose.csv", "ecg.csv", "o.csv")]
        assert main(["join", *names[:2], "--output", names[2]]) == 1
        assert not Path(names[2]).exists()
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_sample_of_the_original_system_finds_its_match(files: Files) -> None:
    (row,) = files.join("timestamp\n2025-06-29T14:22:01.500000\n", sample_ecg())

    assert list(row)[: len(LEGACY)] == [column.name for column in LEGACY]
    assert row["timestamp"] == "2025-06-29T14:22:01.500000"
    assert row["ecg_timestamp"] == "2025-06-29T14:22:01.500000"
    assert row["ecg_matched"] == "True"
    assert row["heart_rate"] == "85"
    assert row["ecg_lead1"] == "0.95"
    assert row["difference_ms"] == "0.000000"
    assert row["heart_rate_age_ms"] == "0"


@pytest.mark.parametrize(
    "text",
    [
        "2025-06-29T14:22:01.54Z", "2025-06-29 14:22:01.5400001",
        "2025-06-29T16:22:01.54+02:00", "20250629T142201.54",
    ],
)  # fmt: skip
def test_usual_forms_of_stamps(files: Files, text: str) -> None:
    (row,) = files.join(f"timestamp\n{text}\n", sample_ecg())

    assert row["timestamp"] == text
    assert row["ecg_timestamp"] == "2025-06-29T14:22:01.500000"
    assert -40.1 < float(row["difference_ms"]) <= -40.0


def test_stamps_without_zone_are_of_the_zone_that_is_given(files: Files) -> None:
    poses = "timestamp\n2025-06-29T14:22:01.500000\n2025-06-29T12:22:01.500000Z\n"

    rows = files.join(poses, sample_ecg(), "--time-zone", "Europe/Berlin")

    assert [row["heart_rate"] for row in rows] == ["85", "85"]


def test_tolerance_is_inclusive_and_rows_without_match_say_why(files: Files) -> None:
    poses = "timestamp\n2025-06-29T14:22:03.400\n2025-06-29T14:22:03.401\n"

    near, far = files.join(poses, sample_ecg(), "--tolerance-ms", "500")

    assert (near["ecg_matched"], near["difference_ms"]) == ("True", "-500.000000")
    assert (far["ecg_matched"], far["unmatched_reason"]) == (
        "False",
        "beyond_tolerance",
    )
    assert {far[name] for name in ("ecg_timestamp", "heart_rate", "ecg_lead1")} == {""}


def test_tie_goes_to_the_earlier_and_rows_keep_their_order(files: Files) -> None:
    poses = (
        "timestamp,nose_x,remark\n"
        "2025-06-29T14:22:00.250,10.5,=1+1\n2025-06-29T14:22:00.050,-3,second\n"
    )

    rows = files.join(poses, sample_ecg())

    assert [row["heart_rate"] for row in rows] == ["72", "70"]
    assert [row["nose_x"] for row in rows] == ["10.5", "-3"]
    assert [row["remark"] for row in rows] == ["'=1+1", "second"]


def dated(box: str, ahead: float) -> str:
    """Return a file of a minute whose box time is *ahead* of UTC."""
    lines = [f"timestamp,{box}_s,{box}_ns"]
    for second in range(60):
        at = stamp(UtcNs(1_700_000_000 * S + second * S))
        whole, rest = divmod(round((second + ahead) * S), S)
        lines.append(f"{at},{1_700_000_000 + whole},{rest}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("ahead", [0.025, 30.0, 3600.0])
def test_files_of_two_boxes_are_not_joined_on_box_time(
    files: Files, ahead: float, capsys: pytest.CaptureFixture[str]
) -> None:
    poses, ecg = dated("pose_box", 0.0), dated("box", ahead)

    assert f"{ahead:.3f} s" in files.refused(poses, ecg, capsys)
    found = files.join(poses, ecg, "--on", "utc")
    assert {row["difference_ms"] for row in found} == {"0.000000"}
    found = files.join(poses, ecg, "--on", "box", "--tolerance-ms", "0")
    matched = [row["ecg_matched"] for row in found].count("True")
    assert matched == (30 if ahead == 30.0 else 0)


@pytest.mark.parametrize(
    "box", ["9999999999,0", "-9999999999,0", "1,9999999999999999999", "1," + "9" * 5000]
)
def test_box_time_that_cannot_be_is_not_joined_on(files: Files, box: str) -> None:
    at = "2025-06-29T14:22:00.000"
    poses = f"timestamp,pose_box_s,pose_box_ns\n{at},{box}\n"
    ecg = f"timestamp,box_s,box_ns,I_mv\n{at},5,0,0.25\n"

    (row,) = files.join(poses, ecg)

    assert (row["difference_ms"], row["ecg_lead1"]) == ("0.000000", "0.25")


def test_unsorted_ecg_with_a_bad_row_is_used_but_for_that_row(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    header, *lines = sample_ecg().splitlines()
    lines[3] = lines[3].replace("2025-06-29T", "29/06/2025 ")
    text = "\n".join([header, *reversed(lines)])

    (row,) = files.join("timestamp\n2025-06-29T14:22:00.290\n", text)

    assert row["heart_rate"] == "72"
    said = capsys.readouterr().err
    assert "ecg.csv, line 28" in said
    assert "29/06/2025" in said
    assert "1 of 1 poses have their ECG" in said


def test_vitals_are_as_they_were_known(files: Files) -> None:
    ecg = (
        "timestamp,heart_rate,ecg_lead1,oxygen_saturation\n"
        '2025-06-29T14:22:00,71,1.5,97\n2025-06-29T14:22:00.900,,"1,5",NaN\n'
    )

    (row,) = files.join("timestamp\n2025-06-29T14:22:01\n", ecg)

    assert (row["heart_rate"], row["heart_rate_age_ms"]) == ("71", "900")
    assert (row["oxygen_saturation"], row["oxygen_saturation_reason"]) == (
        "",
        "not_a_number",
    )
    assert row["ecg_lead1"] == ""


def test_window_holds_the_samples_around(files: Files) -> None:
    options = ("--ecg-window-ms", "300")

    (row,) = files.join("timestamp\n2025-06-29T14:22:01\n", sample_ecg(), *options)

    assert row["ecg_window_start_ms"] == "-100.000000"
    assert row["ecg_window_period_ms"] == "100.000000"
    assert row["ecg_window_lead1"] == "0.77 0.80 0.83"


def test_window_holds_one_segment_where_another_was_recorded_meanwhile(
    files: Files,
) -> None:
    lines = ["timestamp,segment,II_mv"]
    for at in range(0, 100, 4):
        lines.append(f"2025-06-29T14:22:01.{at:03},1,{at}")
        lines.append(f"2025-06-29T14:22:01.{at + 1:03},2,-7")

    (row,) = files.join(
        "timestamp\n2025-06-29T14:22:01.020\n",
        "\n".join(lines),
        "--ecg-window-ms",
        "18",
    )

    assert row["ecg_segment"] == "1"
    assert row["ecg_window_lead1"] == "12 16 20 24 28"
    assert (row["ecg_window_start_ms"], row["ecg_window_period_ms"]) == (
        "-8.000000",
        "4.000000",
    )


def test_all_leads_of_the_largest_board_are_joined(files: Files) -> None:
    header = ",".join(f"EXG{number}_mv" for number in range(1, 17))
    values = ",".join(str(number) for number in range(1, 17))
    at = "2025-06-29T14:22:01"
    ecg = f"timestamp,{header}\n{at},{values}\n"
    (row,) = files.join(f"timestamp,mine\n{at},x\n", ecg, "--ecg-window-ms", "9")

    for kind in ("ecg_lead", "ecg_window_lead"):
        assert [row[f"{kind}{n}"] for n in range(1, 17)] == values.split(",")
    names = list(row)
    assert names.index("ecg_window_lead8") == names.index("ecg_lead9") - 1
    assert names[-3:] == ["ecg_window_lead16", "subject", "mine"]


def test_empty_sides_give_an_empty_answer(files: Files) -> None:
    assert files.join("timestamp\n", sample_ecg()) == []
    (row,) = files.join("timestamp\n2025-06-29T14:22:01\n", ECG_COLUMNS + "\n")
    assert row["unmatched_reason"] == "no_ecg"


def test_byte_order_mark_and_short_rows_are_taken(files: Files) -> None:
    ecg = "\ufefftimestamp,heart_rate,ecg_lead1\n2025-06-29T14:22:01,60\n"

    (row,) = files.join("timestamp\n2025-06-29T14:22:01\n", ecg)

    assert (row["heart_rate"], row["ecg_lead1"]) == ("60", "")


@pytest.mark.parametrize(
    ("poses", "ecg", "said"),
    [
        ("time\n1\n", "timestamp\n", "no column 'timestamp'"),
        ("", "timestamp\n", "no column 'timestamp'"),
        ("timestamp\nabc\n", "timestamp\n", "'abc' is not an ISO time"),
        ("timestamp\n\0\n", "timestamp\n", "pose.csv"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    files: Files, capsys: pytest.CaptureFixture[str], poses: str, ecg: str, said: str
) -> None:
    assert said in files.refused(poses, ecg, capsys)


def test_missing_file_and_bad_options_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = str(tmp_path / "gone.csv")

    assert main(["join", gone, gone, "--output", str(tmp_path / "o.csv")]) == 1
    assert "gone.csv cannot be read" in capsys.readouterr().err
    for options in (["--tolerance-ms", "-1"], ["--tolerance-ms", "nan"]):
        with pytest.raises(SystemExit):
            main(["join", gone, gone, "--output", "-", *options])


def test_answer_is_whole_or_absent(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    out = files.folder / "no" / "such.csv"
    (files.folder / "p.csv").write_text("timestamp\n")
    names = [str(files.folder / "p.csv")] * 2

    assert main(["join", *names, "--output", str(out)]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert list(files.folder.glob("**/*.part")) == []


def test_answer_takes_the_place_of_nothing_but_a_table(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    files.join("timestamp\n2025-06-29T14:22:01\n", sample_ecg())
    folder, expected = files.folder, (files.folder / "out.csv").read_bytes()
    names = [str(folder / name) for name in ("pose.csv", "ecg.csv")]

    (folder / "link.csv").symlink_to(folder / "target.csv")
    assert main(["join", *names, "--output", str(folder / "link.csv")]) == 0
    assert (folder / "link.csv").is_symlink()
    assert (folder / "target.csv").read_bytes() == expected

    os.mkfifo(folder / "pipe")
    with ThreadPoolExecutor() as pool:
        read_there = pool.submit((folder / "pipe").read_bytes)
        assert main(["join", *names, "--output", str(folder / "pipe")]) == 0
        assert read_there.result() == expected
    assert (folder / "pipe").is_fifo()

    for name in names:
        before = Path(name).read_bytes()
        assert main(["join", *names, "--output", name]) == 1
        assert "one of the two files" in capsys.readouterr().err
        assert Path(name).read_bytes() == before
    assert list(folder.glob("*.part")) == []


def test_window_that_begins_below_zero_is_numbers(files: Files) -> None:
    (row,) = files.join(
        "timestamp\n2025-06-29T14:22:01\n", sample_ecg(), "--ecg-window-ms", "400"
    )

    assert [float(word) for word in row["ecg_window_lead2"].split()] == [-0.25] * 5


def test_each_segment_has_its_own_leads(files: Files) -> None:
    many = [f"EXG{number}_mv" for number in range(1, 17)]
    header = ",".join(["timestamp", "segment", *many, "II_mv", "V5_mv"])
    one = ",".join(["2025-06-29T14:22:01", "1", *map(str, range(16)), "", ""])
    other = ",".join(["2025-06-29T14:22:09", "2", *[""] * 16, "-0.5", "0.25"])

    first, second = files.join(
        "timestamp\n2025-06-29T14:22:01\n2025-06-29T14:22:09\n",
        f"{header}\n{one}\n{other}\n",
    )

    assert (first["ecg_lead16"], second["ecg_lead16"]) == ("15", "")
    assert (second["ecg_lead1"], second["ecg_lead2"]) == ("-0.5", "0.25")
    assert second["ecg_leads"] == "II V5"


def uploaded(ecg: str) -> list[Record]:
    """Return the records of a file as the recorder stores them."""
    leads = ("1", "2", "3")
    found: list[Record] = [
        Segment(7, 1, "file", "", leads, (100.0,) * 3, (0,) * 3, 0.0, False, "given")
    ]
    for row in csv.DictReader(ecg.splitlines()):
        at = BoxNs(parse_stamp(row["timestamp"]))
        values = [round(100 * float(row[f"ecg_lead{n}"])) for n in (1, 2, 3)]
        counts = np.array([values], np.int32)
        found.append(EcgChunk(7, at, 0.0, 0, counts, np.zeros(1, np.uint32)))
        found += [
            Vital(at, name, float(row[name]), "", "file")
            for name in ("heart_rate", "oxygen_saturation")
        ]
    return found


def test_recorder_and_command_say_the_same(files: Files, tmp_path: Path) -> None:
    """The same records and poses: once stored and joined there, once as two files."""
    dice = np.random.default_rng(4)
    first = parse_stamp("2025-06-29T14:22:00")
    exposed = first + dice.integers(-2 * S, 5 * S, 60) // 1000 * 1000
    exposed = np.sort(np.append(exposed, first + 50_000_000 * np.arange(4)))
    path = tmp_path / "edge.db"
    with Store(path) as store:
        store.append([session()])
        store.append(uploaded(sample_ecg()))
        store.append([pose(dice, int(at)) for at in exposed])
    with History(path) as history:
        begin, end = BoxNs(0), BoxNs(2**62)
        stored = [cells(row) for row in joined_rows(history, begin, end, S)]
    names = [column.name for column in COLUMNS]
    poses = "\n".join(["timestamp", *(stamp(UtcNs(int(at))) for at in exposed)])

    told = files.join(poses, sample_ecg())

    for values, row in zip(stored, told, strict=True):
        ours = dict(zip(names, values, strict=True))
        assert row["ecg_matched"] == str(ours["ecg_matched"])
        assert row["unmatched_reason"] == (ours["unmatched_reason"] or "")
        if not ours["ecg_matched"]:
            continue
        one, other = row["ecg_timestamp"], str(ours["ecg_timestamp"])
        assert parse_stamp(one) == parse_stamp(other)
        for name in ("difference_ms", "ecg_lead1", "heart_rate", "heart_rate_age_ms"):
            assert float(row[name]) == pytest.approx(float(str(ours[name])), abs=1e-6)
    assert {row["ecg_matched"] for row in told} == {"True", "False"}
