"""The schedule that lamp and sync pulse share."""

import numpy as np
import pytest

from edge.errors import ConfigError
from edge.pulses import Pulses, every, on, share
from edge.records import MonotonicNs

SECOND = 1_000_000_000
PULSES = Pulses(2 * SECOND, SECOND // 5, MonotonicNs(700_000_000))


def test_on_is_a_fifth_of_a_second_from_each_begin() -> None:
    begin = 700_000_000 + 2 * SECOND * 12_345
    instants = begin + np.array([-1, 0, SECOND // 5 - 1, SECOND // 5, SECOND])

    assert on(PULSES, instants).tolist() == [False, True, True, False, False]


def test_share_is_the_mean_of_on() -> None:
    """Against a count in steps of 10 µs, over intervals drawn with seed 5."""
    draw = np.random.default_rng(5)
    for began in draw.integers(0, 20 * SECOND, 50):
        length = int(draw.integers(1, 300)) * 1_000_000
        steps = np.arange(began, began + length, 10_000)
        counted = on(PULSES, steps).mean()
        assert share(PULSES, int(began), int(began) + length) == pytest.approx(
            counted, abs=0.02
        )


def test_two_that_know_the_period_alone_agree() -> None:
    assert every(5.0) == every(5.0)
    assert every(0.0) is None


@pytest.mark.parametrize(("period", "width"), [(0.1, 0.2), (-1.0, 0.2), (1.0, 0.0)])
def test_impossible_pulses_are_refused(period: float, width: float) -> None:
    with pytest.raises(ConfigError):
        every(period, width)
