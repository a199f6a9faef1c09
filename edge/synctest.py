"""
How far apart picture and ECG really are: a light and a voltage that switch together.

A light in the picture and a pulse on the ECG input are driven by the same pin (or by
the same schedule, where patient and board are simulated). `LightMeter` follows the
brightness of the picture, `ecg_pulses` finds the edges in the ECG, and `compare` says
by how much their stamps differ. Of the picture only the brightness of some spots is
kept, no picture.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.records import BoxNs, Frame

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000

BLOCK_PX = 16
SPOTS = 64
"""The picture is taken in blocks; of so many, those that change most, all is kept."""

RISE_NS = 12 * MS_NS
"""An edge of the pulse takes no longer, whatever filters the board has."""

STEEP = 0.65
"""Steps of more than this share of the largest are edges: more than an R wave's."""

SHORTEST_NS = 50 * MS_NS
ALIKE = 0.2
"""A pulse is longer, an R wave is not; pulses differ in length by less than this share,
or an edge was missed."""

FEWEST_PULSES = 8
LARGEST_LAG_NS = SECOND_NS
LAG_STEP_NS = 10 * MS_NS
LEAST_LIKENESS = 0.5
"""Correlation of a spot's brightness with the pulses, below which it is no light."""

RAMPS_NS = np.array([0, 5, 10, 20, 30, 40, 60, 80]) * float(MS_NS)
"""So long may the light seem to take to switch: an exposure, and jitter."""

PARTS = 8
"""The pulses are dealt out to so many tests, whose results say how sure the whole is.
Twice the standard error holds the truth in nine of ten simulated minutes."""

TINY = 1e-9

Times = NDArray[np.int64]


class Spots(NamedTuple):
    """The brightness of some spots of the picture, frame by frame."""

    exposed: Times  # BoxNs, shape (frames,)
    levels: NDArray[np.float32]  # 0 to 255, shape (frames, spots)
    places: NDArray[np.int64]  # middle of each spot, x and y in pixels, (spots, 2)


class LightMeter:
    """Follows the brightness of the picture for *seconds* from the first frame on."""

    def __init__(self, seconds: float) -> None:
        self._lasts_ns = round(seconds * SECOND_NS)
        self._exposed: list[int] = []
        self._levels: list[NDArray[np.float32]] = []

    def feed(self, frame: Frame, exposed: BoxNs) -> Spots | None:
        """Take a frame; return what was seen once the time is over."""
        height, width = frame.pixels.shape[0] // BLOCK_PX, frame.pixels.shape[1]
        width //= BLOCK_PX
        green = frame.pixels[: height * BLOCK_PX, : width * BLOCK_PX, 1]
        blocks = green.reshape(height, BLOCK_PX, width, BLOCK_PX)
        self._levels.append(blocks.mean(axis=(1, 3), dtype=np.float32).ravel())
        self._exposed.append(exposed)
        if exposed - self._exposed[0] < self._lasts_ns:
            return None
        levels = np.stack(self._levels)
        kept = np.argsort(levels.var(axis=0))[-SPOTS:]
        y, x = np.divmod(kept, width)
        places = np.stack([x, y], axis=1) * BLOCK_PX + BLOCK_PX // 2
        return Spots(np.array(self._exposed, np.int64), levels[:, kept], places)


class Pulses(NamedTuple):
    """Pulses found in the ECG, in order: arrays of shape (pulses,)."""

    begins: Times  # BoxNs
    ends: Times
    sampled_ns: float  # between two samples: an edge is known no better


