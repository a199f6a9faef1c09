"""The recorder whole: real processes, real signals, a board on a pseudo-terminal."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from box import WITHIN_S, Box, alive, descendants, running_box, stream_is, wait_for
from sessions import chunks, records, session

from edge import config, daemon
from edge.control import Post
from edge.history import History
from edge.recorder import BEAT_LIMIT_S, Recorder
from edge.records import BoxNs, EcgChunk, Event, MonotonicNs
from edge.simulator import SimulatedBoard

ALWAYS = BoxNs(0), BoxNs(2**62)


def events_of(box: Box) -> list[Event]:
    with History(box.settings.database) as history:
        return list(history.events(*ALWAYS))


def kinds(box: Box) -> list[tuple[str, str, str]]:
    return [(event.kind, event.stream, event.cause) for event in events_of(box)]


def test_records_a_board_and_stops_with_everything_saved(tmp_path: Path) -> None:
    with SimulatedBoard(tmp_path / "ecg-board"), running_box(tmp_path) as box:
        box.until(stream_is("ecg", "ok"))
        box.until(lambda state: state.saved["samples"] > 500)
        last = box.client.state()
        assert box.stop() == 0

    with History(box.settings.database) as history:
        samples = sum(chunk.counts.size for chunk in history.chunks(*ALWAYS))
    assert samples >= last.saved["samples"]
    assert kinds(box)[-1] == ("session", "", "recording ended")
    assert not box.settings.control_socket.exists()


def test_absent_board_is_waited_for_and_lost_one_taken_back(tmp_path: Path) -> None:
    with running_box(tmp_path) as box:
        box.until(stream_is("ecg", "lost"))
        with SimulatedBoard(tmp_path / "ecg-board") as board:
            box.until(stream_is("ecg", "ok"))
            board.unplug()
            box.until(stream_is("ecg", "lost"))
            board.plug()
            box.until(stream_is("ecg", "ok"))
        assert box.stop() == 0

    with History(box.settings.database) as history:
        assert len(history.segments()) == 2
    assert any(kind == "gap" for kind, _, _ in kinds(box))


def test_mute_board_is_stale(tmp_path: Path) -> None:
    with SimulatedBoard(tmp_path / "ecg-board") as board, running_box(tmp_path) as box:
        box.until(stream_is("ecg", "ok"))
        board.mute()
        state = box.until(stream_is("ecg", "stale"))
        assert "no openbci-cyton sample" in str(state.streams)
        board.mute(False)
        box.until(stream_is("ecg", "ok"))


def test_board_that_returns_mute_is_never_called_fine(tmp_path: Path) -> None:
    with SimulatedBoard(tmp_path / "ecg-board") as board, running_box(tmp_path) as box:
        box.until(stream_is("ecg", "ok"))
        board.unplug()
        box.until(stream_is("ecg", "lost"))
        board.mute()
        board.plug()
        box.until(stream_is("ecg", "stale"))
        board.mute(False)
        box.until(stream_is("ecg", "ok"))
        assert box.stop() == 0

    events = [one for one in events_of(box) if one.kind == "state"]
    states = [one.detail["to"] for one in events if one.stream == "ecg"]
    assert states[states.index("lost") + 1] == "stale"


def test_board_that_was_off_is_told_to_send_again(tmp_path: Path) -> None:
    board = SimulatedBoard(tmp_path / "ecg-board", obey=True)
    with board, running_box(tmp_path) as box:
        box.until(stream_is("ecg", "ok"))
        board.restart(after_s=2)
        box.until(stream_is("ecg", "stale"))
        box.until(stream_is("ecg", "ok"))
        assert box.stop() == 0


def test_replay_that_is_over_is_all_saved_and_keeps_the_recorder(
    tmp_path: Path,
) -> None:
    sent = chunks(15)
    folder = session(tmp_path / "session", [sent], recorder=os.getpid())
    ecg = config.Ecg("replay", port=str(folder), board="openbci-cyton")
    none = config.Camera(source="none")
    settings = config.Settings(config.Box(data_dir=tmp_path), none, ecg=ecg)
    kept = [made for made in records([sent]) if isinstance(made, EcgChunk)]
    samples = sum(made.counts.size for made in kept)
    with daemon.open_store(settings) as store:
        recorder = Recorder(settings, store, threading.Event())
        recorder.begin()
        recorder.start()
        wait_for(lambda: "is over" in recorder.ecg.state.cause or None)
        too_late = MonotonicNs(time.monotonic_ns() + round(BEAT_LIMIT_S * 1e9))
        wait_for(lambda: recorder.saved["samples"] == samples or None)
        wait_for(lambda: recorder.moving(too_late) or None)
        assert recorder.stop()


def test_second_recorder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with running_box(tmp_path) as box:
        second = subprocess.run(
            [sys.executable, "-m", "edge", "run", "--config", str(box.file)],
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert second.returncode == 1
        assert len(second.stderr.splitlines()) == 1
        assert str(box.process and box.process.pid) in second.stderr
        box.until(lambda state: state.recording)
        assert box.stop() == 0


def test_recorder_that_nobody_could_ask_records_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.settings.control_socket.mkdir()
    box.start(wait=False)
    assert box.process is not None
    assert box.process.wait(WITHIN_S) == 1

    (said,) = box.log.read_text().splitlines()
    assert "cannot listen on" in said
    with History(box.settings.database) as history:
        assert history.sessions() == []


def test_broken_configuration_ends_the_start_in_words(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text("[ecg]\nboard = 'toaster'\nbuad = 9600\n")
    done = subprocess.run(
        [sys.executable, "-m", "edge", "run", "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 1
    assert "did you mean baud?" in done.stderr
    assert "Traceback" not in done.stderr


def test_vision_records_poses_and_is_replaced_when_killed(tmp_path: Path) -> None:
    with running_box(tmp_path, camera="synthetic") as box:
        assert box.process is not None
        box.until(lambda state: state.saved["poses"] > 5)
        (vision,) = descendants(box.process.pid)
        os.kill(vision, signal.SIGKILL)
        box.until(stream_is("camera", "lost"))
        before = box.client.state().saved["poses"]
        box.until(lambda state: state.saved["poses"] > before + 5)
        (second,) = descendants(box.process.pid)
        assert second != vision
        assert box.stop() == 0
        assert not alive(second)

    assert any("SIGKILL" in cause for _, _, cause in kinds(box))


def test_stop_that_every_process_is_told_is_no_fault_of_the_camera(
    tmp_path: Path,
) -> None:
    with running_box(tmp_path, camera="synthetic") as box:
        assert box.process is not None
        box.until(lambda state: state.saved["poses"] > 5)
        (vision,) = descendants(box.process.pid)
        os.kill(vision, signal.SIGTERM)
        before = box.client.state().saved["poses"]
        box.until(lambda state: state.saved["poses"] > before + 5)
        assert descendants(box.process.pid) == [vision]
        assert box.stop() == 0
        assert not alive(vision)

    assert not any("SIGTERM" in cause for _, _, cause in kinds(box))


def test_hung_vision_is_killed_and_replaced_without_an_ecg_gap(tmp_path: Path) -> None:
    with (
        SimulatedBoard(tmp_path / "ecg-board"),
        running_box(tmp_path, camera="synthetic") as box,
    ):
        assert box.process is not None
        box.until(lambda state: state.saved["poses"] > 5 and state.saved["samples"] > 0)
        (vision,) = descendants(box.process.pid)
        os.kill(vision, signal.SIGSTOP)
        box.until(stream_is("camera", "lost"))
        before = box.client.state().saved["poses"]
        box.until(lambda state: state.saved["poses"] > before)
        assert box.stop() == 0

    events = kinds(box)
    assert any("hung" in cause for _, _, cause in events)
    gaps = [cause for kind, stream, cause in events if (kind, stream) == ("gap", "ecg")]
    assert set(gaps) <= {"before the first samples"}


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_pause_between_two_sessions_is_a_gap_with_its_cause(
    tmp_path: Path, kill: bool
) -> None:
    with SimulatedBoard(tmp_path / "ecg-board"), running_box(tmp_path) as box:
        box.until(lambda state: state.saved["samples"] > 0)
        box.kill() if kill else box.stop()
        box.start()
        box.until(lambda state: state.saved["samples"] > 0)
        assert box.stop() == 0

    (gap,) = [event for event in kinds(box) if event[:2] == ("gap", "")]
    assert ("cut off" in gap[2]) == kill
    with History(box.settings.database) as history:
        first, second = history.sessions()
        starts = [chunk.start for chunk in history.chunks(*ALWAYS)]
    assert second.started > first.started
    assert starts == sorted(starts)


def test_damaged_orders_of_drives_are_told_once(tmp_path: Path) -> None:
    (tmp_path / "exports.json").write_text("{")
    with running_box(tmp_path) as box:
        wait_for(lambda: any("exports.json" in kind[2] for kind in kinds(box)) or None)
        assert box.stop() == 0

    assert box.log.read_text().count("exports.damaged-1.json") == 1


def test_marker_and_ecg_record_are_on_the_card_when_answered(tmp_path: Path) -> None:
    with running_box(tmp_path) as box:
        box.client.marker("turned the patient", "nurse")
        arrived = MonotonicNs(time.monotonic_ns())
        values = {"heart_rate": 72, "ecg_lead2": 0.5}
        (sampled,) = box.client.ecg_records([Post(None, arrived, values)])
        box.kill()

    with History(box.settings.database) as history:
        (chunk,) = history.chunks(*ALWAYS)
        segment = history.segments()[chunk.segment]
        (vital,) = history.vitals(*ALWAYS)
    assert chunk.start == sampled
    assert chunk.counts[0, 1] / segment.gain[1] == 0.5
    assert (vital.name, vital.value, vital.sampled) == ("heart_rate", 72.0, sampled)
    assert ("marker", "", "turned the patient") in kinds(box)


def test_children_end_with_a_killed_recorder(tmp_path: Path) -> None:
    with running_box(tmp_path, camera="synthetic") as box:
        assert box.process is not None
        box.until(lambda state: state.saved["poses"] > 0)
        below = descendants(box.process.pid)
        assert below
        box.kill()
        wait_for(lambda: None if any(map(alive, below)) else True)


INTERRUPTED = """
import signal, sys, threading
from edge import daemon
from edge.worker import Ending

def interrupt(frame, event, arg):
    global left
    left -= 1
    if not left:
        signal.raise_signal(signal.SIGTERM)
    return interrupt

class Fine:
    def moving(self, now): return True
    def alive(self): pass

daemon.WATCH_EVERY_S = 0.001
for step in range(1, 60):
    left, ending = step, Ending()
    with daemon.signals(ending):
        sys.settrace(interrupt)
        daemon.watch(Fine(), Fine(), ending)
        sys.settrace(None)
"""


def test_signal_at_any_step_of_the_wait_for_it_ends_the_recorder() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], check=False, timeout=WITHIN_S
    )
    assert done.returncode == 0
