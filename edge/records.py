"""
Everything that flows through the box.

Data goes one way: source → record → store → join → page and export. Each record
below is small and immutable; each field says its unit and where it comes from.

Three kinds of instant, all integers of nanoseconds:

* `MonotonicNs`: the kernel's clock since boot. Sources stamp with it.
* `BoxNs`: monotonic time moved by one constant a session, so that it never
  steps and never goes back, also not over a reboot. The store keeps it.
* `UtcNs`: the label for people, derived from box time through the clock ledger.
"""

from typing import Literal, NamedTuple, NewType

import numpy as np
from numpy.typing import NDArray

MonotonicNs = NewType("MonotonicNs", int)
"""Nanoseconds on `time.monotonic_ns()` of this boot."""

BoxNs = NewType("BoxNs", int)
"""Nanoseconds of box time; starts near the best known UTC, never goes back."""

UtcNs = NewType("UtcNs", int)
"""Nanoseconds since 1970-01-01T00:00:00Z."""

SURE_SCORE = 0.3
"""
A keypoint that scores more was seen, one below is a guess: the model card of MoveNet
draws the line here. Noise scores 0.25.
"""

KEYPOINTS: tuple[str, ...] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
"""The 17 keypoints in the order MoveNet gives them."""

MISSING = -(2**31)
"""The count that stands for *no value* in an ECG chunk (lead off, not sent)."""

Stamp = Literal["sensor", "counter", "arrival", "given"]
"""
Where an instant comes from: the camera's exposure, the board's sample counter,
the arrival of the bytes (a fallback), or a person or script that stated it.
"""

PoseState = Literal["pose", "no pose", "absent"]
"""A body was found; a picture without one; nobody for some time."""


class Frame(NamedTuple):
    """One camera picture. Never leaves the vision process."""

    sequence: int  # counts from 0 at the opening of the source
    exposed: MonotonicNs  # middle of the exposure of the first row
    received: MonotonicNs  # when the program got it
    stamp: Stamp  # "sensor", or "arrival" where the sensor's stamp failed its check
    pixels: NDArray[np.uint8]  # shape (height, width, 3), RGB, 0 to 255
    uncertainty_ns: int = 0  # half width of the interval that holds the true instant
    damaged: int = 0  # pictures since the one before that could not be read


class SerialChunk(NamedTuple):
    """Bytes that arrived together."""

    received: MonotonicNs  # right after the read returned
    data: bytes


class Segment(NamedTuple):
    """A stretch of ECG without loss of continuity, and how to read its counts."""

    id: int  # unique in the database
    session: int  # Session.id
    source: str  # "serial", "upload", "file": the stream it belongs to
    board: str  # name of the decoder, "" for an upload
    leads: tuple[str, ...]  # "I", "II", …: the columns of EcgChunk.counts
    gain: tuple[float, ...]  # counts per millivolt, one for each lead
    baseline: tuple[int, ...]  # counts at 0 mV, one for each lead
    sampling_rate_hz: float  # nominal; 0 for a board that sends at its own pace
    checked: bool  # the packets carry a checksum that was verified
    stamp: Stamp  # how its samples were dated


class EcgChunk(NamedTuple):
    """Up to one second of samples of one segment."""

    segment: int  # Segment.id
    start: BoxNs  # instant of the first sample
    period_ns: float  # between samples; 0.0 where `offsets_us` says it instead
    uncertainty_ns: int  # half width of the interval that holds the true instant
    counts: NDArray[np.int32]  # shape (samples, leads); MISSING where no value
    offsets_us: NDArray[np.uint32] | None = None  # shape (samples,), from `start`
    reasons: tuple[str, ...] = ()  # why values are missing, one a lead; "" if none


class Vital(NamedTuple):
    """One number a board or a person states, or why there is none."""

    sampled: BoxNs
    name: str  # "heart_rate", "oxygen_saturation", …: a name of VITALS
    value: float | None  # in the unit of VITALS; None with a reason
    reason: str  # "", "lead_off", "probe_off", "placeholder", "out_of_range",
    # "not_sent"; where derived: a `edge.heart.Reason`, "no pose", "too_few_poses"
    source: str  # "serial", "upload", "file", "camera"
    derived: bool = False  # computed here, not sent


