"""The truth file of a simulated board: when each of its samples was really taken."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError


class Truth(NamedTuple):
    """Samples the board took in one burst; one line of JSON in the truth file."""

    run: int  # how often the board was switched on or reset before
    first: int  # number of the first one since then, from 0
    counter: int  # of the first one, as sent
    samples: int  # how many
    sampled_ns: int  # true `MonotonicNs` of the first one
    period_ns: float  # true interval between them
    lost: list[int]  # those not sent, counted from the first one
    dropped_bytes: int  # so far, as in Tally
    unheard_bytes: int

    def times(self) -> NDArray[np.int64]:
        """Return the true `MonotonicNs` of every sample, sent or not."""
        after = np.rint(np.arange(self.samples) * self.period_ns).astype(np.int64)
        return np.asarray(self.sampled_ns + after)


class TruthFile:
    """
    Writes a truth file, each line at once: a killed board leaves it whole.

    :raises ConfigError: if it cannot be opened
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("w", buffering=1)
        except OSError as error:
            text = f"the truth file {path} cannot be written: {error.strerror}"
            raise ConfigError(text) from error

    def append(self, truth: Truth) -> None:
        """Write one line."""
        self._file.write(json.dumps(truth._asdict()) + "\n")

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()


def read_truth(path: Path) -> list[Truth]:
    """Return the lines of a truth file; one torn at its end is left out."""
    lines = path.read_text().split("\n")[:-1]
    return [Truth(**json.loads(line)) for line in lines]
