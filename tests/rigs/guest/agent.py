"""
Does in the virtual machine what the test outside asks, over a virtio port.

One line of JSON each way. ``{"sh": command, "timeout_s": …}`` runs a shell command;
``{"ask": request}`` puts a request to the recorder, which a command would take seconds
for under emulation.
"""

import json
import socket
import subprocess
import sys
from io import RawIOBase
from pathlib import Path

PORT = "/dev/virtio-ports/rig"
CONTROL = "/var/lib/ecg-pose-edge/control.sock"


def shell(command: str, timeout_s: float) -> dict[str, object]:
    """Run *command* and return its code and output."""
    try:
        done = subprocess.run(
            ["bash", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return {"code": 124, "output": (error.output or b"").decode(errors="replace")}
    return {"code": done.returncode, "output": done.stdout.decode(errors="replace")}


def ask(request: dict[str, object]) -> dict[str, object]:
    """Return the recorder's answer, or its silence as an error."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(CONTROL)
            stream = client.makefile("rwb")
            stream.write(json.dumps(request).encode() + b"\n")
            stream.flush()
            line = stream.readline() or b'{"error": "closed"}'
            answer: dict[str, object] = json.loads(line)
            return answer
    except (OSError, ValueError) as error:
        return {"error": str(error)}


def say(port: RawIOBase, line: bytes) -> None:
    """Write all of *line*: the kernel takes 32 KiB of it at a time."""
    while line:
        line = line[port.write(line) or 0 :]


def main() -> int:
    """Answer until the port is closed."""
    with Path(PORT).open("r+b", buffering=0) as port:
        port.write(b'{"ready": true}\n')
        line = b""
        while True:
            line += port.read(65536) or b""
            while b"\n" in line:
                first, _, line = line.partition(b"\n")
                request = json.loads(first)
                if "ask" in request:
                    answer = ask(request["ask"])
                else:
                    answer = shell(request["sh"], request["timeout_s"])
                say(port, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