VITALS: dict[str, str] = {
    "heart_rate": "bpm",
    "blood_pressure_systolic": "mmHg",
    "blood_pressure_diastolic": "mmHg",
    "oxygen_saturation": "%",
    "respiration_rate": "1/min",
    "temperature": "°C",
    "movement": "%/s",
}
"""
Name and unit of every vital; the first four are the original system's. *movement* is
how far the body's keypoints moved, in per cent of the body's size.
"""


class Pose(NamedTuple):
    """Where the body was in one frame."""

    exposed: BoxNs  # middle of the exposure
    uncertainty_ns: int  # half width of the interval that holds the true instant
    stamp: Stamp
    source: str  # "camera" or "upload"
    state: PoseState
    keypoints: NDArray[np.float32]  # shape (17, 3): x, y in pixels, score 0 to 1
    width: int  # of the upright source frame, pixels
    height: int
    rotation: int  # degrees the frame was turned clockwise to be upright
    model: str  # file name of the model
    device: str  # "cpu" or "tpu"
    inference_ms: float
    picture: str = ""  # name of an uploaded picture


class Event(NamedTuple):
    """Something a person should be able to find later."""

    began: BoxNs
    ended: BoxNs | None  # None for an instant
    kind: str  # "gap", "state", "clock step", "drop", "marker", "export", "kept", …
    stream: str  # "ecg", "camera", "pose", "clock", "store", "export", ""
    cause: str  # one sentence for people
    detail: dict[str, object] = {}  # numbers for programs, JSON types


class ClockReading(NamedTuple):
    """One line of the clock ledger: box time and UTC at the same instant."""

    session: int  # Session.id
    box: BoxNs
    utc: UtcNs
    synchronised: bool  # the kernel's clock was disciplined by a time server
    step_ns: int  # change of UTC − box since the reading before; 0 for the first


class Session(NamedTuple):
    """From one start of the recorder to its stop."""

    id: int
    boot_id: str  # the kernel's, "" where there is none
    started: BoxNs
    offset_ns: int  # box time − monotonic time, constant for the session
    version: str  # of this program
    subject: str  # a code, never a name
    configuration: str  # the settings in force, as JSON


class Kept(NamedTuple):
    """Somebody wants [*begin*, *end*) to stay, however old it gets."""

    begin: BoxNs
    end: BoxNs
    why: str  # for people


class Released(NamedTuple):
    """Somebody wants what `Kept` said taken back."""

    number: int  # as `History.kept` gives it


Record = (
    Session | Segment | EcgChunk | Vital | Pose | Event | ClockReading | Kept | Released
)
"""What the store keeps, and is told about keeping it."""


Condition = Literal["ok", "stale", "lost", "off"]
"""
Of a stream: it delivers; it is open and delivers nothing; it is not open; the
configuration has it off.
"""


class StreamState(NamedTuple):
    """How one stream does just now: what the page says of it."""

    name: str  # "ecg", "camera", "pose", "store"
    state: Condition
    since: BoxNs  # when it entered this state
    cause: str  # one sentence for people, "" when ok
    last: BoxNs | None  # instant of its newest record
    received: int  # records or samples since the session began
    dropped: int  # of them not kept: queue full, late
    damaged: int  # packets or frames refused
    detail: dict[str, object] = {}  # board, port, model, device, milliseconds, …


class BoxState(NamedTuple):
    """Everything the recorder says of itself over the control socket."""

    now: BoxNs
    session: int
    started: BoxNs
    subject: str
    recording: bool
    streams: tuple[StreamState, ...]
    saved: dict[str, int]  # samples, poses, vitals, events on the card since start
    storage: dict[str, object]  # bytes, capacity_bytes, free_bytes, hours_left
    machine: dict[str, object] = {}  # `edge.health.Health.state`
