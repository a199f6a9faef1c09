"""
One TOML file to frozen dataclasses, all mistakes reported at once.

`config/edge.toml` is default, schema and manual: the classes below have its keys and
values, and a test holds the two together. Units are in the keys.
"""

import json
import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge.config.checks import (
    age_key,
    between,
    code,
    even,
    ip_address,
    one_of,
    part_of_frame,
    time_zone,
)
from edge.config.places import path_from, too_deep
from edge.config.places import unseen_by_units as unseen_by_units
from edge.config.tables import read_sections, setting
from edge.errors import ConfigError

INSTALLED = Path("/etc/ecg-pose-edge/edge.toml")
"""Where `scripts/install` puts the settings, and the units read them."""


@dataclass(frozen=True)
class Box:
    """The box itself."""

    data_dir: Path = Path("/var/lib/ecg-pose-edge")
    name: str = setting("", code)
    subject: str = setting("", code)
    time_zone: str = setting("UTC", time_zone)


@dataclass(frozen=True)
class Camera:
    """Where frames come from."""

    source: str = setting(
        "picamera", one_of("picamera", "video", "synthetic", "replay", "none")
    )
    device: str = ""
    width_px: int = setting(640, even)
    height_px: int = setting(480, even)
    rate_hz: float = setting(15.0, between(0.1, 120, "Hz"))
    slowest_rate_hz: float = setting(10.0, between(0.1, 120, "Hz"))
    tuning: str = ""
    rotation_deg: int = setting(0, one_of(0, 90, 180, 270))
    find_rotation: bool = True
    region: tuple[float, ...] = setting((), part_of_frame)
    latency_ms: float = setting(0.0, between(-1000, 1000, "ms"))


@dataclass(frozen=True)
class Pose:
    """What looks for the body."""

    model: str = "movenet_lightning_int8.tflite"
    tpu_model: str = "movenet_single_pose_lightning_ptq_edgetpu.tflite"
    device: str = setting("auto", one_of("auto", "tpu", "cpu"))
    tpu_library: str = "libedgetpu.so.1"
    threads: int = setting(2, between(1, 16))


@dataclass(frozen=True)
class Ecg:
    """Where ECG and vitals come from."""

    source: str = setting("serial", one_of("serial", "replay", "none"))
    port: str = "/dev/serial/by-id/*"
    board: str = setting(
        "csv",
        one_of(
            "csv",
            "healthypi",
            "healthypi3",
            "healthypi5",
            "healthypi5-batches",
            "openbci-cyton",
            "openbci-cyton-daisy",
            "olimex",
            "olimex-125",
            "bitalino",
        ),
    )
    baud: int = setting(0, between(0, 4_000_000, "bit/s"))
    leads: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    latency_ms: float = setting(0.0, between(-1000, 1000, "ms"))
    file: str = ""


@dataclass(frozen=True)
class Store:
    """What is kept."""

    capacity_gb: float = setting(16.0, between(0.005, 100_000, "GB"))
    retention_h: float = setting(1440.0, between(0.01, 1_000_000, "h"))
    ballast_mb: float = setting(16.0, between(0, 10_000, "MB"))
    commit_interval_ms: int = setting(900, between(100, 900, "ms"))


@dataclass(frozen=True)
class Join:
    """How poses find their ECG."""

    tolerance_ms: float = setting(1000.0, between(0, 3_600_000, "ms"))


@dataclass(frozen=True)
class Export:
    """What leaves on a USB drive."""

    key: str = setting("", age_key)


@dataclass(frozen=True)
class Web:
    """The page."""

    host: str = setting("127.0.0.1", ip_address)
    port: int = setting(8080, between(1, 65535))
    tls: bool = False
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """The whole file."""

    box: Box = Box()
    camera: Camera = Camera()
    pose: Pose = Pose()
    ecg: Ecg = Ecg()
    store: Store = Store()
    join: Join = Join()
    export: Export = Export()
    web: Web = Web()

    @property
    def database(self) -> Path:
        """The recording."""
        return self.box.data_dir / "recording.db"

    @property
    def control_socket(self) -> Path:
        """Where the recorder listens for the page and for commands."""
        return self.box.data_dir / "control.sock"

    def as_json(self) -> str:
        """Return the settings in force, for the session's row and the manifest."""
        return json.dumps(asdict(self), default=str, sort_keys=True)


def load(path: Path) -> Settings:
    """
    Return the settings of the file *path*.

    :raises ConfigError: if it cannot be read or has mistakes; one line each
    """
    settings, mistakes = read(path)
    refuse(path, mistakes)
    return settings


def read(path: Path) -> tuple[Settings, list[str]]:
    """
    Return the settings of the file *path* and its mistakes, with defaults for these.

    :raises ConfigError: if it cannot be read
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # as Windows writes
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from error
    mistakes: list[str] = []
    settings = anchored(read_sections(Settings, table, mistakes), path.parent)
    return settings, mistakes + too_deep(settings.control_socket)


def refuse(path: Path, mistakes: list[str]) -> None:
    """
    Accept the file *path* if it has no *mistakes*.

    :raises ConfigError: otherwise; one line each
    """
    if mistakes:
        raise ConfigError("\n".join(f"{path}: {mistake}" for mistake in mistakes))


def anchored(settings: Settings, folder: Path) -> Settings:
    """Return *settings* with relative paths starting at *folder*."""
    start = folder.resolve()
    camera, pose, ecg = settings.camera, settings.pose, settings.ecg
    if camera.source in ("video", "replay"):  # of others it is a number, or words
        camera = replace(camera, device=path_from(start, camera.device))
    model, tpu_model, library = (
        path_from(start, text) if "/" in text else text  # a name is looked for
        for text in (pose.model, pose.tpu_model, pose.tpu_library)
    )
    pose = replace(pose, model=model, tpu_model=tpu_model, tpu_library=library)
    port, file = (path_from(start, text) for text in (ecg.port, ecg.file))
    return replace(
        settings,
        box=replace(settings.box, data_dir=start / settings.box.data_dir),
        camera=camera,
        pose=pose,
        ecg=replace(ecg, port=port, file=file),
    )
