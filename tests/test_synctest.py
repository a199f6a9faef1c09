"""A light and a pulse that switch together: how far apart they are stamped."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from box import WITHIN_S, Box, stream_is, wait_for

from edge import config
from edge.__main__ import main
from edge.commands.sync_test import Led
from edge.control import Handler, Server
from edge.errors import ControlError, InputError, SourceUnavailable
from edge.history import History
from edge.pulses import every
from edge.recorder import Recorder
from edge.records import BoxNs, Frame, MonotonicNs
from edge.simulator import SimulatedBoard
from edge.syncing import SyncTest
from edge.synctest import (
    BLOCK_PX,
    LightMeter,
    Pulses,
    Spots,
    compare,
    ecg_pulses,
)

MS = 1_000_000
S = 1_000_000_000
START = 1_767_268_800 * S
WIDTH_S = 0.2
LIGHT = 10
"""The spot that holds the light in the simulated pictures."""


def begins(dice: np.random.Generator, seconds: float) -> np.ndarray:
    """Return pulses at random distances, seconds from the start."""
    steps = dice.uniform(0.9, 1.3, round(seconds))
    found = 0.3 + np.cumsum(steps)
    return found[found < seconds - 0.5]


def lit(seconds: np.ndarray, pulses: np.ndarray) -> np.ndarray:
    place = np.searchsorted(pulses, seconds, side="right") - 1
    since = seconds - pulses[np.maximum(place, 0)]
    shines: np.ndarray = (place >= 0) & (since >= 0) & (since < WIDTH_S)
    return shines


def an_ecg(
    dice: np.random.Generator, pulses: np.ndarray, seconds: float, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return three leads with R waves of 1.2 mV, and pulses of 2 mV in the second."""
    time = np.arange(int(seconds * rate)) / rate
    values = dice.normal(0, 0.02, (len(time), 3))
    values += 1.2 * np.exp(-(((time % 0.8 - 0.4) / 0.012) ** 2))[:, None]
    values[:, 1] += 2 * lit(time, pulses)
    return START + np.rint(time * S).astype(np.int64), values


def some_spots(
    dice: np.random.Generator, pulses: np.ndarray, seconds: float, delay_s: float
) -> Spots:
    """Return what a camera sees of the light, *delay_s* after it was switched."""
    time = dice.uniform(0, 0.06) + np.arange(int(seconds * 15)) / 15
    shares = np.mean(
        [lit(time - delay_s + part, pulses) for part in np.linspace(-0.01, 0.01, 21)],
        axis=0,
    )
    levels = dice.normal(100, 3, (len(time), 64)).astype(np.float32)
    levels[:, 3] += 60 * (np.sin(time * 1.7) > 0)  # somebody moves
    levels[:, LIGHT] += 40 * shares
    places = np.arange(128).reshape(64, 2)
    return Spots(START + np.rint(time * S).astype(np.int64), levels, places)