def ecg_pulses(times: Times, millivolts: NDArray[np.float64]) -> Pulses:
    """
    Return the pulses in the ECG: *times* of shape (samples,) and *millivolts* of shape
    (samples, leads), NaN where there is no value.

    :raises InputError: if there are fewer than eight
    """
    if len(times) < 3 or np.isnan(millivolts).all():
        raise InputError("there is no ECG to look for pulses in")
    sampled_ns = float(np.median(np.diff(times)))
    reach = max(1, round(RISE_NS / sampled_ns))
    steps = np.nan_to_num(millivolts[reach:] - millivolts[:-reach])
    steps[times[reach:] - times[:-reach] > 2 * RISE_NS] = 0  # across a gap
    lead = int(np.quantile(np.abs(steps), 0.995, axis=0).argmax())
    values, step = millivolts[:, lead], steps[:, lead]
    least = STEEP * float(np.quantile(np.abs(step), 0.995))
    begins = _edges(times, values, step, reach, least)
    ends = _edges(times, -values, -step, reach, least)
    pairs = _pairs(begins, ends) if least else []
    if len(pairs) < FEWEST_PULSES:
        raise InputError(
            f"{len(pairs)} pulses in the ECG, at least {FEWEST_PULSES} are needed: is "
            "the pin connected to the ECG input, and the test long enough?"
        )
    starts, ends = np.array(pairs, np.int64).T
    return Pulses(starts, ends, sampled_ns)


def _edges(
    times: Times,
    values: NDArray[np.float64],
    step: NDArray[np.float64],
    reach: int,
    least: float,
) -> list[int]:
    """Return when *values* cross the middle of each rise of more than *least*."""
    steep = step > least
    firsts = np.flatnonzero(steep & ~np.append(False, steep[:-1]))
    stops = np.flatnonzero(steep & ~np.append(steep[1:], False)) + 1
    found = []
    for first, stop in zip(firsts.tolist(), stops.tolist(), strict=True):
        top = first + int(step[first:stop].argmax())
        half = (values[top] + values[top + reach]) / 2
        over = top + int((values[top : top + reach + 1] >= half).argmax())
        part = (half - values[over - 1]) / (values[over] - values[over - 1])
        found.append(round(times[over - 1] + part * (times[over] - times[over - 1])))
    return found


def _pairs(begins: list[int], ends: list[int]) -> list[tuple[int, int]]:
    """Return each beginning with the end that follows it, of pulses long enough."""
    pairs: list[tuple[int, int]] = []
    for begin in begins:
        end = next((end for end in ends if end > begin), None)
        if end is None or end - begin < SHORTEST_NS:
            continue
        if pairs and pairs[-1][1] == end:  # an R wave before the end
            continue
        pairs.append((begin, end))
    usual = float(np.median([end - begin for begin, end in pairs])) if pairs else 0.0
    return [pair for pair in pairs if abs(pair[1] - pair[0] - usual) < ALIKE * usual]


class Comparison(NamedTuple):
    """What a sync test found, in milliseconds."""

    offset_ms: float  # stamp of the light − stamp of the pulse: the picture is later
    uncertainty_ms: float  # twice the standard error, of parts of the test
    jitter_ms: float  # rms of what frames exposed while the light switched differ by
    pulses: int
    frames: int
    light_x: int  # where the light was seen, pixels
    light_y: int


def compare(spots: Spots, pulses: Pulses) -> Comparison:
    """
    Return how much later the light is stamped than the pulses.

    :raises InputError: if no spot of the picture switches as the pulses do, or there
        are too few pictures in which it does
    """
    spot, lag = find_light(spots, pulses)
    switched = share_switched(spots, spot, pulses, lag)
    offset, jitter = fit(switched, pulses.sampled_ns)
    parts = [fit(part, pulses.sampled_ns)[0] for part in dealt_out(switched)]
    x, y = spots.places[spot].tolist()
    return Comparison(
        offset / MS_NS,
        2 * float(np.std(parts, ddof=1)) / PARTS**0.5 / MS_NS,
        jitter / MS_NS,
        len(pulses.begins),
        len(spots.exposed),
        x,
        y,
    )


