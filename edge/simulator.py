"""
A simulated ECG board on a real pseudo-terminal, in real time, with the truth beside it.

What reads it cannot tell it from a board by its bytes: packets leave a line of the
board's baud rate, arrive in bursts as a USB adapter hands them over, cut anywhere;
what nobody reads in time is lost. Beside it lies what no board gives: the true
instant of every sample. The physical side (pulling the cable, a stuck hub) is in
verbs that a test can call.

Not reproduced: the baud rate set by the reader (a pseudo-terminal only stores it),
modem lines, the low-latency switch, the radio between a Cyton and its dongle, an
adapter handing over early because its 62 bytes are full, bit errors in a packet.
"""

import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edge.encoders import WIRES, Samples
from edge.errors import ConfigError
from edge.patient.heart import beat_times, ecg_mv, heart_rate_bpm, noise_mv, rhythm
from edge.pseudoterminal import Line
from edge.pulses import NS_A_SECOND, Pulses, on

FTDI_BURST_MS = 16.0  # the latency timer an FTDI adapter starts with
BITS_A_BYTE = 10  # on a serial line: start, eight, stop
LONGEST_BACKLOG_S = 5.0  # older samples are lost when the machine was asleep
BEATS_AHEAD_S = 60.0  # how far beats are computed at a time
SYNC_PULSE_MV = 2.0  # in leads I and III; well above an R peak


class Tally(NamedTuple):
    """Counts since the board was made."""

    samples: int  # taken by the board, sent or not
    lost: int  # of them not sent: `loss`, muted, the machine asleep
    written_bytes: int  # taken by the pseudo-terminal
    dropped_bytes: int  # refused by it: the reader is too slow
    unheard_bytes: int  # nobody had the port open


class Truth(NamedTuple):
    """Samples the board took in one burst; one line of the truth file."""

    run: int  # how often the board was switched on or reset before
    first: int  # number of the first one since then, from 0
    counter: int  # of the first one, as sent
    samples: int  # how many
    sampled_ns: int  # true `MonotonicNs` of the first one
    period_ns: float  # true interval between them
    lost: list[int]  # those not sent, counted from the first one
    dropped_bytes: int  # so far, as in Tally
    unheard_bytes: int


def read_truth(path: Path) -> list[Truth]:
    """Return the lines of a truth file; one torn at its end is left out."""
    lines = path.read_text().split("\n")[:-1]
    return [Truth(**json.loads(line)) for line in lines]


