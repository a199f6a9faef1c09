"""Machines made up of files, for what the doctor looks at."""

from pathlib import Path

from edge import config
from edge.control import Server
from edge.doctor import service
from edge.doctor.machine import Finding, Machine
from edge.records import BoxNs, BoxState, StreamState

STREAM = StreamState("ecg", "ok", BoxNs(1), "", BoxNs(2), 5, 0, 0)


def put(root: Path, name: str, text: str | bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def settings(root: Path, toml: str = "") -> config.Settings:
    put(root, "edge.toml", f'[box]\ndata_dir = "{root / "data"}"\n{toml}')
    return config.load(root / "edge.toml")


def levels(findings: list[Finding]) -> list[str]:
    return [finding.level for finding in findings]


class Systemd(Machine):
    """A machine whose systemctl answers *shown*."""

    def __init__(self, root: Path, shown: str) -> None:
        super().__init__(root)
        self.shown = shown

    def run(self, *command: str) -> str:
        assert command[0] == "systemctl"
        return self.shown


def install(root: Path) -> None:
    put(root, "etc/systemd/system/edge.service", "")
    put(root, "etc/passwd", "edge:x:9:9::/:\nedge-web:x:8:8::/:\n")
    put(root, "etc/group", "edge:x:9:\ndialout:x:20:edge\nvideo:x:44:\nplugdev:x:46:\n")
    put(root, service.ADDRESS, "[Socket]\nListenStream=127.0.0.1:8080\n")


def recorder(chosen: config.Settings, stream: StreamState = STREAM) -> Server:
    """Return a recorder in its seventh session, of which *stream* is all."""
    state = BoxState(BoxNs(2), 7, BoxNs(1), "", True, (stream,), {}, {})
    whole = {**state._asdict(), "streams": [stream._asdict()]}
    return Server(chosen.control_socket, {"state": lambda *_: whole})
