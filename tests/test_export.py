"""What leaves the box is what was recorded, whole, and says what is missing."""

import csv
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from export_rig import START, UTC_AHEAD, S, box, ecg, edge, pose, rows

from edge.__main__ import main
from edge.errors import ExportError
from edge.export.claim import UNFINISHED
from edge.export.folder import DiskFolder
from edge.export.job import Job, Progress
from edge.export.request import Request
from edge.export.span import find_span
from edge.history import History
from edge.records import MISSING, BoxNs, UtcNs
from edge.store import Store


def test_every_sample_is_in_the_table(database: Path, tmp_path: Path) -> None:
    assert edge(database, "--output", str(tmp_path / "out")) == 0

    found = rows(tmp_path / "out" / "ecg.csv")

    with History(database) as history:
        chunks = list(history.chunks(BoxNs(0), BoxNs(2**62)))
    counts = np.concatenate([chunk.counts for chunk in chunks])
    times = [
        chunk.start + round(k * chunk.period_ns)
        for chunk in chunks
        for k in range(len(chunk.counts))
    ]
    assert [box(row) for row in found] == times
    for lead, name, gain, baseline in ((0, "I_mv", 200, 3), (1, "II_mv", 350.5, 0)):
        texts = [row[name] for row in found]
        back = [round(float(t) * gain + baseline) if t else MISSING for t in texts]
        assert back == counts[:, lead].tolist()
        assert texts.count("") == np.count_nonzero(counts[:, lead] == MISSING)
    assert {row["reasons"] for row in found} == {"", "II:lead_off"}


def test_reason_stands_beside_no_value(database: Path, tmp_path: Path) -> None:
    chunk = ecg(20, 4, ("saturated", "lead_off"))
    chunk.counts[:, 1] = (5, MISSING, MISSING, 5)
    chunk.counts[:, 0] = (5, 5, MISSING, 5)
    with Store(database) as store:
        poses = [pose(chunk.start + place * 2_000_000, 0.5) for place in range(4)]
        store.append([chunk, *poses])

    edge(database, "--from", "-1s", "--output", str(tmp_path / "out"))

    said = ["", "II:lead_off", "I:saturated II:lead_off", ""]
    found = rows(tmp_path / "out" / "ecg.csv")
    assert [row["reasons"] for row in found] == said
    joined = rows(tmp_path / "out" / "joined.csv")
    assert [row["ecg_reasons"] for row in joined] == said


def test_poses_events_and_vitals_are_as_stored(database: Path, tmp_path: Path) -> None:
    edge(database, "--output", str(tmp_path / "out"))

    with History(database) as history:
        poses = list(history.poses(BoxNs(0), BoxNs(2**62)))
    joined = rows(tmp_path / "out" / "joined.csv")
    assert [box(row, "pose_box") for row in joined] == [p.exposed for p in poses]
    for row, one in zip(joined, poses, strict=True):
        stored = one.keypoints[0]
        names = ("nose_x", "nose_y", "nose_confidence")
        assert [np.float32(float(row[name])) for name in names] == stored.tolist()
        assert float(row["inference_ms"]) == one.inference_ms
        assert row["pose_detected"] == str(one.state == "pose")
    gap, marker = rows(tmp_path / "out" / "events.csv")
    assert (gap["duration_s"], marker["duration_s"]) == ("2.000", "")
    assert marker["cause"] == '\'=1+1,"x"\nMr. Y'
    assert json.loads(marker["detail"]) == {"n": 1}
    vitals = rows(tmp_path / "out" / "vitals.csv")
    assert [row["value"] for row in vitals] == ["61.5", "", "36.6"]
    assert [row["reason"] for row in vitals] == ["", "lead_off", ""]


def test_times_are_dated_by_the_ledger(database: Path, tmp_path: Path) -> None:
    edge(database, "--output", str(tmp_path / "out"))

    for name in ("ecg", "vitals", "events"):
        row = rows(tmp_path / "out" / f"{name}.csv")[0]
        utc = np.datetime64(row["timestamp"].removesuffix("+00:00"), "us")
        assert int(utc.astype(np.int64)) == (box(row) + UTC_AHEAD) // 1000
        assert row["clock_synchronised"] == "True"