class SimulatedBoard:
    """
    An ECG board of patient *seed* at the pseudo-terminal that *link* names.

    *board* is a name of `edge.encoders.WIRES`; *rate_hz* 0 means the board's own.
    Bytes arrive every *burst_ms*; the board's clock is fast by *drift_ppm*; the share
    *loss* of its packets never arrives; with *obey* it is silent until it is sent
    ``b``, stops at ``s`` and resets at ``v``. *sync* puts a pulse into the ECG.
    A line of JSON for each burst goes to *truth* (`read_truth`).

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
        seed: int = 1,
        burst_ms: float = FTDI_BURST_MS,
        drift_ppm: float = 0.0,
        loss: float = 0.0,
        obey: bool = False,
        sync: Pulses | None = None,
        truth: Path | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        _check(board, rate_hz, burst_ms, loss)
        self.link = link
        self.wire = WIRES[board]
        self.rate_hz = rate_hz or self.wire.sampling_rate_hz
        self.period_ns = NS_A_SECOND / self.rate_hz / (1 + drift_ppm * 1e-6)
        self.heart = rhythm(seed)
        self.seed = seed
        self.loss = loss
        self.obey = obey
        self.sync = sync
        self.born_ns = clock()  # second 0 of the heart
        self._clock = clock
        self._burst_ns = round(burst_ms * 1e6)
        self._byte_ns = BITS_A_BYTE * NS_A_SECOND / self.wire.baud
        self._chance = random.Random(seed)
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._truth: IO[str] | None = truth.open("w") if truth else None
        self._line: Line | None = None
        self._beats = np.empty(0)
        self._tally = Tally(0, 0, 0, 0, 0)
        self._run = -1
        self._muted = False
        self._stalled_until_ns = 0
        self._streaming = False
        self._powered_ns = self.born_ns
        self._taken = 0
        self._queue = bytearray()  # on the line, not yet with the reader
        self._line_free_ns = 0.0

    # The product's side

    @property
    def tally(self) -> Tally:
        """Return what was taken, sent and lost so far."""
        with self._lock:
            return self._tally

    def run(self, stopping: threading.Event) -> None:
        """Be a board until *stopping* is set: wake at every burst, on the dot."""
        while True:
            now = self._clock()
            burst = (now // self._burst_ns + 1) * self._burst_ns
            if stopping.wait((burst - now) / NS_A_SECOND):
                return
            self.step()

    def step(self) -> None:
        """Take, pack and hand over all that is due at the latest burst."""
        with self._lock:
            now = self._clock() // self._burst_ns * self._burst_ns
            self._hear()
            if self._line is not None:
                self._take(now)
                self._hand_over(now)

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
            target=self.run, args=(self._stopping,), name="simulated board"
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
            self._line = Line(self.link)
            self._switch_on(self._clock())

    def unplug(self) -> None:
        """Pull the cable: the port and its link are gone, the board is dark."""
        with self._lock:
            if self._line is not None:
                self._line.close()
                self._line = None

    def mute(self, muted: bool = True) -> None:
        """Cut the data wire: the board goes on, its bytes reach nobody."""
        with self._lock:
            self._muted = muted

    def stall(self, seconds: float) -> None:
        """Stop the USB host for *seconds*; all that was sent then comes at once."""
        with self._lock:
            self._stalled_until_ns = self._clock() + round(seconds * NS_A_SECOND)

    def babble(self, count: int) -> None:
        """Put *count* random bytes on the line, as a bad contact does."""
        with self._lock:
            self._send(self._chance.randbytes(count), self._clock())

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
        self._queue.clear()
        self._line_free_ns = float(now)
        self._send(self.wire.banner, now)

    def _hear(self) -> None:
        """Act on the commands that the reader has sent."""
        for command in self._line.read() if self._line else b"":
            if not self.obey:
                continue
            if command == ord("b"):
                self._streaming = True
            elif command == ord("s"):
                self._streaming = False
            elif command == ord("v"):
                self._switch_on(self._clock())

    def _take(self, now: int) -> None:
        """Take the samples due by *now* and put their packets on the line."""
        due = int((now - self._powered_ns) // self.period_ns) + 1
        if due <= self._taken:
            return
        first, self._taken = self._taken, due
        number = np.arange(first, due)
        times = self._powered_ns + np.rint(number * self.period_ns).astype(np.int64)
        sent = self._arriving(times, now)
        for packet, instant in zip(
            self.wire.encode(self._samples(number[sent], times[sent])),
            times[sent].tolist(),
            strict=True,
        ):
            self._send(packet, instant)
        lost = np.flatnonzero(~sent)
        self._count(samples=len(number), lost=len(lost))
        self._log(first, int(times[0]), len(number), lost.tolist())

    def _arriving(self, times: NDArray[np.int64], now: int) -> NDArray[np.bool_]:
        """Return which of the samples taken at *times* are sent at all."""
        if self._muted or not self._streaming:
            return np.zeros(len(times), bool)
        chance = np.array([self._chance.random() for _ in times])
        return (chance >= self.loss) & (now - times < LONGEST_BACKLOG_S * NS_A_SECOND)

    def _samples(self, number: NDArray[np.int64], times: NDArray[np.int64]) -> Samples:
        seconds = (times - self.born_ns) / NS_A_SECOND
        millivolts = self._ecg(seconds) + noise_mv(
            number, seconds, self.heart, self.seed
        )
        if self.sync is not None:
            pulse = on(self.sync, times)[:, None] * SYNC_PULSE_MV
            millivolts = millivolts + pulse * [1, 2, 1]
        last = float(seconds[-1]) if len(seconds) else 0.0
        slow = float(np.sin(2 * np.pi * last / 90))  # vitals wander over minutes
        return Samples(
            number,
            millivolts,
            number / self.rate_hz,
            heart_rate_bpm(last, self.heart),
            systolic=121 + 6 * slow,
            diastolic=77 + 3 * slow,
            saturation=97.4 + 0.8 * slow,
        )

    def _ecg(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(seconds):
            return np.empty((0, 3))
        if not len(self._beats) or seconds[-1] > self._beats[-2]:
            ahead = float(seconds[-1]) + BEATS_AHEAD_S
            self._beats = beat_times(float(seconds[0]) - 3, ahead, self.heart)
        return ecg_mv(seconds, self._beats)

    def _send(self, data: bytes, instant: int) -> None:
        """Put *data* on the line at *instant*, behind what is still leaving it."""
        begins = max(self._line_free_ns, instant)
        self._line_free_ns = begins + len(data) * self._byte_ns
        self._queue += data

    def _hand_over(self, now: int) -> None:
        """Give the reader every byte that has left the line by *now*."""
        if now < self._stalled_until_ns or self._line is None:
            return
        leaving = int(np.ceil(max(0.0, self._line_free_ns - now) / self._byte_ns))
        whole = max(0, len(self._queue) - leaving)
        data = bytes(self._queue[:whole])
        del self._queue[:whole]
        if not self._line.heard:
            self._count(unheard_bytes=len(data))
            return
        written = self._line.write(data)
        self._count(written_bytes=written, dropped_bytes=len(data) - written)

    def _count(self, **more: int) -> None:
        sums = {name: getattr(self._tally, name) + n for name, n in more.items()}
        self._tally = self._tally._replace(**sums)

    def _log(self, first: int, sampled: int, samples: int, lost: list[int]) -> None:
        if self._truth is None:
            return
        modulus = self.wire.counter_modulus
        block = Truth(
            run=self._run,
            first=first,
            counter=first % modulus if modulus else 0,
            samples=samples,
            sampled_ns=sampled,
            period_ns=self.period_ns,
            lost=lost,
            dropped_bytes=self._tally.dropped_bytes,
            unheard_bytes=self._tally.unheard_bytes,
        )
        self._truth.write(json.dumps(block._asdict()) + "\n")
        self._truth.flush()


def _check(board: str, rate_hz: float, burst_ms: float, loss: float) -> None:
    if board not in WIRES:
        known = ", ".join(sorted(WIRES))
        raise ConfigError(f"no simulated board {board!r}; known are {known}")
    if not 0 <= rate_hz <= 10_000:
        raise ConfigError(f"a sampling rate of {rate_hz} Hz: 0 to 10000 is possible")
    if not 1 <= burst_ms <= 10_000:
        raise ConfigError(f"bursts every {burst_ms} ms: 1 to 10000 is possible")
    if not 0 <= loss <= 1:
        raise ConfigError(f"a loss of {loss}: it is a share, 0 to 1")
