"""A webcam of a real kernel (its `vivid` driver) through the box's own source."""

import json
from collections.abc import Iterator

import pytest

from rigs.disk import Disk
from rigs.qemu import Machine
from rigs.vm import CAMERA, MARKS, SLOW

pytestmark = MARKS
FOR_S = 20
RATE_HZ = 15
MEASURE = f"""
import json, time
from edge import config
from edge.sources import video
camera = config.Camera(source="video", device="/dev/video0", width_px=WIDTH,
                       height_px=HEIGHT, rate_hz=30.0)
frames = []
with video.open_source(camera) as source:
    source.read(60.0)
    end = time.monotonic() + {FOR_S}
    while time.monotonic() < end:
        frame = source.read(5.0)
        if frame is not None:
            frames.append((frame.exposed, frame.received, frame.stamp,
                           list(frame.pixels.shape), frame.sequence))
print(json.dumps(frames))
"""


@pytest.fixture
def webcam(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Return a machine whose webcam the box's own recorder leaves alone."""
    folder = disk.machine(tmp_path_factory.mktemp("webcam"))
    with Machine(disk, folder, words=f"{CAMERA} systemd.mask=edge.service") as machine:
        yield machine.booted()


@pytest.mark.parametrize(("width", "height"), [(320, 180), (640, 360)])
def test_driver_stamps_every_frame(width: int, height: int, webcam: Machine) -> None:
    """Asked for 30 a second; v4l2-ctl shows beside it what the emulation gives."""
    script = MEASURE.replace("WIDTH", str(width)).replace("HEIGHT", str(height))
    webcam.sh(f"cat >/run/measure.py <<'END'\n{script}\nEND")
    run = "cd / && /opt/ecg-pose-edge/current/.venv/bin/python -I /run/measure.py"
    frames = json.loads(webcam.sh(run, (FOR_S + 60) * SLOW).splitlines()[-1])
    form = f"--set-fmt-video=width={width},height={height} --set-parm=30"
    plain = webcam.sh(f"v4l2-ctl -d 0 {form} --stream-mmap --stream-count=60 2>&1", 600)

    exposed = [frame[0] for frame in frames]
    ages_ms = sorted((frame[1] - frame[0]) / 1e6 for frame in frames)
    rate_hz = (len(frames) - 1) / (exposed[-1] - exposed[0]) * 1e9
    print(
        f"{width}x{height}: {rate_hz:.1f} frames/s, handed over "
        f"{ages_ms[len(ages_ms) // 2]:.1f} ms after their stamps (median)"
    )
    print("v4l2-ctl:", plain.splitlines()[-1].strip("<"))
    assert {frame[2] for frame in frames} == {"sensor"}
    assert all(later > one for one, later in zip(exposed, exposed[1:], strict=False))
    assert ages_ms[0] >= 0
    assert {tuple(frame[3]) for frame in frames} == {(height, width, 3)}
    assert rate_hz >= RATE_HZ