@pytest.mark.parametrize("planted_ms", [-180, -37, 0, 12, 250])
@pytest.mark.parametrize("rate", [125, 500])
def test_planted_delay_is_found(planted_ms: int, rate: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = np.random.default_rng(seed)
    pulses = begins(dice, 60)
    spots = some_spots(dice, pulses, 60, planted_ms / 1000)

    found = compare(spots, ecg_pulses(*an_ecg(dice, pulses, 60, rate)))

    assert abs(found.offset_ms - planted_ms) < 5
    assert found.uncertainty_ms < 15
    assert found.pulses >= 0.8 * len(pulses)
    assert (found.light_x, found.light_y) == (2 * LIGHT, 2 * LIGHT + 1)


@pytest.mark.parametrize("rate", [125, 500])
def test_uncertainty_holds_the_truth_in_nine_of_ten_tests(rate: int) -> None:
    held = 0
    for seed in range(40):
        dice = np.random.default_rng(seed)
        pulses = begins(dice, 60)
        spots = some_spots(dice, pulses, 60, 0.012)
        found = compare(spots, ecg_pulses(*an_ecg(dice, pulses, 60, rate)))
        held += abs(found.offset_ms - 12) <= found.uncertainty_ms

    assert held >= 36


def test_pulses_are_found_between_heart_beats_and_over_gaps() -> None:
    dice = np.random.default_rng(1)
    pulses = begins(dice, 30)
    times, values = an_ecg(dice, pulses, 30, 250)
    kept = (np.arange(len(times)) % 900) > 60

    found = ecg_pulses(times[kept], values[kept])

    wanted = START + np.rint(pulses * S).astype(np.int64)
    for begin, end in zip(found.begins, found.ends, strict=True):
        assert np.abs(wanted - begin).min() < 4 * MS
        assert abs(end - begin - 0.2 * S) < 8 * MS
    assert len(found.begins) > 0.6 * len(pulses)


def test_no_pulse_and_no_light_are_said() -> None:
    dice = np.random.default_rng(2)
    pulses = begins(dice, 30)
    times, values = an_ecg(dice, np.array([999.0]), 30, 250)
    dark = some_spots(dice, np.array([999.0]), 30, 0)
    begins_ns = START + np.rint(pulses * S).astype(np.int64)
    found = Pulses(begins_ns, begins_ns + S // 5, 4e6)

    with pytest.raises(InputError, match="pulses in the ECG"):
        ecg_pulses(times, values)
    with pytest.raises(InputError, match="pulses in the ECG"):
        ecg_pulses(times, np.zeros_like(values))
    with pytest.raises(InputError, match="no ECG"):
        ecg_pulses(times[:0], values[:0])
    with pytest.raises(InputError, match="light in view"):
        compare(dark, found)
    bright = some_spots(dice, pulses, 30, 0)
    seen = bright.exposed < found.begins[3]
    with pytest.raises(InputError, match="too few pictures"):
        compare(Spots(bright.exposed[seen], bright.levels[seen], bright.places), found)


def test_meter_keeps_the_spots_that_change_and_no_picture() -> None:
    dice = np.random.default_rng(3)
    meter = LightMeter(2)
    spots = None
    for number in range(40):
        pixels = dice.integers(80, 90, (480, 640, 3)).astype(np.uint8)
        pixels[96:112, 320:336] += np.uint8(100 * (number % 7 == 0))
        at = BoxNs(START + number * S // 15)
        frame = Frame(number, MonotonicNs(at), MonotonicNs(at), "sensor", pixels)
        spots = meter.feed(frame, at)
        if spots:
            break

    assert spots is not None
    assert spots.levels.shape == (31, 64)
    best = spots.levels.var(axis=0).argmax()
    assert spots.places[best].tolist() == [320 + BLOCK_PX // 2, 96 + BLOCK_PX // 2]
    assert spots.exposed[-1] - spots.exposed[0] == 2 * S


def test_led_is_switched_or_named(tmp_path: Path) -> None:
    (tmp_path / "brightness").write_text("9")
    led = Led(tmp_path)

    led.pulse()

    assert (tmp_path / "brightness").read_text() == "0"
    with pytest.raises(SourceUnavailable, match="gpio-led"):
        Led(tmp_path / "gone")


def test_test_that_is_given_up_makes_room_for_the_next() -> None:
    """The recorder's part; the picture is watched by a stand-in."""
    watched: list[Future[Spots]] = []

    def watch(seconds: float) -> Future[Spots]:
        watched.append(Future())
        return watched[-1]

    test = SyncTest(
        cast(Recorder, SimpleNamespace(vision=SimpleNamespace(watch=watch)))
    )
    first = test.begin(600)
    with pytest.raises(ControlError, match=r"running already, for (600|599) s more"):
        test.begin(40)
    test.cancel(first)
    second = test.begin(40)
    test.cancel(first)  # late, and of somebody else

    assert watched[0].cancelled()
    assert not watched[1].done()
    assert test.result() is None
    test.cancel(second)
    with pytest.raises(ControlError, match="no sync test was begun"):
        test.result()


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[list[str]]:
    """What a recorder is asked whose sync test never ends."""
    said: list[str] = []

    def handler(do: str, answer: dict[str, Any]) -> Handler:
        def handle(request: dict[str, Any], payload: bytes) -> dict[str, Any]:
            said.append(f"cancel {request['number']}" if do == "sync_cancel" else do)
            return answer

        return handle

    answers: dict[str, dict[str, Any]] = {
        "sync_begin": {"number": 7},
        "sync_result": {"pending": True},
        "sync_cancel": {},
    }
    (tmp_path / "edge.toml").write_text('[box]\ndata_dir = "."\n')
    (tmp_path / "leds" / "torch").mkdir(parents=True)
    handlers = {do: handler(do, answer) for do, answer in answers.items()}
    server = Server(tmp_path / "control.sock", handlers)
    yield said
    server.close()


def sync_test(folder: Path, led: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("edge.commands.sync_test.LEDS", folder / "leds")
    return main(["sync-test", "--config", str(folder / "edge.toml"), "--led", led])


def test_wrong_led_begins_no_test(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sync_test(tmp_path, "lamp/post", monkeypatch) == 1
    assert asked == []


def test_interrupted_test_is_given_up_and_its_light_is_out(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "edge.commands.sync_test.time",
        SimpleNamespace(sleep=interrupt, monotonic=time.monotonic),
    )

    assert sync_test(tmp_path, "torch", monkeypatch) == 130
    assert asked == ["sync_begin", "sync_result", "cancel 7"]
    assert (tmp_path / "leds" / "torch" / "brightness").read_text() == "0"


def test_terminated_test_is_given_up(asked: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge", "sync-test", "--config"]
    with subprocess.Popen([*command, tmp_path / "edge.toml"]) as process:
        try:
            wait_for(lambda: "sync_result" in asked or None)
            process.terminate()
            assert process.wait(WITHIN_S) == 130
        finally:
            process.kill()

    assert asked[-1] == "cancel 7"


@pytest.mark.parametrize("planted_ms", [37])
def test_whole_box_finds_what_was_planted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], planted_ms: int
) -> None:
    """The real model, the real pseudo-terminal; the lamp follows the pulse late."""
    period = 1.0412
    box = Box(tmp_path, "synthetic")
    device = f"flash_period_s={period} flash_epoch_ns={planted_ms * MS}"
    text = box.file.read_text()
    for source, more in (
        ('source = "synthetic"', f'device = "{device}"'),
        ('source = "serial"', "latency_ms = 2.9  # 33 bytes at 115,200 bit/s"),
    ):
        text = text.replace(source, f"{source}\n{more}")
    box.file.write_text(text)
    box.settings = config.load(box.file)
    link = tmp_path / "ecg-board"
    with SimulatedBoard(link, sync=every(period)):
        box.start()
        try:
            box.until(stream_is("ecg", "ok"))
            box.until(stream_is("camera", "ok"))
            asked = ["sync-test", "--config", str(box.file), "--for", "18", "--json"]
            assert main(asked) == 0
        finally:
            box.kill()
    found = json.loads(capsys.readouterr().out)

    print(found)
    assert abs(found["offset_ms"] - planted_ms) <= 5
    assert found["pulses"] >= 12
    with History(box.settings.database) as history:
        kept = [
            event.detail
            for event in history.events(BoxNs(0), BoxNs(2**62))
            if event.kind == "sync test"
        ]
    assert kept == [found]
