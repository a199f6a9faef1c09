"""A small recording, a recorder that is not there, and a client without a server."""

import io
import json
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import numpy as np

from edge.errors import ControlError
from edge.records import (
    KEYPOINTS,
    BoxNs,
    BoxState,
    ClockReading,
    EcgChunk,
    Event,
    Pose,
    Record,
    Segment,
    Session,
    StreamState,
    UtcNs,
    Vital,
)
from edge.store import Store
from edge.web.live import boot_id

SECOND = 1_000_000_000
STARTED = BoxNs(1_750_000_000 * SECOND)


class Answer(NamedTuple):
    """What the application said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, refusing NaN and infinity as a strict parser does."""

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is not JSON")

        return json.loads(self.body, parse_constant=refuse)


def ask(
    app: Callable[..., Iterable[bytes]],
    method: str,
    path: str,
    body: bytes = b"",
    **headers: str,
) -> Answer:
    """Send one request to *app* and return the answer; both obey WSGI."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "localhost:8080",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
    }
    for name, value in headers.items():
        plain = name.upper() in ("CONTENT_TYPE", "REMOTE_ADDR", "SERVER_ADDR")
        environ[name.upper() if plain else f"HTTP_{name.upper()}"] = value
    setup_testing_defaults(environ)
    said: list[Any] = []

    def start(status: str, fields: list[tuple[str, str]], *rest: Any) -> Any:
        said[:] = [int(status[:3]), {name.lower(): text for name, text in fields}]
        return lambda data: None

    parts = validator(app)(environ, start)
    try:
        content = b"".join(parts)
    finally:
        parts.close()
    return Answer(*said, content)


class QuietRecorder:
    """Answers like `edge.control.Client`; what it was told is kept in lists."""

    def __init__(self) -> None:
        self.silent = False
        self.now = BoxNs(STARTED + 60 * SECOND)
        self.streams: dict[str, StreamState] = {
            name: StreamState(name, "ok", STARTED, "", self.now, 1000, 0, 0)
            for name in ("ecg", "camera", "pose", "store")
        }
        self.recording = True
        self.markers: list[tuple[str, str]] = []
        self.ecg_records: list[tuple[BoxNs | None, dict[str, float]]] = []

    def state(self) -> BoxState:
        self._heard()
        return BoxState(
            now=self.now,
            session=1,
            started=STARTED,
            subject="P07",
            recording=self.recording,
            streams=tuple(self.streams.values()),
            saved={"samples": 15000, "poses": 600, "vitals": 60, "events": 1},
            storage={"bytes": 1, "capacity_bytes": 2, "hours_left": 48.0},
        )

    def marker(self, note: str, by: str) -> None:
        self._heard()
        self.markers.append((note, by))

    def ecg_record(self, sampled: BoxNs | None, values: dict[str, float]) -> BoxNs:
        self._heard()
        instant = self.now if sampled is None else sampled
        self.ecg_records.append((sampled, values))
        return instant

    def picture(self, pixels: Any, exposed: BoxNs, name: str) -> Pose:
        self._heard()
        raise ControlError("the vision process is not there")

    def _heard(self) -> None:
        if self.silent:
            raise ControlError("the recorder does not answer; is it running?")


SEGMENT = Segment(
    1, 1, "serial", "openbci-cyton", ("I", "II"), (1000.0, 1000.0), (0, 0),
    250.0, False, "counter",
)  # fmt: skip


def ecg(second: int, half: int = 0) -> EcgChunk:
    """Return half a second of a 1 Hz wave, lead II twice as high."""
    start = second * SECOND + half * SECOND // 2
    phase = 2 * np.pi * (np.arange(125) / 250 + half / 2)
    wave = np.round(1000 * np.sin(phase)).astype(np.int32)
    counts = np.stack([wave, 2 * wave], axis=1)
    return EcgChunk(1, BoxNs(STARTED + start), 4e6, 1_000_000, counts)


def pose(second: float) -> Pose:
    """Return a body whose nose walks to the right."""
    points = np.zeros((len(KEYPOINTS), 3), np.float32)
    points[:, 0] = 100 + 10 * second + np.arange(17)
    points[:, 1] = 50 + 5 * np.arange(17)
    points[:, 2] = 0.75
    return Pose(
        BoxNs(STARTED + round(second * SECOND)), 5_000_000, "sensor", "camera",
        "pose", points, 640, 480, 0, "movenet.tflite", "cpu", 11.5,
    )  # fmt: skip


def minute_of_records() -> list[Record]:
    """Return one minute: two leads, ten poses a second, a gap of ten seconds."""
    box, utc = STARTED, UtcNs(STARTED + 3600 * SECOND)
    records: list[Record] = [
        Session(1, boot_id(), box, box - time.monotonic_ns(), "test", "P07", "{}"),
        ClockReading(1, box, utc, True, 0),
        SEGMENT,
        Event(box, None, "session", "", "recording began", {}),
    ]
    for second in range(60):
        if not 20 <= second < 30:
            records += [ecg(second, 0), ecg(second, 1)]
        records += [pose(second + tenth / 10) for tenth in range(10)]
        at = BoxNs(box + second * SECOND)
        records.append(Vital(at, "heart_rate", 60.0 + second / 60, "", "serial", True))
    records.append(Vital(box, "oxygen_saturation", None, "probe_off", "serial"))
    gap = (BoxNs(box + 20 * SECOND), BoxNs(box + 30 * SECOND))
    records.append(Event(*gap, "gap", "ecg", "board unplugged", {"samples": 2500}))
    return records


def make_recording(path: Path) -> Path:
    """Write the minute into a new database in the folder *path* and return it."""
    with Store(path / "recording.db", ballast_bytes=0) as store:
        store.append(minute_of_records())
    return path / "recording.db"


def is_close(one: float, other: float) -> bool:
    """Return whether two times in milliseconds are the same to a microsecond."""
    return math.isclose(one, other, rel_tol=0, abs_tol=2e-3)
