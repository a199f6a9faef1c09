"""A small recording, a recorder that is not there, and a client without a server."""

import io
import json
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import numpy as np
from PIL import Image

from edge.clock import boot_id
from edge.control import Post
from edge.errors import ControlError
from edge.records import (
    KEYPOINTS,
    MISSING,
    VITALS,
    BoxNs,
    BoxState,
    ClockReading,
    EcgChunk,
    Event,
    Kept,
    Pose,
    Record,
    Released,
    Segment,
    Session,
    StreamState,
    UtcNs,
    Vital,
)
from edge.store import Store

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

    parts: Any = validator(app)(environ, start)
    try:
        content = b"".join(parts)
    finally:
        parts.close()
    status, fields = said
    return Answer(status, fields, content)


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
        self.machine: dict[str, object] = {}
        self.markers: list[tuple[str, str]] = []
        self.marked: list[BoxNs | None] = []  # when, as it was asked for
        self.exports: list[tuple[str, str]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusal = ""
        self.posts: list[Post] = []

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
            machine=self.machine,
        )

    def marker(self, note: str, by: str, at: BoxNs | None = None) -> None:
        self._heard()
        self.markers.append((note, by))
        self.marked.append(at)

    def exported(self, what: str, by: str) -> None:
        self._heard()
        self.exports.append((what, by))

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        self._heard()
        self.asked.append((do, request))
        if self.refusal:
            raise ControlError(self.refusal)
        return {"state": "idle", "sentence": "", "progress": {}, "armed_s": 0,
                "drives": [], "enrolled": []}  # fmt: skip

    def ecg_records(self, posts: list[Post]) -> list[BoxNs]:
        self._heard()
        self.posts += posts
        return [self.now if post.sampled is None else post.sampled for post in posts]

    def picture(self, pixels: Any, exposed: BoxNs, name: str, scale: int = 1) -> Pose:
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


class StoringRecorder(QuietRecorder):
    """
    Keeps what the page sends in a real database, one writer thread as the recorder.

    Its "body" is a white square: all keypoints lie in its middle, so that a test
    knows from the picture alone where they must be. Without one there is no pose.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "recording.db"
        self._writer = ThreadPoolExecutor(1)
        self._writer.submit(self._open).result()

    def _open(self) -> None:
        self._store = Store(self.path, ballast_bytes=0)
        self.now = max(STARTED, BoxNs((self._store.last_box or 0) + SECOND))
        number = self._store.next_session
        self._segment = self._store.next_segment
        offset = self.now - time.monotonic_ns()
        records: list[Record] = [
            Session(number, boot_id(), self.now, offset, "test", "P07", "{}"),
            ClockReading(number, self.now, UtcNs(self.now), True, 0),
            Segment(
                self._segment, number, "upload", "", ("I", "II", "III"), (1e6,) * 3,
                (0,) * 3, 0.0, False, "given",
            ),
        ]  # fmt: skip
        self._store.append(records)

    def keep(self, *records: Record) -> None:
        """Return when *records* are stored."""
        self._writer.submit(self._store.append, records).result()

    def fill(self, times: Any) -> None:
        """Store one ECG record at each of *times*, box time, in one transaction."""
        count = np.full((1, 3), 850_000, np.int32)
        offset = np.zeros(1, np.uint32)
        self.keep(
            *(
                EcgChunk(self._segment, BoxNs(int(at)), 0.0, 0, count, offset)
                for at in times
            )
        )

    def restart(self, anew: bool = False) -> None:
        """End and begin again, as after a power cut; *anew* with an empty database."""
        self.close()
        if anew:
            for path in self.path.parent.glob(f"{self.path.name}*"):
                path.unlink()
        self._writer = ThreadPoolExecutor(1)
        self._writer.submit(self._open).result()

    def close(self) -> None:
        self._writer.submit(self._store.close).result()
        self._writer.shutdown()

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        answer = super().ask(do, **request)
        if do == "keep":
            self.keep(Kept(request["begin"], request["end"], request["why"]))
        if do == "release":
            self.keep(Released(request["number"]))
        return answer

    def marker(self, note: str, by: str, at: BoxNs | None = None) -> None:
        super().marker(note, by, at)
        self.keep(Event(at or self.now, None, "marker", "", note, {"by": by}))

    def ecg_records(self, posts: list[Post]) -> list[BoxNs]:
        instants = super().ecg_records(posts)
        for instant, post in zip(instants, posts, strict=True):
            self._keep_post(instant, post.values)
        return instants

    def _keep_post(self, instant: BoxNs, values: dict[str, float]) -> None:
        leads = [values.get(f"ecg_lead{n}") for n in (1, 2, 3)]
        counts = [MISSING if v is None else round(v * 1e6) for v in leads]
        self.keep(
            EcgChunk(
                self._segment, instant, 0.0, 0, np.array([counts], np.int32),
                np.zeros(1, np.uint32),
            ),
            *(
                Vital(instant, name, values[name], "", "upload")
                for name in VITALS
                if name in values
            ),
        )  # fmt: skip

    def picture(self, pixels: Any, exposed: BoxNs, name: str, scale: int = 1) -> Pose:
        self._heard()
        bright = np.argwhere(pixels.min(axis=2) > 200)
        points = np.zeros((17, 3), np.float32)
        if len(bright):
            y, x = bright.mean(axis=0)
            points[:] = x * scale, y * scale, 0.9
        pose = Pose(
            exposed, 0, "given", "upload", "pose" if len(bright) else "no pose",
            points, pixels.shape[1] * scale, pixels.shape[0] * scale, 0,
            "movenet.tflite", "cpu", 9.5, name,
        )  # fmt: skip
        self.keep(pose)
        return pose


def picture(
    at: tuple[int, int] | None = (40, 30),
    size: tuple[int, int] = (96, 64),
    kind: str = "BMP",
) -> bytes:
    """Return a picture of a white square around *at* (x, y) on noise-free grey."""
    pixels = np.full((size[1], size[0], 3), 60, np.uint8)
    if at:
        x, y = at
        pixels[y - 3 : y + 4, x - 3 : x + 4] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def form(**fields: str | bytes | tuple[str, bytes]) -> dict[str, Any]:
    """Return body and type of a multipart form; a tuple is a file's name and bytes."""
    parts = []
    for name, value in fields.items():
        disposition = f'Content-Disposition: form-data; name="{name}"'
        if isinstance(value, tuple):
            disposition += f'; filename="{value[0]}"'
            value = value[1]
        data = value.encode() if isinstance(value, str) else value
        parts.append(b"--Frontier7\r\n" + disposition.encode() + b"\r\n\r\n" + data)
    body = b"\r\n".join([*parts, b"--Frontier7--\r\n"])
    return {"body": body, "content_type": "multipart/form-data; boundary=Frontier7"}


def fields(**values: object) -> dict[str, Any]:
    """Return body and type of an urlencoded form."""
    return {
        "body": urlencode(values).encode(),
        "content_type": "application/x-www-form-urlencoded",
    }
