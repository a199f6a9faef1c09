"""
One TOML file to frozen dataclasses, all mistakes reported at once.

`config/edge.toml` is default, schema and manual: the classes below have its keys and
values, and a test holds the two together. Units are in the keys.
"""

import difflib
import ipaddress
import json
import math
import os
import re
import tomllib
import zoneinfo
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from edge.errors import ConfigError

INSTALLED = Path("/etc/ecg-pose-edge/edge.toml")
"""Where `scripts/install` puts the settings, and the units read them."""

LONGEST_SOCKET_BYTES = 107
"""What the kernel takes for the path of a socket (sun_path in unix(7))."""

LONGEST_SHOWN = 200
"""Characters of a wrong value that are repeated."""

UNSEEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))
"""What the units are kept from, or see another of (ProtectHome=, PrivateTmp=)."""

Check = Callable[[Any], str]
"""Returns what is wrong with a value, "" if nothing is."""


def one_of(*allowed: Any) -> Check:
    """Accept the values *allowed*."""
    words = ", ".join(json.dumps(value) for value in allowed)
    return lambda value: "" if value in allowed else f"must be one of {words}"


def between(low: float, high: float, unit: str = "") -> Check:
    """Accept numbers from *low* to *high*, both included."""
    text = f"must be {low:g} to {high:g} {unit}".rstrip()
    return lambda value: "" if low <= value <= high else text


def even(value: int) -> str:
    """Accept what the camera accepts: even numbers of pixels."""
    return "" if 16 <= value <= 4608 and value % 2 == 0 else "must be even, 16 to 4608"


def subject_code(value: str) -> str:
    """Accept a code that cannot carry a name with blanks or a path."""
    fine = re.fullmatch(r"[A-Za-z0-9_-]{0,32}", value)
    return "" if fine else "must be up to 32 letters, digits, '-' or '_'"


def age_key(value: str) -> str:
    """Accept a public key of age, or none."""
    fine = re.fullmatch(r"age1[02-9ac-hj-np-z]{58}", value)
    return "" if fine or not value else "must be a public key of age: age1…"


def time_zone(value: str) -> str:
    """Accept a zone of the time zone database."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return 'must be a zone such as "UTC" or "Europe/Berlin"'
    return ""


def ip_address(value: str) -> str:
    """Accept what a socket unit of systemd does, an address, and localhost."""
    if value == "localhost":
        return ""
    with suppress(ValueError):
        if not getattr(ipaddress.ip_address(value), "scope_id", None):
            return ""
    return 'must be an address such as "127.0.0.1", "0.0.0.0" for all, or "::"'


def part_of_frame(value: tuple[float, ...]) -> str:
    """Accept left, top, width and height of a part of a frame, as fractions."""
    if not value:
        return ""
    wrong = "must be [] or left, top, width, height as in [0.25, 0.0, 0.5, 1.0]"
    if len(value) != 4:
        return wrong
    left, top, width, height = value
    inside = left >= 0 and top >= 0 and left + width <= 1 and top + height <= 1
    return "" if inside and min(width, height) >= 0.05 else f"{wrong}, inside 0 to 1"


def setting(default: Any, check: Check) -> Any:
    """Return a dataclass field with *default* whose value must pass *check*."""
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True)
class Box:
    """The box itself."""

    data_dir: Path = Path("/var/lib/ecg-pose-edge")
    subject: str = setting("", subject_code)
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
    commit_interval_ms: int = setting(500, between(100, 900, "ms"))


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
    settings = anchored(read_sections(table, mistakes), path.parent)
    return settings, mistakes + too_deep(settings)


def refuse(path: Path, mistakes: list[str]) -> None:
    """
    Accept the file *path* if it has no *mistakes*.

    :raises ConfigError: otherwise; one line each
    """
    if mistakes:
        raise ConfigError("\n".join(f"{path}: {mistake}" for mistake in mistakes))


def read_sections(table: dict[str, Any], mistakes: list[str]) -> Settings:
    """Return the settings in *table*; what is wrong is added to *mistakes*."""
    sections = {entry.name: entry for entry in fields(Settings)}
    found = {}
    for name, content in table.items():
        if name not in sections:
            mistakes.append(f"[{name}] is unknown{nearest(name, sections)}")
        elif not isinstance(content, dict):
            mistakes.append(f"{name} must be a section: write [{name}]")
        else:
            found[name] = read_keys(sections[name].type, name, content, mistakes)
    return Settings(**found)


def read_keys(
    kind: Any, section: str, table: dict[str, Any], mistakes: list[str]
) -> Any:
    """Return one section's dataclass *kind*."""
    known = {entry.name: entry for entry in fields(kind)}
    values = {}
    for key, value in table.items():
        where = f"[{section}] {key}"
        if key not in known:
            mistakes.append(f"{where} is unknown{nearest(key, known)}")
            continue
        converted, wrong = convert(known[key].type, value)
        check = known[key].metadata.get("check")
        wrong = wrong or (check(converted) if check else "")
        if wrong:
            mistakes.append(f"{where} = {shown(value)}: {wrong}")
        else:
            values[key] = converted
    return kind(**values)


KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "must be text in quotes"),
    Path: ((str,), "must be a path in quotes"),
    bool: ((bool,), "must be true or false"),
    int: ((int,), "must be a whole number"),
    float: ((int, float), "must be a number"),
    tuple[str, ...]: ((list,), 'must be a list of texts such as ["a", "b"]'),
    tuple[float, ...]: ((list,), "must be a list of numbers such as [0.5, 1.0]"),
}
ENTRIES: dict[Any, Any] = {tuple[str, ...]: str, tuple[float, ...]: float}
"""Of which kind the entries of a list are."""


def convert(kind: Any, value: Any) -> tuple[Any, str]:
    """Return *value* as *kind* and "", or what it should have been."""
    accepted, wrong = KINDS[kind]
    if not isinstance(value, accepted) or (
        isinstance(value, bool) and kind is not bool
    ):
        return value, wrong
    if isinstance(value, list):
        entries = [convert(ENTRIES[kind], entry) for entry in value]
        fine = all(not mistake for _, mistake in entries)
        return tuple(entry for entry, _ in entries), "" if fine else wrong
    return as_float(value) if kind is float else kind(value), ""


def as_float(value: Any) -> float:
    """Return *value*, infinite where it is a whole number beyond all others."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value > 0 or -1)


def shown(value: Any) -> str:
    """Return *value* as it may have been written, not all of what is very long."""
    try:
        text = json.dumps(value, default=str)
    except ValueError:  # a number of thousands of digits
        return "a huge number"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def nearest(name: str, known: dict[str, Any]) -> str:
    """Return a hint at the name that was probably meant."""
    close = difflib.get_close_matches(name, known, 1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def too_deep(settings: Settings) -> list[str]:
    """Return the mistake of a data folder in which no socket has room for its path."""
    excess = len(os.fsencode(settings.control_socket)) - LONGEST_SOCKET_BYTES
    if excess <= 0:
        return []
    folder = settings.box.data_dir
    most = len(os.fsencode(folder)) - excess
    must = f"must have at most {most} bytes, for the control socket in it"
    return [f"[box] data_dir: the path {folder} {must}"]


def unseen_by_units(folder: Path) -> str:
    """Return why the installed units can never use *folder*, "" if they may well."""
    for path in (folder, folder.resolve()):
        for hidden in UNSEEN:
            if path.is_relative_to(hidden):
                return f"the service cannot see {folder}, as nothing below {hidden}"
    return ""


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


def path_from(folder: Path, text: str) -> str:
    """Return the path *text* from *folder* on; none, and an address, stays."""
    return str(folder / text) if text and "://" not in text else text
