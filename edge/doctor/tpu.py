"""The Edge TPU: device, library, runtime and power have to fit; and the models."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge.config import Settings
from edge.doctor.machine import Finding, Machine
from edge.edgetpu import DPKG_STATUS, installed_library, misfit
from edge.errors import ModelError
from edge.models import (
    DEFAULT,
    EDGE_TPU_LIBRARY,
    THUNDER,
    Device,
    find_model,
    read_checked,
)

FRESH, LOADED = "1a6e:089a", "18d1:9302"
"""USB ids of a Coral before and after it has taken its firmware."""

FOLDERS = ("usr/lib", "usr/lib/*-linux-gnu", "usr/local/lib")
"""Where the system looks for a library."""
PACKAGE = "install the libedgetpu1-std package that systemd/README.md names"
FETCH = "scripts/fetch-models && sudo scripts/install"
MENDS = {
    DEFAULT: "sudo scripts/install",
    THUNDER: "scripts/build-model --thunder && sudo scripts/install",
}
"""By model: what brings it to the box."""
FULL_SUPPLY_MA = 5000
"""A Raspberry Pi 5 gives its USB ports 600 mA unless its supply says 5 A; a Coral
takes up to 900."""


def check(settings: Settings, machine: Machine) -> list[Finding]:
    """Return the findings on models and the Edge TPU."""
    cpu = model(settings.pose.model, "cpu")
    if settings.pose.device == "cpu":
        return [cpu, Finding("tpu", "ok", "switched off in the configuration")]
    present = {FRESH, LOADED} & set(machine.usb())
    if not present:
        return [cpu, absent()]
    wanted = settings.pose.tpu_library
    same = wanted == EDGE_TPU_LIBRARY
    pair = [library(machine) if same else chosen_library(wanted), *power(machine)]
    pair.append(model(settings.pose.tpu_model, "tpu"))
    return [cpu, Finding("tpu", "ok", f"plugged in ({', '.join(present)})"), *pair]


def absent() -> Finding:
    """Say that the CPU does the work."""
    return Finding(
        "tpu",
        "warning",
        "no Edge TPU is plugged in: the processor finds the pose, more slowly",
        'plug it in, or set [pose] device = "cpu"',
    )


def library(machine: Machine) -> Finding:
    """Compare the delegate library with the runtime, as the recorder does."""
    installed = installed_library(machine.root / str(DPKG_STATUS).lstrip("/"))
    runtime = inference_runtime()
    by_hand = any(machine.glob(f"{folder}/{EDGE_TPU_LIBRARY}") for folder in FOLDERS)
    if not installed and not by_hand:
        return Finding("tpu", "fault", "libedgetpu is not installed", PACKAGE)
    if why := misfit(installed, runtime):
        return Finding("tpu", "fault", why, PACKAGE)
    which = installed or "of no package"
    return Finding("tpu", "ok", f"libedgetpu {which} with {runtime}")


def chosen_library(name: str) -> Finding:
    """Say which library the configuration has instead of the system's."""
    if "/" in name and not Path(name).exists():
        mend = "set [pose] tpu_library to one that is, or leave it out"
        return Finding("tpu", "fault", f"the library {name} is not there", mend)
    return Finding("tpu", "ok", f"{name} with {inference_runtime()}, as configured")


def inference_runtime() -> str:
    """Return name and version of the runtime."""
    for name in ("ai-edge-litert", "tflite-runtime"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "no runtime"


def power(machine: Machine) -> list[Finding]:
    """Compare the supply of a Raspberry Pi 5 with what a Coral takes."""
    raw = machine.root / "proc/device-tree/chosen/power"
    try:
        supply_ma = int.from_bytes((raw / "max_current").read_bytes()[:4], "big")
        raised = any((raw / "usb_max_current_enable").read_bytes())
    except OSError:
        return []
    if supply_ma >= FULL_SUPPLY_MA or raised:
        return [Finding("tpu", "ok", f"the supply gives {supply_ma} mA")]
    return [
        Finding(
            "tpu",
            "warning",
            f"the supply gives {supply_ma} mA, USB gets 600 of it: too little for it",
            "use a supply of 5 V and 5 A, or a hub with its own",
        )
    ]


def model(name: str, device: Device) -> Finding:
    """Find and check one model file."""
    part = "model" if device == "cpu" else "tpu model"
    try:
        path = find_model(name)
        read_checked(path, device, None)
    except ModelError as error:
        return Finding(part, "fault", str(error), MENDS.get(name, FETCH))
    return Finding(part, "ok", f"{path.name}, its sum is known")