def find_light(spots: Spots, pulses: Pulses) -> tuple[int, int]:
    """
    Return the spot whose brightness follows the pulses best, and by what lag roughly.

    :raises InputError: if none does
    """
    spacing = np.diff(pulses.begins)
    most = min(LARGEST_LAG_NS, int(np.median(spacing)) // 2)
    lags = np.arange(-most, most + 1, LAG_STEP_NS)
    lit = np.stack([_lit(spots.exposed, pulses, int(lag)) for lag in lags])
    likeness = _normal(lit.astype(np.float64)) @ _normal(spots.levels.T).T
    best = np.unravel_index(likeness.argmax(), likeness.shape)
    if likeness[best] < LEAST_LIKENESS:
        raise InputError(
            "no spot of the picture switches as the pulses do: is the light in view, "
            "and does the same pin drive it?"
        )
    return int(best[1]), int(lags[best[0]])


def _normal(rows: NDArray[np.float64] | NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each row with mean 0 and length 1, or 0 if it is constant."""
    centred = rows - rows.mean(axis=1, keepdims=True, dtype=np.float64)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    normal: NDArray[np.float64] = centred / np.maximum(length, 1e-9)
    return normal


def _lit(exposed: Times, pulses: Pulses, lag: int) -> NDArray[np.bool_]:
    """Return which instants lie in a pulse that is put off by *lag*."""
    place = np.searchsorted(pulses.begins, exposed - lag, side="right") - 1
    inside = exposed - lag < pulses.ends[np.maximum(place, 0)]
    return (place >= 0) & inside


class Switched(NamedTuple):
    """Frames near an edge, rising or falling: arrays of shape (frames,)."""

    away: NDArray[np.float64]  # from the edge to the exposure, ns
    share: NDArray[np.float64]  # of the light that is as after the edge, 0 to 1
    pulse: NDArray[np.int64]  # number of the pulse whose edge it is


def share_switched(spots: Spots, spot: int, pulses: Pulses, lag: int) -> Switched:
    """Return how far the light of *spot* had switched in the frames near an edge."""
    lit, level = _lit(spots.exposed, pulses, lag), spots.levels[:, spot]
    dark, bright = np.median(level[~lit]), np.median(level[lit])
    share = np.clip((level - dark) / (bright - dark), 0, 1)
    width = int(np.median(pulses.ends - pulses.begins))
    half = min(width, int(np.median(np.diff(pulses.begins))) - width) // 2
    parts = []
    for edges, after in ((pulses.begins, share), (pulses.ends, 1 - share)):
        place = np.searchsorted(edges, spots.exposed - lag - half)
        place = np.minimum(place, len(edges) - 1)
        away = spots.exposed - edges[place]
        near = np.abs(away - lag) < half
        parts.append((away[near].astype(np.float64), after[near], place[near]))
    return Switched(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def dealt_out(switched: Switched) -> list[Switched]:
    """
    Return the frames of every eighth pulse, eight times.

    :raises InputError: if there are pulses without frames, and too few others
    """
    part = switched.pulse % PARTS
    if len(np.unique(part)) < PARTS:
        raise InputError(
            "too few pictures while the light switched; make a longer test"
        )
    return [
        Switched(*(column[part == number] for column in switched))
        for number in range(PARTS)
    ]


def fit(switched: Switched, sampled_ns: float) -> tuple[float, float]:
    """
    Return the delay at which the light has switched by half, and the jitter, in ns.

    The share is fitted with a ramp by least squares. It rises for as long as a frame is
    exposed and as the edge of the pulse is uncertain, at least *sampled_ns*: frames
    between dark and bright tell the delay far better than those before and after.
    """
    widths = np.hypot(RAMPS_NS, sampled_ns)[:, None]
    middle, reach = float(np.median(switched.away)), float(np.ptp(switched.away)) / 2
    for step in (LAG_STEP_NS / 2, LAG_STEP_NS / 20):
        delays = np.arange(middle - reach, middle + reach + step, step)
        errors = [_errors(switched, delay, widths) for delay in delays]
        misfits = np.array([np.square(error).sum(axis=1) for error in errors])
        best = misfits.min(axis=1)
        alike = np.flatnonzero(best <= best.min() * (1 + 4 / len(switched.away)) + TINY)
        middle, reach = float(delays[alike[[0, -1]]].mean()), 2.5 * LAG_STEP_NS
    width = float(widths[misfits[best.argmin()].argmin(), 0])
    inside = np.abs(switched.away - middle) < width / 2
    away = width * _errors(switched, middle, np.array([[width]]))[0, inside]
    return middle, float(np.sqrt(np.mean(away**2))) if inside.any() else 0.0


def _errors(
    switched: Switched, delay: float, widths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what ramps about *delay* differ by from what was seen: (ramps, frames)."""
    ramps = np.clip(0.5 + (switched.away - delay) / widths, 0, 1)
    errors: NDArray[np.float64] = ramps - switched.share
    return errors
