"""
The vision process and its replacement; a whole box whose parts fail: `test_faults.py`.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Literal, cast

import faults
import numpy as np
import pytest
from box import WITHIN_S, alive, descendants, wait_for
from supervision_rig import Watched

from edge import config
from edge.clock import BoxClock
from edge.errors import ControlError
from edge.pose import Estimate
from edge.recorder import BEAT_LIMIT_S
from edge.streams import Stream
from edge.vision import supervision
from edge.vision.life import STAGE_LIMITS_S, TPU_WINDOW_S, End, Ladder, Life
from edge.vision.messages import Orders, Seen
from edge.vision.supervision import Supervision
from edge.worker import Worker


@pytest.fixture
def tpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the pretended TPU; return the file that says how it does."""
    if why := faults.missing():
        pytest.skip(why)
    faults.make_tpu(tmp_path)
    mood = tmp_path / "mood"
    mood.write_text("ok")
    monkeypatch.setenv("FAKE_EDGETPU", str(mood))
    return mood


def watched(mood: Path, device: str = "tpu") -> Watched:
    folder = mood.parent
    return Watched(
        config.Camera(source="synthetic", rate_hz=20.0),
        config.Pose(
            device=device,
            tpu_model=str(folder / faults.TPU_MODEL),
            tpu_library=str(folder / "libtpu.so"),
        ),
    )


def test_absent_tpu_leaves_poses_on_the_cpu(tpu: Path) -> None:
    tpu.write_text("absent")
    with watched(tpu) as box:
        box.wait_for_poses("cpu")
    assert any("no Edge TPU answers" in cause for cause in box.causes())


def test_upload_is_looked_at_without_a_camera() -> None:
    with Watched(config.Camera(source="none"), config.Pose(device="cpu")) as box:
        wait_for(lambda: box.pose.state.state == "ok" or None)
        seen = box.supervision.look(np.zeros((48, 64, 3), np.uint8))
        assert (seen.estimate.width, seen.estimate.height) == (64, 48)
        assert seen.estimate.state == "no pose"
    with pytest.raises(ControlError):
        box.supervision.look(np.zeros((48, 64, 3), np.uint8))


def test_upload_is_looked_at_while_the_camera_is_missing() -> None:
    with Watched(config.Camera(source="picamera"), config.Pose()) as box:
        wait_for(lambda: "picamera2" in box.camera.state.cause or None)
        seen = box.supervision.look(np.zeros((48, 64, 3), np.uint8))
        assert seen.estimate.state == "no pose"


@pytest.mark.parametrize(
    ("number", "said"), [(9, "SIGKILL"), (34, "SIGRTMIN"), (40, "signal 40")]
)
def test_death_by_any_signal_is_told(number: int, said: str) -> None:
    suicide = f"import os; os.kill(os.getpid(), {number})"
    with subprocess.Popen([sys.executable, "-c", suicide]) as process:
        process.wait()
        assert supervision.death(process) == said


def test_stopped_supervision_leaves_no_process() -> None:
    with Watched(config.Camera(source="synthetic"), config.Pose(device="cpu")) as box:
        box.wait_for_poses("cpu")
        below = descendants(os.getpid())
    assert not any(map(alive, below))


def test_poses_come_from_a_camera_slower_than_its_silence_is_long() -> None:
    slow = config.Camera(source="synthetic", rate_hz=0.3)
    with Watched(slow, config.Pose(device="cpu")) as box:
        box.wait_for_poses("cpu", more=2)
        assert box.supervision.restarts == 0


HANGS_IN_ITS_EXIT = """#!{python}
import os, sys, threading
os.close(int(sys.argv[-1]))
threading.Event().wait(3600)
"""


def test_vision_that_hangs_while_it_ends_is_replaced_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vision = tmp_path / "python"
    vision.write_text(HANGS_IN_ITS_EXIT.format(python=sys.executable))
    vision.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(vision))
    assert supervision.EXIT_WITHIN_S < BEAT_LIMIT_S
    with Watched(config.Camera(source="synthetic"), config.Pose(device="cpu")) as box:
        (hung,) = wait_for(lambda: descendants(os.getpid()) or None)
        wait_for(lambda: box.supervision.restarts or None)
        assert not alive(hung)
        wait_for(lambda: "it hung while it ended" in str(box.causes()) or None)


