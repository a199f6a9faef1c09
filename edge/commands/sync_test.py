"""
`edge sync-test`: how far apart picture and ECG are stamped, measured.

A light in the picture and a pulse on the ECG input must switch together. On the box
one pin drives both: as an LED of the kernel (on a Raspberry Pi the overlay
``gpio-led``), whose name ``--led`` takes. Without it somebody else must switch them.
"""

import argparse
import json
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge import commands, config
from edge.control import Client
from edge.errors import ControlError, SourceUnavailable

LEDS = Path("/sys/class/leds")
ON_S = 0.2
PERIOD_S = (0.9, 1.3)
"""Random, so that the frames fall on ever other parts of the pulses."""
ANSWER_S = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the recorder, how long, and the LED."""
    add = parser.add_argument
    commands.take_config(parser)
    add(
        "--for",
        dest="seconds",
        type=commands.seconds,
        default=40.0,
        metavar="S",
        help="default: 40; longer is more exact",
    )
    add("--led", metavar="NAME", help=f"of {LEDS}: light and pulse are driven by it")
    add("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Run the test in the recorder and print what it found."""
    client = Client(config.load(arguments.config).control_socket)
    led = Led(LEDS / arguments.led) if arguments.led else None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as for Ctrl-C
    number = client.ask("sync_begin", seconds=arguments.seconds)["number"]
    try:
        found = await_result(client, led, arguments.seconds)
    finally:
        client.close()  # an answer may be under way
        with suppress(ControlError):  # there is nothing to give up any more
            client.ask("sync_cancel", number=number)
    print(json.dumps(found) if arguments.json else as_text(found))
    return 0


def await_result(client: Client, led: "Led | None", seconds: float) -> dict[str, Any]:
    """
    Return what the test found, which lasts *seconds*; *led* is switched meanwhile.

    :raises SourceUnavailable: if the camera sends nothing, or *led* cannot be switched
    """
    deadline = time.monotonic() + seconds + ANSWER_S
    while (found := client.ask("sync_result")).get("pending"):
        if time.monotonic() > deadline:
            raise SourceUnavailable("the camera sends no pictures; see 'edge status'")
        if led is None:
            time.sleep(0.5)
        else:
            led.pulse()
    return found


class Led:
    """
    A pin that the kernel drives as an LED, below */sys/class/leds*.

    :raises SourceUnavailable: if there is none, or it may not be switched
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "brightness"
        self._dice = random.Random()
        self._write("0")

    def pulse(self) -> None:
        """Switch it on for a moment, and wait for the next."""
        self._write("1")
        try:
            time.sleep(ON_S)
        finally:
            self._write("0")
        time.sleep(self._dice.uniform(*PERIOD_S) - ON_S)

    def _write(self, text: str) -> None:
        try:
            self._file.write_text(text)
        except OSError as error:
            raise SourceUnavailable(
                f"cannot switch {self._file}: {error.strerror}; is the overlay "
                "gpio-led in config.txt, and may this user write the file?"
            ) from error


def as_text(found: dict[str, Any]) -> str:
    """Return the result for people."""
    later = "later" if found["offset_ms"] > 0 else "earlier"
    return (
        f"the picture is stamped {abs(found['offset_ms']):.1f} ms {later} than the ECG "
        f"(±{found['uncertainty_ms']:.1f} ms, jitter {found['jitter_ms']:.1f} ms; "
        f"the ECG's own stamps ±{found['ecg_uncertainty_ms']:.1f} ms)\n"
        f"{found['pulses']} pulses, {found['frames']} frames, light at "
        f"{found['light_x']}, {found['light_y']} px\n"
        f"To take it out: [camera] latency_ms += {found['offset_ms']:.1f}"
    )
