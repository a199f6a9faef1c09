"""What the electrodes and cuffs of a simulated board are on: a drawn patient."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.patient.heart import beat_times, ecg_mv, heart_rate_bpm, noise_mv, rhythm
from edge.pulses import NS_A_SECOND, Pulses, on

BEATS_AHEAD_S = 60.0  # how far beats are computed at a time
VITALS_WANDER_S = 90.0  # pressure and saturation go up and down once in that time
SYNC_PULSE_MV = 2.0  # in leads I and III, twice that in II; well above an R peak


class Samples(NamedTuple):
    """n samples of a patient, as a board takes them before it packs them."""

    number: NDArray[np.int64]  # shape (n,): counted since the board was switched on
    millivolts: NDArray[np.float64]  # shape (n, 3): leads I, II, III
    seconds: NDArray[np.float64]  # shape (n,): by the board's clock since then
    heart_rate: float  # bpm
    systolic: float  # mmHg
    diastolic: float  # mmHg
    saturation: float  # %


class Subject:
    """
    Patient *seed*, whose heart has its second 0 at *born_ns*; with *sync* a pulse is
    added to its ECG, as a test generator between the electrodes would.
    """

    def __init__(self, seed: int, born_ns: int, sync: Pulses | None = None) -> None:
        self.born_ns = born_ns
        self.heart = rhythm(seed)
        self._seed = seed
        self._sync = sync
        self._beats = np.empty(0)

    def samples(
        self, number: NDArray[np.int64], times: NDArray[np.int64], rate_hz: float
    ) -> Samples:
        """Return samples *number* taken at *times*, `MonotonicNs`, at least one."""
        seconds = (times - self.born_ns) / NS_A_SECOND
        millivolts = self._ecg(seconds)
        millivolts += noise_mv(number, seconds, self.heart, self._seed)
        if self._sync is not None:
            pulse = on(self._sync, times)[:, np.newaxis] * SYNC_PULSE_MV
            millivolts += pulse * [1, 2, 1]
        last = float(seconds[-1])
        wave = float(np.sin(2 * np.pi * last / VITALS_WANDER_S))
        return Samples(
            number,
            millivolts,
            number / rate_hz,
            heart_rate=heart_rate_bpm(last, self.heart),
            systolic=121 + 6 * wave,
            diastolic=77 + 3 * wave,
            saturation=97.4 + 0.8 * wave,
        )

    def _ecg(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        known = self._beats
        if not len(known) or seconds[0] < known[1] or seconds[-1] > known[-2]:
            ahead = float(seconds[-1]) + BEATS_AHEAD_S
            self._beats = beat_times(float(seconds[0]) - 3, ahead, self.heart)
        return ecg_mv(seconds, self._beats)