def test_picture_that_nobody_watches_any_more_ends_nothing() -> None:
    with Watched(config.Camera(source="synthetic", rate_hz=20.0), config.Pose()) as box:
        box.wait_for_poses("cpu")
        given_up = box.supervision.watch(0.2)
        assert given_up.cancel()
        wait_for(lambda: not box.supervision._watches or None)
        box.wait_for_poses("cpu")
        assert box.supervision.watch(0.2).result(WITHIN_S).levels.size


def test_vision_that_cannot_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with no process or descriptor left, while an environment is replaced, …"""
    here = sys.executable
    monkeypatch.setattr(sys, "executable", "/no/such/environment/bin/python")
    with Watched(config.Camera(source="synthetic"), config.Pose(device="cpu")) as box:
        wait_for(lambda: "cannot be started" in str(box.causes()) or None)
        assert box.pose.state.state == "lost"
        monkeypatch.setattr(sys, "executable", here)
        box.wait_for_poses("cpu")


def test_vision_that_dies_before_it_has_its_orders_is_reaped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def died(*words: Any, **how: Any) -> subprocess.Popen[bytes]:
        started.append(start(["false"], **how))
        os.waitid(os.P_PID, started[-1].pid, os.WEXITED | os.WNOWAIT)
        return started[-1]

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(subprocess, "Popen", died)
    camera, pose = config.Camera(source="synthetic"), config.Pose()
    with pytest.raises(BrokenPipeError):
        supervision.start(Orders(camera, pose, "cpu", 0, 0.0))
    assert started[0].returncode == 1
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """
    Let vision processes read nothing and, as if a driver held them in the kernel, keep
    their end of the pipe when they are killed; return these ends.
    """
    ends: list[socket.socket] = []
    start = subprocess.Popen

    def sleeper(words: list[str], pass_fds: list[int], **how: Any) -> Any:
        ends.append(socket.socket(fileno=os.dup(pass_fds[0])))
        return start(["sleep", "3600"])

    monkeypatch.setattr(subprocess, "Popen", sleeper)
    monkeypatch.setitem(STAGE_LIMITS_S, "load model", 2.0)
    yield ends
    for end in ends:
        end.close()


def test_upload_into_a_process_that_reads_nothing_holds_nobody_up(
    held: list[socket.socket],
) -> None:
    with Watched(config.Camera(source="synthetic"), config.Pose(device="cpu")) as box:
        wait_for(lambda: box.supervision._pipe)
        with pytest.raises(ControlError, match="restarted"):
            box.supervision.look(np.zeros((720, 1280, 3), np.uint8))
        wait_for(lambda: box.supervision.restarts or None)


def test_no_picture_is_handed_over_before_the_one_in_hand_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a slow processor would look at pictures that nobody waits for any more."""
    clock = BoxClock(0)
    camera, pose = Stream("camera", clock.now()), Stream("pose", clock.now())
    vision = Supervision(config.Settings(), clock, lambda _: None, camera, pose)
    ours, theirs = Pipe()
    monkeypatch.setattr(vision, "_pipe", ours)
    monkeypatch.setattr(supervision, "TURN_WITHIN_S", 0.05)
    picture = np.zeros((48, 64, 3), np.uint8)
    nobody = Estimate("no pose", np.zeros((17, 3), np.float32), 64, 48, 0, 1.0)
    with ThreadPoolExecutor(1) as elsewhere, ours, theirs:
        first = elsewhere.submit(vision.look, picture)
        number = theirs.recv().number
        with pytest.raises(ControlError, match="too many pictures"):
            vision.look(picture)
        assert not theirs.poll()
        vision._answer(Seen(number, nobody, "a model", "cpu"))
        assert first.result().estimate == nobody


def test_process_that_stops_in_the_middle_of_a_message_is_replaced(
    held: list[socket.socket],
) -> None:
    with Watched(config.Camera(source="synthetic"), config.Pose(device="cpu")) as box:
        wait_for(lambda: box.supervision._pipe)
        held[0].send((200).to_bytes(4, "big") + b"two of the 200 bytes"[:2])
        wait_for(lambda: box.supervision.restarts or None)
        assert "while it said something" in str(box.causes())


