"""
Which serial port is which board: by names that stay when the kernel's numbers change.

``/dev/ttyUSB0`` is whoever came first. ``/dev/serial/by-id`` names the board, unless
two adapters without serial number share an id: then only one of them has a link, and
no one knows which. ``/dev/serial/by-path`` names the socket, and is the way out.
"""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from edge.errors import SourceUnavailable

ROOT = Path("/")
BY_ID = "dev/serial/by-id"
BY_PATH = "dev/serial/by-path"


class Port(NamedTuple):
    """A serial port of this moment."""

    name: str  # the one to configure: stays with the board or with the socket
    device: str  # "/dev/ttyUSB0"
    identity: str  # "0403:6001 A10K3XYZ if00": vendor, product, serial number; or ""


def find_port(name: str, root: Path = ROOT) -> Port:
    """
    Return the one port that *name* means: a path, with ``*`` where it may vary, or an
    address like ``loop://``. *root* is where dev and sys are.

    :raises SourceUnavailable: if there is none, or more than one, or if its name does
        not tell it from another one, or cannot be followed
    """
    if "://" in name:
        return Port(name, name, "")
    try:
        found = {path.resolve(): path for path in matches(name, root) if path.exists()}
    except (OSError, RuntimeError, ValueError) as error:  # no right, a loop, "**x"
        raise SourceUnavailable(
            f"the serial port {name} cannot be looked for: {error}; set ecg.port to a "
            "name in /dev/serial/by-id"
        ) from error
    if not found:
        raise SourceUnavailable(f"no serial port {name}: plug the board in{hint(root)}")
    if len(found) > 1:
        names = ", ".join(sorted(map(str, found.values())))
        raise SourceUnavailable(f"{name} means {names}: set ecg.port to one of them")
    (device, path), *_ = found.items()
    port = Port(str(path), str(device), identity(device, root))
    refuse_twins(port, root)
    return port


def matches(name: str, root: Path) -> list[Path]:
    """Return the paths that *name* means, whether they lead anywhere or not."""
    relative = name.lstrip("/")
    if "*" not in name:
        return [root / relative]
    try:
        return sorted(root.glob(relative))
    except FileNotFoundError:  # the last board was pulled, and udev removed the folder
        return []


def links(name: str, root: Path) -> dict[Path, Path]:
    """Return the links that *name* means by what they lead to."""
    found = {}
    for link in matches(name, root):
        with suppress(FileNotFoundError):  # removed between two looks at it
            found[link.resolve()] = link
    return found


def refuse_twins(port: Port, root: Path) -> None:
    """Refuse a name that another board might just as well have."""
    if not port.identity or not port.name.startswith(str(root / BY_ID)):
        return
    twins = [other for other in list_ports(root) if other.identity == port.identity]
    if len(twins) > 1:
        names = ", ".join(sorted(twin.name for twin in twins))
        raise SourceUnavailable(
            f"two boards call themselves {port.identity}: "
            f"set ecg.port to the socket it is in, one of {names}"
        )


def list_ports(root: Path = ROOT) -> list[Port]:
    """Return every USB serial port, each by the best name it has."""
    identities = {
        device: identity(device, root)
        for pattern in ("ttyUSB*", "ttyACM*")
        for device in matches(f"dev/{pattern}", root)
    }
    ids, paths = links(f"{BY_ID}/*", root), links(f"{BY_PATH}/*", root)
    ports = []
    for device, text in identities.items():
        unique = list(identities.values()).count(text) == 1
        name = ids.get(device) if unique else None
        ports.append(Port(str(name or paths.get(device, device)), str(device), text))
    return ports


def identity(device: Path, root: Path = ROOT) -> str:
    """Return what *device* says it is on the USB, "" where it is not on it."""
    try:
        place = (root / "sys/class/tty" / device.name / "device").resolve(strict=True)
    except OSError:
        return ""
    interface = ""
    for folder in (place, *place.parents):
        interface = interface or read(folder / "bInterfaceNumber")
        if (folder / "idVendor").exists():
            kind = f"{read(folder / 'idVendor')}:{read(folder / 'idProduct')}"
            words = (kind, read(folder / "serial"), interface and f"if{interface}")
            return " ".join(word for word in words if word)
    return ""


def read(path: Path) -> str:
    """Return the text in a file of sysfs, "" where there is none."""
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""


def hint(root: Path) -> str:
    """Return the ports there are, for the end of a sentence."""
    names = ", ".join(port.name for port in list_ports(root))
    return f", or set ecg.port to one of {names}" if names else ""