def test_part_of_the_recording(database: Path, tmp_path: Path) -> None:
    first = str(np.datetime64((START + UTC_AHEAD) // 1000 + 1_500_000, "us")) + "Z"

    edge(database, "--from", first, "--to", "-6.5s", "--output", str(tmp_path / "out"))

    with History(database) as history:
        end = history.span()[1] + 1  # type: ignore[index]
    times = [box(row) for row in rows(tmp_path / "out" / "ecg.csv")]
    assert START + 1.5 * S <= min(times) <= START + 1.502 * S
    assert end - 6.502 * S <= max(times) < end - 6.5 * S


@pytest.mark.parametrize(
    ("first", "until", "says"),
    [
        ("yesterday", "", "not an ISO time"),
        ("2030-01-01", "", "nothing is recorded"),
        ("-1s", "-2s", "nothing is recorded"),
        ("-5x", "", "not an ISO time"),
    ],
)
def test_span_that_is_none_is_refused(
    database: Path, first: str, until: str, says: str
) -> None:
    with History(database) as history, pytest.raises(ExportError, match=says):
        find_span(history, first, until)


def test_parts_stay_below_the_size(database: Path, tmp_path: Path) -> None:
    limit = 64_000
    with History(database) as history:
        span = find_span(history)
    folder = DiskFolder.at(tmp_path / "out")
    whole = DiskFolder.at(tmp_path / "whole")

    Job(database, Request(*span, part_bytes=limit), folder, UtcNs(0)).run()
    Job(database, Request(*span), whole, UtcNs(0)).run()

    parts = sorted((tmp_path / "out").glob("joined*.csv"))
    texts = [part.read_bytes() for part in parts]
    single = (tmp_path / "whole" / "joined.csv").read_bytes()
    assert len(parts) == 1
    parts = [tmp_path / "out" / "ecg.csv", *(tmp_path / "out").glob("ecg-*.csv")]
    texts = [part.read_bytes() for part in sorted(parts, key=lambda p: len(p.name))]
    header, _, body = (tmp_path / "whole" / "ecg.csv").read_bytes().partition(b"\n")
    assert {text.partition(b"\n")[0] for text in texts} == {header}
    assert b"".join(text.partition(b"\n")[2] for text in texts) == body
    assert single


def test_manifest_says_what_is_missing(database: Path, tmp_path: Path) -> None:
    edge(database, "--output", str(tmp_path / "out"))

    said = json.loads((tmp_path / "out" / "manifest.json").read_text())

    ecg = said["streams"]["ecg"]["serial"]
    assert ecg["samples"] == 8 * 500
    assert ecg["values_missing"] == 500
    assert ecg["gaps"] == 1
    assert ecg["gaps_seconds"] == pytest.approx(2, abs=0.003)
    (gap,) = ecg["gaps_listed"]
    assert box(gap["begin"]) == START + 4 * S
    assert said["streams"]["pose_states"] == {"pose": 45, "absent": 5}
    assert said["streams"]["vitals"]["heart_rate"] == {
        "values": 1,
        "without_value": {"lead_off": 1},
    }
    assert said["subjects"] == ["P-07"]
    assert said["clock"]["sessions"][0]["synchronised"] is True
    assert said["configuration"] == {"1": {"join": {}}}
    for file in said["files"]:
        content = (tmp_path / "out" / file["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert len(list(csv.reader(io.StringIO(content.decode())))) == file["rows"] + 1


def test_joined_table_alone(
    database: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    edge(database, "--output", str(tmp_path / "joined.csv"))
    edge(database, "--output", "-")

    text = (tmp_path / "joined.csv").read_bytes()
    assert capsysbinary.readouterr().out == text
    assert len(rows(tmp_path / "joined.csv")) == 50
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_folder_of_another_export_is_refused(database: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    assert edge(database, "--output", out) == 0
    before = {path: path.read_bytes() for path in Path(out).iterdir()}

    assert edge(database, "--from", "-2s", "--output", out) == 1
    assert {path: path.read_bytes() for path in Path(out).iterdir()} == before

    assert edge(database, "--output", out) == 0
    assert main(["verify", out]) == 0


@pytest.mark.parametrize(
    "name",
    [
        *("ecg.csv", "README.txt", "SHA256SUMS", "ecg-001.dat", "Joined.parquet"),
        *("ecg-d-001.edf", "ecg-1000.csv", "events.csv.part", "vitals-002.csv.age"),
    ],
)
def test_strange_file_is_not_overwritten(
    database: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")

    assert edge(database, "--output", str(tmp_path / "out")) == 1

    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert (tmp_path / "out" / name).read_text() == "mine"
    assert name in capsys.readouterr().err


def test_folder_that_a_person_calls_unfinished_is_refused(
    database: Path, tmp_path: Path
) -> None:
    texts = {UNFINISHED: "my own notes\n", "ecg.csv": "mine"}
    out = tmp_path / "out"
    out.mkdir()
    for name, text in texts.items():
        (out / name).write_text(text)

    assert edge(database, "--output", str(out)) == 1

    assert {path.name: path.read_text() for path in out.iterdir()} == texts


def test_links_in_a_folder_lead_nowhere(database: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / "inner").symlink_to(elsewhere)
    with DiskFolder.at(out) as folder, pytest.raises(ExportError):
        folder.within("inner")
    for name in (UNFINISHED, "README.txt", "ecg.csv"):
        link = out / f"{name}.part"
        link.symlink_to(elsewhere / "mine")
        assert edge(database, "--output", str(out)) == 1
        link.unlink()

    assert [path.read_text() for path in elsewhere.iterdir()] == ["mine"]


def test_files_that_an_earlier_try_had_more_of_do_not_stay(
    database: Path, tmp_path: Path
) -> None:
    """The ring goes on while a cancelled export waits: less is left to be written."""
    out = tmp_path / "out"
    with History(database) as history:
        span = find_span(history)

    def stop(progress: Progress) -> None:
        if progress.file == "vitals.csv":
            job.cancel()

    with DiskFolder.at(out) as folder:
        job = Job(database, Request(*span), folder, UtcNs(0), stop)
        with pytest.raises(ExportError, match="cancelled"):
            job.run()
        (out / "ecg-002.csv").write_bytes((out / "ecg.csv").read_bytes())
        (out / "ecg-notes.csv").write_text("a person's own")
        Job(database, Request(*span), folder, UtcNs(0)).run()

    assert not (out / "ecg-002.csv").exists()
    assert (out / "ecg-notes.csv").exists()
    assert main(["verify", str(out)]) == 0


@pytest.mark.parametrize("exactly", [False, True])
def test_cancelled_export_goes_on_where_it_was(
    database: Path, tmp_path: Path, exactly: bool
) -> None:
    """A person repeats the words; the recorder gives the stretch that it knows."""
    with History(database) as history:
        span = find_span(history)
    words = [f"--from=box:{span[0]}", f"--to=box:{span[1]}"] if exactly else []
    out = tmp_path / "out"
    told: list[Progress] = []

    def stop(progress: Progress) -> None:
        told.append(progress)
        if progress.file == "ecg.csv":
            job.cancel()

    with DiskFolder.at(out) as folder:
        job = Job(database, Request(*span), folder, UtcNs(0), stop)
        with pytest.raises(ExportError, match="cancelled"):
            job.run()
    assert main(["verify", str(out)]) == 1
    assert UNFINISHED in {path.name for path in out.iterdir()}
    shares = [progress.share for progress in told]
    assert shares == sorted(shares)

    with Store(database) as store:  # what came since does not belong to it
        store.append([pose(START + 20 * S, 0.5)])
    assert edge(database, "--output", str(out), *words) == 0
    assert main(["verify", str(out)]) == 0
    assert len(rows(out / "joined.csv")) == 50
    assert UNFINISHED not in {path.name for path in out.iterdir()}


@pytest.mark.parametrize(
    "words",
    [
        ("--drive", ""),
        ("--output", ""),
        ("--output", "-", "--tolerance-ms", "nan"),
        ("--output", "-", "--tolerance-ms", "-1"),
        ("--output", "-", "--deidentify", "--shift-days", "nan"),
        ("--output", "-", "--deidentify", "--shift-days", "100000"),
        ("--output", "-", "--deidentify", "--shift-days", "-1e9"),
    ],
)
def test_words_that_mean_nothing_are_refused(
    database: Path, words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit):
        edge(database, *words)


def test_dates_are_moved_back(database: Path, tmp_path: Path) -> None:
    assert edge(database, "--output", str(tmp_path / "kept")) == 0
    moved = ("--deidentify", "--shift-days", "-365")
    assert edge(database, *moved, "--output", str(tmp_path / "moved")) == 0

    kept, moved_row = (
        rows(tmp_path / name / "ecg.csv")[0]["timestamp"] for name in ("kept", "moved")
    )
    assert (kept[:10], moved_row[:10]) == ("2025-11-22", "2024-11-22")