@pytest.mark.parametrize(
    ("turns_s", "ends"),
    [([0.1] * 250, True), ([0.1] * 100 + [30.0] + [0.1] * 90 + [5.0] * 9, False)],
)
def test_time_in_which_the_whole_box_stood_still_is_no_hanging(
    monkeypatch: pytest.MonkeyPatch, turns_s: list[float], ends: bool
) -> None:
    now_s, turns_s = 0.0, list(turns_s)
    clock = BoxClock(0)
    camera, pose = Stream("camera", clock.now()), Stream("pose", clock.now())
    vision = Supervision(config.Settings(), clock, lambda _: None, camera, pose)
    worker = Worker("vision", vision.work, lambda: None)

    class Silent:
        def poll(self, _: float) -> bool:
            nonlocal now_s
            now_s += turns_s.pop(0)
            if not turns_s:
                worker.stopping.set()
            return False

    monkeypatch.setattr("edge.vision.supervision.time.monotonic", lambda: now_s)
    life = Life("cpu", Ladder(lambda: False), now_s)
    end = vision._follow(worker, cast(Any, None), cast(Any, Silent()), life)

    assert (end is not None) == ends


@pytest.mark.parametrize(
    ("worked", "lasts_s", "until_s", "longest_s", "most"),
    [
        (True, 1.0, 300.0, 10.0, 40),  # the first picture comes each time
        (True, 100.0, 300.0, 0.2, 3),
        (False, 1.0, 300.0, 10.0, 40),  # who plugs it in again stands before it
        (False, 1.0, 86_400.0, 30.0, 3000),
    ],
)
def test_lives_that_work_for_a_moment_or_not_come_ever_later(
    monkeypatch: pytest.MonkeyPatch,
    worked: bool, lasts_s: float, until_s: float, longest_s: float, most: int,
) -> None:  # fmt: skip
    """As of a camera that has stopped, or is gone: each loads the model again."""
    now_s, pauses = 0.0, []
    clock = BoxClock(0)
    camera, pose = Stream("camera", clock.now()), Stream("pose", clock.now())
    vision = Supervision(config.Settings(), clock, lambda _: None, camera, pose)
    worker = Worker("vision", vision.work, lambda: None)

    def live(_: Worker, device: str, pause_s: float) -> End:
        nonlocal now_s
        now_s += lasts_s + pause_s
        pauses.append(pause_s)
        if now_s > until_s:
            worker.stopping.set()
        return End("camera", "it repeats the same picture", worked, paused=True)

    monkeypatch.setattr("edge.vision.supervision.time.monotonic", lambda: now_s)
    monkeypatch.setattr(vision, "_life", live)
    vision.work(worker)

    assert pauses == sorted(pauses)
    assert pauses[-1] == longest_s
    assert len(pauses) <= most


def test_ladder_goes_down_after_three_failures_and_up_after_ten_minutes() -> None:
    plugged = True
    ladder = Ladder(lambda: plugged)
    assert ladder.device(0.0) == "tpu"
    for at in (1.0, 2.0, 3.0):
        assert ladder.device(at) == "tpu"
        ladder.failed("tpu", at)
    assert ladder.device(4.0) == "cpu"
    assert not ladder.rises("cpu", TPU_WINDOW_S)
    assert ladder.rises("cpu", TPU_WINDOW_S + 1.0)
    assert not ladder.rises("tpu", TPU_WINDOW_S + 1.0)
    plugged = False
    assert ladder.device(2 * TPU_WINDOW_S) == "cpu"


@pytest.mark.parametrize(("part", "last"), [("camera", "tpu"), ("model", "cpu")])
def test_only_ends_of_the_model_count_against_the_edge_tpu(
    monkeypatch: pytest.MonkeyPatch, part: Literal["camera", "model"], last: str
) -> None:
    clock = BoxClock(0)
    camera, pose = Stream("camera", clock.now()), Stream("pose", clock.now())
    settings = config.Settings(pose=config.Pose(device="tpu"))
    vision = Supervision(settings, clock, lambda _: None, camera, pose)
    worker = Worker("vision", vision.work, lambda: None)
    devices = []

    def live(_: Worker, device: str, pause_s: float) -> End:
        devices.append(device)
        if len(devices) == 4:
            worker.stopping.set()
        return End(part, "it went", True, paused=True)

    monkeypatch.setattr(vision, "_life", live)
    vision.work(worker)

    assert devices == ["tpu", "tpu", "tpu", last]
