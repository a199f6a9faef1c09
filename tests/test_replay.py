"""Recorded sessions, and the source that plays them again."""

import itertools
import os
import select
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from records_store import same
from sessions import BAUD, Chunks, chunks, cyton_packets, frames, records, session

from edge import config
from edge.commands.record_session import Session, make_folder
from edge.errors import SourceEnded, SourceLost, SourceUnavailable
from edge.records import EcgChunk, MonotonicNs, SerialChunk
from edge.sources import open_ecg
from edge.sources.framereplay import FrameReplay
from edge.sources.recording import (
    read_frames,
    read_serial,
    serial_path,
)
from edge.sources.replay import Replay


def test_recorded_bytes_come_back_with_their_instants(tmp_path: Path) -> None:
    sent = chunks(2)
    session(tmp_path / "s", [sent])

    assert list(read_serial(serial_path(tmp_path / "s", 1))) == sent


def test_recording_cut_anywhere_loses_one_chunk_at_most(tmp_path: Path) -> None:
    sent = chunks(3, count=6)
    session(tmp_path / "s", [sent])
    path = serial_path(tmp_path / "s", 1)
    whole = path.read_bytes()
    ends = list(itertools.accumulate((12 + len(c.data) for c in sent), initial=14))
    for cut in range(14, len(whole)):
        path.write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends) - 1
        assert list(read_serial(path)) == sent[:kept]


@pytest.mark.parametrize("content", [b"", b"edge serial 2\n", b"\xff" * 100])
def test_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "serial-1.bin"
    path.write_bytes(content)

    with pytest.raises(SourceUnavailable, match="edge record-session"):
        list(read_serial(path))


def test_replay_is_lost_and_comes_back_where_the_port_did(tmp_path: Path) -> None:
    first, second = chunks(4, count=3), chunks(5, count=2)
    session(tmp_path / "s", [first, second])
    before = Replay(tmp_path / "s", pace=False)
    assert [before.read(0.0) for _ in first] == first
    with pytest.raises(SourceLost):
        before.read(0.0)

    after = Replay(tmp_path / "s", before.identity, pace=False)
    assert [after.read(0.0) for _ in second] == second
    with pytest.raises(SourceEnded, match="is over"):
        after.read(0.0)


def test_replay_keeps_the_rhythm(tmp_path: Path) -> None:
    sent = chunks(6, count=8, every_ns=20_000_000)
    session(tmp_path / "s", [sent])
    shift = time.monotonic_ns() + 30_000_000 - sent[0].received
    with Replay(tmp_path / "s", shift_ns=shift) as source:
        assert source.read(0.0) is None
        for chunk in sent:
            got = source.read(5.0)
            assert got == SerialChunk(MonotonicNs(chunk.received + shift), chunk.data)
            assert got.received <= time.monotonic_ns()


def test_replay_of_another_board_is_refused(tmp_path: Path) -> None:
    session(tmp_path / "s", [chunks(7)])
    ecg = config.Ecg("replay", port=str(tmp_path / "s"), board="olimex")

    with pytest.raises(SourceUnavailable, match="openbci-cyton: set ecg.board to it"):
        open_ecg(ecg, BAUD)


def test_pictures_come_back_as_they_were(tmp_path: Path) -> None:
    session(tmp_path / "s", [chunks(8)], pictures=5)

    with FrameReplay(tmp_path / "s", pace=False) as source:
        for frame in frames(5):
            got = source.read(0.0)
            assert got is not None
            assert got[:4] == frame[:4]
            assert got.uncertainty_ns == frame.uncertainty_ns
            assert np.array_equal(got.pixels, frame.pixels)
        with pytest.raises(SourceEnded):
            source.read(0.0)


def test_camera_opened_late_goes_on_at_the_present(tmp_path: Path) -> None:
    session(tmp_path / "s", [chunks(8)], pictures=5)
    third = frames(5)[3]
    shift = time.monotonic_ns() - 990_000_000 - third.received

    with FrameReplay(tmp_path / "s", shift_ns=shift) as source:
        frame = source.read(1.0)

    assert frame is not None
    assert frame.sequence >= 3


def test_session_without_pictures_says_how_they_are_kept(tmp_path: Path) -> None:
    session(tmp_path / "s", [chunks(9)])

    with pytest.raises(SourceUnavailable, match="record-session --pictures"):
        list(read_frames(tmp_path / "s"))


def test_replay_gives_the_same_records(tmp_path: Path) -> None:
    """What was kept live and what the recording gives agree to the last bit."""
    sent = [chunks(10), chunks(11)]
    sent[1] = [c._replace(received=MonotonicNs(c.received + 10**10)) for c in sent[1]]
    session(tmp_path / "s", sent)
    replayed: list[Chunks] = []
    identity = ""
    for part in sent:
        with Replay(tmp_path / "s", identity, pace=False) as source:
            identity = source.identity
            replayed.append([chunk for _ in part if (chunk := source.read(0.0))])

    live, again = records(sent), records(replayed)

    assert sum(isinstance(record, EcgChunk) for record in live) >= 4
    assert len(live) == len(again)
    assert all(same(one, other) for one, other in zip(live, again, strict=True))


# The commands


