"""Every mix of camera, ECG board, Edge TPU and network comes up and is told truly."""

import itertools
import json
import socket
import ssl
import time
import urllib.request
from pathlib import Path

import pytest

from edge.simulator import SimulatedBoard
from rigs.disk import Disk
from rigs.qemu import Machine
from rigs.vm import CAMERA, MARKS, SLOW, TPU, State, plug_board, serial, stream

pytestmark = MARKS
ADDRESS = "10.0.2.15"
"""Of the machine (``guest/lan.network``); it refuses to be called another."""
MIXES = list(itertools.product([True, False], repeat=4))


def named(mix: tuple[bool, ...]) -> str:
    """Return the parts of *mix* that are there."""
    parts = ("ecg", "camera", "tpu", "network")
    there = [part for part, has in zip(parts, mix, strict=True) if has]
    return "+".join(there) or "nothing"


@pytest.mark.parametrize("mix", MIXES, ids=named)
def test_mix_of_parts(
    mix: tuple[bool, bool, bool, bool],
    disk: Disk,
    board: SimulatedBoard,
    tmp_path: Path,
) -> None:
    """The Edge TPU is USB ids and a delegate that pretends: see fake_edgetpu.c."""
    ecg, camera, tpu, network = mix
    if tpu and disk.no_tpu:
        pytest.skip(disk.no_tpu)
    port = free_port()
    lan = f"user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:443"
    options = [*(serial(board) if ecg else []), *(["-nic", lan] if network else [])]
    words = f"{CAMERA if camera else ''} {TPU if tpu else ''}"
    with Machine(disk, disk.machine(tmp_path), options, words) as machine:
        if ecg:
            plug_board(machine)
        state = machine.booted().until(
            lambda state: truth(state, ecg, camera, tpu), 60 * SLOW
        )
        print(f"{named(mix)}: {machine.uptime_s():.0f} s after the kernel began")
        for name in ("ecg", "camera", "pose"):
            entry = stream(state, name)
            print(f"  {name}: {entry['state']} {entry['cause']} {entry['detail']}")
        assert state["recording"]
        tpu_lines = [line for line in doctor(machine) if line["part"] == "tpu"]
        plugged = any("plugged in (" in line["says"] for line in tpu_lines)
        assert plugged == tpu, tpu_lines
        assert within(machine, "https://127.0.0.1/healthz") == {"status": "ok"}
        if network:
            assert from_outside(port) == {"status": "ok"}


def truth(state: State, ecg: bool, camera: bool, tpu: bool) -> bool:
    """Return whether *state* says what is there, and for what is not, why."""
    for name, there in (("ecg", ecg), ("camera", camera)):
        entry = stream(state, name)
        if entry["state"] != ("ok" if there else "lost"):
            return False
        if not there and (entry["cause"] in ("", "not started")):
            return False
    if ecg and not state["saved"]["samples"]:
        return False
    model = str(stream(state, "pose")["detail"].get("model", ""))
    return bool(model) and ("edgetpu" in model) == tpu


def doctor(machine: Machine) -> list[dict[str, str]]:
    """Return the findings of `edge doctor`."""
    code, output = machine.run("edge doctor --json", 60 * SLOW)
    assert code in (0, 1), output
    found: list[dict[str, str]] = json.loads(output[output.index("{") :])["findings"]
    return found


def within(machine: Machine, url: str) -> object:
    """Return the JSON that *url* gives inside."""
    script = (
        "import ssl, urllib.request as r; "
        f"print(r.urlopen('{url}', timeout={20 * SLOW}, "
        "context=ssl._create_unverified_context()).read().decode())"
    )
    return json.loads(machine.sh(f'python3 -c "{script}"', 30 * SLOW))


def from_outside(port: int) -> object:
    """Return the JSON of /healthz by way of the machine's network, by its address."""
    trusting = ssl._create_unverified_context()
    url = f"https://127.0.0.1:{port}/healthz"
    asked = urllib.request.Request(url, headers={"Host": ADDRESS})
    deadline = time.monotonic() + 20 * SLOW
    while True:
        try:
            with urllib.request.urlopen(asked, timeout=20, context=trusting) as answer:
                return json.load(answer)
        except OSError:
            assert time.monotonic() < deadline, "nothing answers over the network"
            time.sleep(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
