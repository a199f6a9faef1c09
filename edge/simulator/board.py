"""The simulated board itself: samples, packets, bursts, and what can go wrong."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from edge.pulses import NS_A_SECOND, Pulses
from edge.simulator.encoders import WIRES
from edge.simulator.line import BITS_A_BYTE, Line, Port
from edge.simulator.subject import Subject
from edge.simulator.truth import Truth, TruthFile

FTDI_BURST_MS = 16.0  # the latency timer an FTDI adapter starts with
LONGEST_BACKLOG_S = 5.0  # older samples are lost when the machine was asleep
FULL_LINE = 0.98  # share of the baud rate that packets may take


class Tally(NamedTuple):
    """Counts since the board was made."""

    samples: int = 0  # taken by the board, sent or not
    lost: int = 0  # of them not sent: `loss`, muted, stopped, the machine asleep
    written_bytes: int = 0  # taken by the pseudo-terminal
    dropped_bytes: int = 0  # refused by it: the reader is too slow
    unheard_bytes: int = 0  # nobody had the port open


class SimulatedBoard:
    """
    An ECG board of patient *seed* at the pseudo-terminal that *link* names.

    *board* is a name of `edge.simulator.encoders.WIRES`; *rate_hz* and *baud* 0 mean
    the board's own. Bytes arrive every *burst_ms*; the board's clock is fast by
    *drift_ppm*; the share *loss* of its packets never arrives; with *obey* it is
    silent until it is sent ``b``, stops at ``s`` and resets at ``v``. *sync* puts a
    pulse into the ECG. A line for each burst goes to the file *truth*.

    As a context manager it is plugged in and runs in a thread. Without, call `plug`
    and then `run`, or `step` by hand with a *clock* of your own: nothing sleeps.

    :raises ConfigError: if a setting is impossible
    """

    def __init__(
        self,
        link: Path,
        board: str = "openbci-cyton",
        *,
        rate_hz: float = 0.0,
        baud: int = 0,
        seed: int = 1,
        burst_ms: float = FTDI_BURST_MS,
        drift_ppm: float = 0.0,
        loss: float = 0.0,
        obey: bool = False,
        sync: Pulses | None = None,
        truth: Path | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        _check(
            board,
            rate_hz=rate_hz,
            baud=baud,
            seed=seed,
            burst_ms=burst_ms,
            drift_ppm=drift_ppm,
            loss=loss,
        )
        self.link = link
        self.wire = WIRES[board]
        self.rate_hz = rate_hz or self.wire.sampling_rate_hz
        self.baud = baud or self.wire.baud
        self.period_ns = NS_A_SECOND / self.rate_hz / (1 + drift_ppm * 1e-6)
        self.loss = loss
        self.obey = obey
        self.subject = Subject(seed, clock(), sync)
        self._check_speed()
        self._clock = clock
        self._burst_ns = round(burst_ms * 1e6)
        self._chance = random.Random(seed)
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._truth = TruthFile(truth) if truth else None
        self._port: Port | None = None
        self._tally = Tally()
        self._muted = False
        self._stalled_until_ns = 0
        self._run = -1  # counts from the first plugging in
        self._line = Line(self.baud)
        self._powered_ns = self._taken = 0
        self._streaming = False

    # The product's side

    @property
    def tally(self) -> Tally:
        """Return what was taken, sent and lost so far."""
        with self._lock:
            return self._tally

    def run(self, ended: Callable[[float], bool]) -> None:
        """
        Be a board: wake at every burst, on the dot, until *ended*, which is given the
        seconds to wait, returns true.
        """
        while True:
            now = self._clock()
            burst = (now // self._burst_ns + 1) * self._burst_ns
            if ended((burst - now) / NS_A_SECOND):
                return
            self.step()

    def step(self) -> None:
        """Take, pack and hand over all that is due at the latest burst."""
        with self._lock:
            now = self._clock() // self._burst_ns * self._burst_ns
            if self._port is not None:
                self._hear(self._port.read())
                self._sample(now)
                self._hand_over(self._port, now)

    def close(self) -> None:
        """Stop the thread, remove the link. Safe to call twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.unplug()
        if self._truth is not None:
            self._truth.close()
            self._truth = None

    def __enter__(self) -> Self:
        self.plug()
        self._thread = threading.Thread(
            target=self.run, args=(self._stopping.wait,), name="simulated board"
        )
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # The physical side

    def plug(self, link: Path | None = None) -> None:
        """
        Plug the cable in; the port appears, under *link* if another name is wanted.
        A board lives on USB power, so it starts anew, its counter at 0.

        :raises SourceUnavailable: if something that is no link has that name
        """
        with self._lock:
            self.unplug()
            self.link = link or self.link
            self._port = Port(self.link)
            self._switch_on(self._clock())

    def unplug(self) -> None:
        """Pull the cable: the port and its link are gone, the board is dark."""
        with self._lock:
            if self._port is not None:
                self._port.close()
                self._port = None

    def mute(self, muted: bool = True) -> None:
        """Cut the data wire, or mend it: the board goes on, its bytes reach nobody."""
        with self._lock:
            self._muted = muted

    def stall(self, seconds: float) -> None:
        """Stop the USB host for *seconds*; all that was sent then comes at once."""
        with self._lock:
            self._stalled_until_ns = self._clock() + round(seconds * NS_A_SECOND)

    def babble(self, count: int) -> None:
        """Put *count* random bytes on the line, as a bad contact does."""
        with self._lock:
            self._line.send(self._chance.randbytes(count), self._clock())

    def restart(self, after_s: float = 0.5) -> None:
        """Reset the board: dark for *after_s*, then its banner and a counter from 0."""
        with self._lock:
            self._switch_on(self._clock() + round(after_s * NS_A_SECOND))

    # Inside

    def _switch_on(self, now: int) -> None:
        self._powered_ns = now
        self._run += 1
        self._taken = 0
        self._streaming = not self.obey
        self._line = Line(self.baud)
        self._line.send(self.wire.banner, now)

    def _hear(self, commands: bytes) -> None:
        """Act on what the reader has sent."""
        for command in commands.decode("latin-1") if self.obey else "":
            if command in "bs":
                self._streaming = command == "b"
            elif command == "v":
                self._switch_on(self._clock())

    def _sample(self, now: int) -> None:
        """Take the samples due by *now* and put their packets on the line."""
        due = int((now - self._powered_ns) // self.period_ns) + 1
        if due <= self._taken:
            return
        number = np.arange(self._taken, due)
        self._taken = due
        times = self._powered_ns + np.rint(number * self.period_ns).astype(np.int64)
        sent = self._arriving(times, now)
        if sent.any():
            samples = self.subject.samples(number[sent], times[sent], self.rate_hz)
            packets = self.wire.encode(samples)
            for packet, instant in zip(packets, times[sent].tolist(), strict=True):
                self._line.send(packet, instant)
        self._count(samples=len(number), lost=len(number) - int(sent.sum()))
        self._log(int(number[0]), int(times[0]), ~sent)

    def _arriving(self, times: NDArray[np.int64], now: int) -> NDArray[np.bool_]:
        """Return which of the samples taken at *times* are sent at all."""
        if self._muted or not self._streaming:
            return np.zeros(len(times), bool)
        chance = np.array([self._chance.random() for _ in times])
        return (chance >= self.loss) & (now - times < LONGEST_BACKLOG_S * NS_A_SECOND)

    def _hand_over(self, port: Port, now: int) -> None:
        """Give the reader every byte that has left the line by *now*."""
        if now < self._stalled_until_ns:
            return
        data = self._line.take(now)
        if not port.heard:
            self._count(unheard_bytes=len(data))
            return
        written = port.write(data)
        self._count(written_bytes=written, dropped_bytes=len(data) - written)

    def _count(self, **more: int) -> None:
        sums = {name: getattr(self._tally, name) + n for name, n in more.items()}
        self._tally = self._tally._replace(**sums)

    def _log(self, first: int, sampled_ns: int, lost: NDArray[np.bool_]) -> None:
        if self._truth is None:
            return
        modulus = self.wire.counter_modulus
        truth = Truth(
            run=self._run,
            first=first,
            counter=first % modulus if modulus else 0,
            samples=len(lost),
            sampled_ns=sampled_ns,
            period_ns=self.period_ns,
            lost=np.flatnonzero(lost).tolist(),
            dropped_bytes=self._tally.dropped_bytes,
            unheard_bytes=self._tally.unheard_bytes,
        )
        self._truth.append(truth)

    def _check_speed(self) -> None:
        """Refuse packets that do not fit the line, which would fall behind for ever."""
        born = np.array([self.subject.born_ns])
        samples = self.subject.samples(np.array([0]), born, self.rate_hz)
        (packet,) = self.wire.encode(samples)
        fits_hz = FULL_LINE * self.baud / BITS_A_BYTE / len(packet)
        if self.rate_hz > fits_hz:
            raise ConfigError(
                f"{self.rate_hz:g} packets of {len(packet)} bytes a second do not fit"
                f" {self.baud} bit/s: at most {fits_hz:.0f}, or raise the baud rate"
            )


def _check(board: str, **settings: float) -> None:
    if board not in WIRES:
        known = ", ".join(sorted(WIRES))
        raise ConfigError(f"no simulated board {board!r}; known are {known}")
    for name, value in settings.items():
        low, high = POSSIBLE[name]
        if not low <= value <= high:
            text = (
                f"{name.replace('_', ' ')} {value:g}: {low:g} to {high:g} is possible"
            )
            raise ConfigError(text)


POSSIBLE = {
    "rate_hz": (0, 10_000),
    "baud": (0, 4_000_000),
    "seed": (0, 2**32),
    "burst_ms": (1, 10_000),
    "drift_ppm": (-10_000, 10_000),
    "loss": (0, 1),
}
"""The settings of a board, lowest and highest."""