@contextmanager
def board_on_a_line(link: Path) -> Iterator[int]:
    """Yield the board's end of a line that is called *link* as long as it is there."""
    far, near = os.openpty()
    tty.setraw(near)
    link.symlink_to(os.ttyname(near))
    yield far
    link.unlink()
    os.close(near)
    os.close(far)


def test_session_is_recorded_over_a_loss_and_replayed(tmp_path: Path) -> None:
    units, link = cyton_packets(40, seed=12), tmp_path / "board"
    settings = config.Settings(ecg=config.Ecg(port=str(link), board="openbci-cyton"))
    folder = make_folder(tmp_path / "session", settings, time.monotonic_ns())
    made = Session(settings, folder)
    recorder = threading.Thread(target=made.record_serial)
    for begin, stop in ((0, 20), (20, 40)):
        with board_on_a_line(link) as far:
            if begin == 0:
                recorder.start()
            assert os.read(far, 1) == b"b"  # it is open, and has asked for samples
            os.write(far, b"".join(units[begin:stop]))

            def is_recorded(packets: int = stop) -> bool:
                return made.bytes == packets * 33

            until(is_recorded)
            if stop == 40:
                made.stopping.set()
                recorder.join()

    parts = [list(read_serial(serial_path(folder, part))) for part in (1, 2)]
    data = [b"".join(chunk.data for chunk in part) for part in parts]
    assert data == [b"".join(units[:20]), b"".join(units[20:])]
    with Replay(folder, pace=False) as replay:
        assert replay.read(0.0) == parts[0][0]


def test_board_that_was_off_meanwhile_is_told_to_send_again(tmp_path: Path) -> None:
    link, banner = tmp_path / "board", b"OpenBCI V3 8-16 channel$$$"
    settings = config.Settings(ecg=config.Ecg(port=str(link), board="openbci-cyton"))
    folder = make_folder(tmp_path / "session", settings, time.monotonic_ns())
    made = Session(settings, folder)
    recorder = threading.Thread(target=made.record_serial)
    with board_on_a_line(link) as far:
        recorder.start()
        os.write(far, b"".join(cyton_packets(20, seed=3)) + banner)
        asked, _, _ = select.select([far], [], [], 20)
        assert asked
        assert os.read(far, 1) == b"b"  # as the port was opened
        asked, _, _ = select.select([far], [], [], 20)
        made.stopping.set()
        recorder.join()
        assert asked, "the board is on again and waits"
        assert os.read(far, 1) == b"b"


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def edge(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *arguments], capture_output=True, text=True
    )


def test_record_session_command_keeps_a_replay_of_a_replay(tmp_path: Path) -> None:
    first = session(tmp_path / "first", [chunks(13, count=5)], pictures=3)
    (tmp_path / "edge.toml").write_text(
        f'[ecg]\nsource = "replay"\nport = "{first}"\nboard = "openbci-cyton"\n'
        f'[camera]\nsource = "replay"\ndevice = "{first}"\n'
    )
    done = edge(
        "record-session", str(tmp_path / "second"), "--pictures", "--for", "20",
        "--config", str(tmp_path / "edge.toml"),
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "whoever can read the folder sees the person" in done.stderr
    before, after = (
        [chunk.data for chunk in read_serial(serial_path(folder, 1))]
        for folder in (first, tmp_path / "second")
    )
    assert before == after
    assert (tmp_path / "second").stat().st_mode & 0o77 == 0
    again = edge(
        "record-session", str(tmp_path / "second"), "--config",
        str(tmp_path / "edge.toml"),
    )  # fmt: skip
    assert again.returncode == 1
    assert "File exists; name another folder" in again.stderr


def test_decode_command_prints_samples(tmp_path: Path) -> None:
    lines = b"\n72,0.5,-0.25\n72,,1.5\n73,!,1\n"
    (tmp_path / "lines").write_bytes(lines)
    done = edge(
        "decode", "--board", "csv", "--columns", "heart_rate,ecg_lead1,V5",
        str(tmp_path / "lines"),
    )  # fmt: skip

    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "sample,I (mV),v5 (mV),heart_rate (bpm),blood_pressure_systolic (mmHg),"
        "blood_pressure_diastolic (mmHg),oxygen_saturation (%),"
        "respiration_rate (1/min),temperature (°C)",
        "0,0.5,-0.25,72.0,,,,,",
        "1,,1.5,,,,,,",
    ]
    assert done.stderr == "2 samples; 2 packets, 1 damaged, 8 bytes in no packet\n"


def test_decode_command_reads_a_recorded_session(tmp_path: Path) -> None:
    sent = chunks(14)
    session(tmp_path / "s", [sent])
    (tmp_path / "plain").write_bytes(b"".join(chunk.data for chunk in sent))
    recorded, plain = (
        edge("decode", "--board", "openbci-cyton", str(path))
        for path in (serial_path(tmp_path / "s", 1), tmp_path / "plain")
    )

    assert recorded.stdout == plain.stdout
    assert len(plain.stdout.splitlines()) > 200


def test_decode_command_finds_all_of_a_capture(shared: Path) -> None:
    capture = shared / "data/serial/olimex/nsr.bin"
    done = edge("decode", "--board", "olimex-125", str(capture))

    assert done.stdout.count("\n") == 1 + 6328
    assert "the board was reset" in done.stderr
    assert "Reset signal logged." in done.stderr
    missing = edge("decode", "--board", "olimex-125", str(capture) + "x")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "cannot read" in missing.stderr
