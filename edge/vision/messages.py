"""What the recorder and its vision process say to each other."""

from typing import Literal, NamedTuple

from edge import config
from edge.pose import Estimate
from edge.records import Event, Pose
from edge.synctest import Spots

Stage = Literal[
    "load model", "open camera", "read camera", "infer", "look at upload", "idle"
]


class Orders(NamedTuple):
    """What the recorder tells a new vision process; the first message on the pipe."""

    camera: config.Camera
    pose: config.Pose
    device: Literal["cpu", "tpu"]
    offset_ns: int  # box time − monotonic time
    pause_s: float  # how long to serve uploads only after the camera failed


class Doing(NamedTuple):
    """The stage that begins now; the recorder knows how long it may take."""

    stage: Stage
    about: str = ""


class Look(NamedTuple):
    """A picture to look at: an upload."""

    number: int
    width: int
    height: int
    pixels: bytes  # RGB, height × width × 3


class Seen(NamedTuple):
    """The answer to `Look`."""

    number: int
    estimate: Estimate
    model: str
    device: str


class Watch(NamedTuple):
    """A request to follow the brightness of the picture: a sync test."""

    number: int
    seconds: float


class Watched(NamedTuple):
    """The answer to `Watch`."""

    number: int
    spots: Spots


class Over(NamedTuple):
    """Why this process will end; if the camera failed it serves uploads for a while."""

    part: Literal["camera", "model"]
    ended: bool  # a recording is over: nothing to mend
    cause: str


class Damaged(NamedTuple):
    """So many pictures of the camera could not be read."""

    pictures: int


Message = Doing | Seen | Watched | Over | Damaged | Pose | Event
"""What the vision process says."""
