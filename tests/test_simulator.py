"""The simulated board: what a reader sees, and what the truth file says of it."""

import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import ConfigError, SourceUnavailable
from edge.protocols import make_decoder
from edge.pulses import every
from edge.simulator import SimulatedBoard, read_truth
from edge.simulator.encoders import CYTON_GAIN, WIRES
from edge.simulator.subject import Samples

SECOND = 1_000_000_000


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now


class Bench:
    """A board on the table: time moves when `run` says so, a reader listens."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        self.clock = Clock()
        self.link = tmp_path / "ecg"
        self.truth = tmp_path / "truth"
        self.board = SimulatedBoard(
            self.link, clock=self.clock, truth=self.truth, **settings
        )
        self.reader = -1
        self.plug()

    def plug(self) -> None:
        self.board.plug()
        self.open(self.board.link)

    def open(self, path: Path) -> None:
        self.reader = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.read_so_far = self.board.tally.written_bytes

    def run(self, seconds: float, read: bool = True) -> list[bytes]:
        """Return what arrived in each burst of *seconds*."""
        end = self.clock.now + round(seconds * SECOND)
        bursts = []
        while self.clock.now < end:
            self.clock.now += 16_000_000
            self.board.step()
            bursts.append(self.read() if read else b"")
        return bursts

    def read(self) -> bytes:
        """Return all that the port has taken and nobody has read."""
        data = b""
        while self.read_so_far + len(data) < self.board.tally.written_bytes:
            assert select.select([self.reader], [], [], 60)[0], "bytes are missing"
            data += os.read(self.reader, 65536)
        self.read_so_far += len(data)
        return data

    def close(self) -> None:
        os.close(self.reader)
        self.board.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def packets(data: bytes) -> np.ndarray:
    """Return the Cyton packets of *data* by the format's document, shape (n, 33)."""
    data = data[data.index(b"$$$") + 3 :] if b"$$$" in data else data
    whole = np.frombuffer(data[: len(data) // 33 * 33], np.uint8).reshape(-1, 33)
    assert (whole[:, 0] == 0xA0).all()
    assert (whole[:, 32] == 0xC0).all()
    return whole


def test_cyton_sends_250_packets_a_second_with_a_counter(bench: Bench) -> None:
    found = packets(b"".join(bench.run(4.0)))

    assert len(found) == pytest.approx(4 * 250, abs=12)
    assert (np.diff(found[:, 1].astype(int)) % 256 == 1).all()
    assert found[0, 1] == 0


def test_lead_two_is_the_sum_of_one_and_three(bench: Bench) -> None:
    found = packets(b"".join(bench.run(2.0)))
    wide = np.zeros((len(found), 3, 4), np.uint8)
    wide[:, :, :3] = found[:, 2:11].reshape(-1, 3, 3)
    leads = wide.copy().view(">i4")[:, :, 0] // 256 * CYTON_GAIN

    assert np.abs(leads[:, 0] + leads[:, 2] - leads[:, 1]).max() <= 2 * CYTON_GAIN
    assert 0.8 < leads[:, 1].max() < 2.0


def test_truth_holds_every_sample_and_its_drifting_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, drift_ppm=200.0)
    sent = packets(b"".join(bench.run(3.0)))
    bench.close()
    truth = read_truth(bench.truth)
    first = np.concatenate([np.arange(t.first, t.first + t.samples) for t in truth])
    times = np.concatenate(
        [t.sampled_ns + np.arange(t.samples) * t.period_ns for t in truth]
    )

    assert (first == np.arange(len(first))).all()
    assert len(first) - len(sent) in (0, 1)  # the last one may still leave the line
    assert np.abs(times - np.concatenate([t.times() for t in truth])).max() <= 1
    period = (times[-1] - times[0]) / (len(times) - 1)
    assert period == pytest.approx(4e6 / 1.0002, rel=1e-9)


def test_lost_packets_advance_the_counter_and_are_in_the_truth(tmp_path: Path) -> None:
    bench = Bench(tmp_path, loss=0.2)
    found = packets(b"".join(bench.run(4.0)))
    bench.close()
    truth = read_truth(bench.truth)
    expected = [
        (t.counter + k) % 256 for t in truth for k in range(t.samples)
        if k not in t.lost
    ]  # fmt: skip

    assert found[:, 1].tolist() == expected[: len(found)]
    assert bench.board.tally.lost == sum(len(t.lost) for t in truth) > 100


def test_a_slow_reader_loses_bytes_and_never_stops_the_board(bench: Bench) -> None:
    bench.run(8.0, read=False)
    tally = bench.board.tally

    assert tally.samples == pytest.approx(2000, abs=5)
    assert tally.dropped_bytes > 30_000
    assert len(bench.read()) == tally.written_bytes < tally.dropped_bytes


def test_bytes_of_a_closed_port_are_counted_and_not_kept(bench: Bench) -> None:
    os.close(bench.reader)
    bench.reader = os.open(os.devnull, os.O_RDONLY)
    bench.run(2.0, read=False)

    assert bench.board.tally.written_bytes == 0
    assert bench.board.tally.unheard_bytes > 15_000
    bench.open(bench.link)
    assert not select.select([bench.reader], [], [], 0.05)[0]


def test_unplugging_hangs_up_and_another_name_brings_a_new_counter(
    bench: Bench, tmp_path: Path
) -> None:
    bench.run(1.0)
    bench.board.unplug()
    assert not bench.link.is_symlink()
    assert os.read(bench.reader, 10) == b""  # as a real port reports hanging up
    bench.board.plug(tmp_path / "other")
    os.close(bench.reader)
    bench.open(tmp_path / "other")

    assert packets(b"".join(bench.run(1.0)))[0, 1] == 0
    assert not bench.link.is_symlink()


def test_a_stall_holds_bytes_back_and_gives_all_of_them(bench: Bench) -> None:
    bench.run(1.0)
    bench.board.stall(0.5)
    bursts = bench.run(1.0)

    assert b"".join(bursts[:30]) == b""
    assert max(map(len, bursts)) > 0.45 * 250 * 33
    assert sum(map(len, bursts)) == pytest.approx(250 * 33, abs=200)


def test_muted_board_is_silent_and_its_counter_goes_on(bench: Bench) -> None:
    before = packets(b"".join(bench.run(0.64)))
    bench.board.mute()
    bench.run(0.1)  # what was on the line still comes
    assert b"".join(bench.run(0.8)) == b""
    bench.board.mute(False)
    after = b"".join(bench.run(0.4))
    counter = packets(after[after.index(b"\xc0\xa0") + 1 :])[0, 1]

    assert 200 < (int(counter) - int(before[-1, 1])) % 256 < 256


def test_babble_is_in_the_stream_and_leaves_packets_whole(bench: Bench) -> None:
    bench.run(0.5)
    bench.board.babble(50)
    assert sum(map(len, bench.run(1.0))) == pytest.approx(250 * 33 + 50, abs=150)


def test_restart_is_dark_then_counts_from_zero(bench: Bench) -> None:
    bench.run(1.0)
    bench.board.restart(after_s=0.5)
    bursts = bench.run(1.0)

    assert b"".join(bursts[:30]) == b""
    assert packets(b"".join(bursts))[0, 1] == 0


def test_obedient_board_waits_for_its_commands(tmp_path: Path) -> None:
    bench = Bench(tmp_path, obey=True)
    assert b"".join(bench.run(0.5)).endswith(b"$$$")
    os.write(bench.reader, b"b")
    assert len(packets(b"".join(bench.run(0.5)))) > 100
    os.write(bench.reader, b"s")
    bench.run(0.1)
    assert b"".join(bench.run(0.5)) == b""
    os.write(bench.reader, b"v")
    assert b"".join(bench.run(0.5)).endswith(b"$$$")
    bench.close()


def test_sync_pulses_stand_where_the_schedule_says(tmp_path: Path) -> None:
    bench = Bench(tmp_path, sync=every(1.0, width_s=0.1))
    found = packets(b"".join(bench.run(3.0)))
    bench.close()
    coarse = np.frombuffer(found[:, 2:4].tobytes(), ">i2").astype(float)
    high = coarse * 256 * CYTON_GAIN > 1.5
    times = bench.clock.now - 3 * SECOND + np.arange(len(found)) * 4_000_000

    assert 60 < high.sum() < 90
    assert ((times[high] % SECOND) < 0.13 * SECOND).all()


def test_csv_board_sends_the_fields_of_the_original_system(tmp_path: Path) -> None:
    bench = Bench(tmp_path, board="csv")
    lines = b"".join(bench.run(2.5)).decode().split("\r\n")
    bench.close()
    rows = [line.split(",") for line in lines[1:-1]]

    assert lines[0].startswith("timestamp,heart_rate,ecg_lead1,ecg_lead2,ecg_lead3,")
    assert [len(row) for row in rows] == [8] * len(rows)
    assert len(rows) == pytest.approx(25, abs=1)
    assert rows[10][0] == "2025-06-29T14:22:01.000000"
    assert all(50 <= int(row[1]) <= 90 for row in rows)


def test_decoders_read_what_encoders_wrote() -> None:
    """The two were written apart, from the boards' documents."""
    number = np.arange(700)
    drawn = np.random.default_rng(3).normal(0, 1.5, (700, 3))
    samples = Samples(number, drawn, number / 250, 71.0, 120.0, 80.0, 97.0)
    for board, tolerance_mv in (("openbci-cyton", 2e-5), ("csv", 5.1e-4)):
        decoder = make_decoder(board)
        packets = decoder.feed(b"".join(WIRES[board].encode(samples)))
        gain, baseline = np.array(decoder.board.gain), np.array(decoder.board.baseline)
        read = (packets.counts[:, :3] - baseline[:3]) / gain[:3]

        assert len(packets.counts) == 700
        assert np.abs(read - drawn).max() <= tolerance_mv
        if decoder.board.counter_modulus:
            assert packets.counter.tolist() == (number % 256).tolist()


@pytest.mark.parametrize(
    "settings",
    [
        {"board": "nosuch"},
        {"loss": 2.0},
        {"burst_ms": 0.0},
        {"rate_hz": -1.0},
        {"rate_hz": 500.0},
        {"board": "csv", "baud": 4800},
    ],
)
def test_impossible_settings_are_refused(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        SimulatedBoard(tmp_path / "ecg", **settings)


def test_a_stale_link_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    link = tmp_path / "ecg"
    link.symlink_to("/dev/pts/no-longer-there")
    with SimulatedBoard(link):
        assert link.resolve().is_char_device()
    assert not link.is_symlink()
    link.write_text("precious")
    with pytest.raises(SourceUnavailable, match="in the way"):
        SimulatedBoard(link).plug()
    assert link.read_text() == "precious"


def test_in_a_thread_it_keeps_to_the_schedule(tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    with SimulatedBoard(tmp_path / "ecg", truth=truth) as board:
        reader = os.open(board.link, os.O_RDONLY | os.O_NOCTTY)
        size = 0
        while size < 250 * 33:
            size += len(os.read(reader, 4096))
        os.close(reader)
    blocks = read_truth(truth)
    begins = np.array([block.sampled_ns for block in blocks])
    firsts = np.array([block.first for block in blocks])

    assert (begins - begins[0] == (firsts - firsts[0]) * 4_000_000).all()
    assert not [t for t in threading.enumerate() if t.name == "simulated board"]
