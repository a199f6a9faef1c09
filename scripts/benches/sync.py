"""
How true the device clock is, beside liblsl's de-jitter and plain arrival stamps.

The same simulated arrivals with known true instants go through all three. Errors are
around a constant: ours around the delay the simulation gives every sample, the peers'
around their own median, which they are thus forgiven.

EDGE_SYNC_MINUTES (20) is the length of each scenario, EDGE_SYNC_SEED (1) its dice.
"""

import os
import tempfile
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.dating.deviceclock import DeviceClock
from edge.records import MonotonicNs
from scripts.benches import Row
from scripts.benches._arrivals import Arrivals, Scenario, simulate

MINUTES = float(os.environ.get("EDGE_SYNC_MINUTES", "20"))
SEED = int(os.environ.get("EDGE_SYNC_SEED", "1"))
SETTLED_S = 240.0
"""From the fifth minute on."""

CHUNK_S = 0.4
"""The recorder dates samples in chunks of this length, when their last has come."""

MODULUS = 256
MS = 1e6
Errors = NDArray[np.float64]


class Figures(NamedTuple):
    """Of one scenario, from the fifth minute on, in milliseconds."""

    median: float
    p99: float
    uncertainty: float  # median
    covered: float  # share of samples whose error is within their uncertainty
    early_covered: float  # the same before the fifth minute


SCENARIOS = [
    Scenario(rate, burst, ppm, minutes=MINUTES)
    for rate, burst, ppm in product((125, 250, 500), (1, 4, 16, 64), (200, -200))
]

OTHERS = {
    "crystal 50 ppm off": Scenario(250, 16, 50, minutes=MINUTES),
    "crystal 20 ppm off": Scenario(250, 16, 20, minutes=MINUTES),
    "crystal 3 ppm off": Scenario(250, 16, 3, minutes=MINUTES),
    "256 Hz": Scenario(256, 16, 30, minutes=MINUTES),
    "handed over at once": Scenario(250, 0, 30, minutes=MINUTES),
    "stalls of 1 to 5 s": Scenario(250, 16, 200, minutes=MINUTES, stall_s=(1, 5)),
    "reads 3 ms late": Scenario(250, 16, 200, minutes=MINUTES, jitter_ms=3),
    "host clock slewed": Scenario(250, 16, 30, minutes=MINUTES, slew=(600, 60, 500)),
}
"""Beyond the promise: what is known of them is told, no bar is held to them."""


def rows() -> list[Row]:
    """Return the figures of all scenarios, and their worst against the bars."""
    ours, lsl, plain, helped = [], [], [], []
    found: list[Row] = []
    with Dejitter() as dejitter:
        for scenario in SCENARIOS:
            arrivals = simulate(scenario, SEED)
            figures = device_clock(arrivals)
            given = stamped_on_arrival(arrivals)
            peer = forgiven(dejitter.stamps(scenario, arrivals, given) - came(arrivals))
            ours.append(figures)
            lsl.append(peer)
            plain.append(forgiven(given - came(arrivals)))
            given = stamped_back(arrivals)
            back = dejitter.stamps(scenario, arrivals, given) - came(arrivals)
            helped.append(forgiven(back))
            found.append(scenario_row(scenario, figures, peer))
    found += worst(ours, lsl, plain, helped)
    found += [row for name, one in OTHERS.items() for row in other_rows(name, one)]
    return found


def scenario_row(scenario: Scenario, ours: Figures, peer: float) -> Row:
    """Return the row of one scenario: the 99th percentile beside liblsl's."""
    name = (
        f"{scenario.rate_hz:g} Hz, {scenario.burst_ms:g} ms bursts, "
        f"{scenario.ppm:+g} ppm: p99"
    )
    ratio = peer / ours.p99
    return Row(name, ours.p99, peer, ratio, "ms", 1, "ratio >= 3", ratio >= 3)


def worst(
    ours: list[Figures], lsl: list[float], plain: list[float], helped: list[float]
) -> list[Row]:
    """Return the worst of all scenarios against each bar."""
    small = [
        figures
        for figures, scenario in zip(ours, SCENARIOS, strict=True)
        if scenario.burst_ms <= 16
    ]
    covered = min(figures.covered for figures in ours)
    early = min(figures.early_covered for figures in ours)
    padding = max(figures.uncertainty / figures.median for figures in ours)

    def least(peers: list[float]) -> float:
        pairs = zip(ours, peers, strict=True)
        return min(peer / figures.p99 for figures, peer in pairs)

    return [
        at_most(
            "worst median, bursts to 16 ms", max(f.median for f in small), 0.3, "ms"
        ),
        at_most("worst p99, bursts to 16 ms", max(f.p99 for f in small), 1.5, "ms"),
        at_least("least p99 of liblsl / ours", least(lsl), 3, ""),
        at_least(
            "least p99 of liblsl, reads stamped back / ours", least(helped), 1, ""
        ),
        at_least("least p99 of arrival stamps / ours", least(plain), 3, ""),
        at_least("least share within the uncertainty", covered, 0.95, ""),
        at_least("the same before the fifth minute", early, 0.95, ""),
        at_most("worst median uncertainty / median error", padding, 3, ""),
    ]


def at_most(name: str, value: float, bar: float, unit: str) -> Row:
    """Return a row whose value may not exceed *bar*."""
    return Row(name, value, None, None, unit, 1, f"<= {bar:g}", value <= bar)


def at_least(name: str, value: float, bar: float, unit: str) -> Row:
    """Return a row whose value may not be less than *bar*."""
    return Row(name, value, None, None, unit, 1, f">= {bar:g}", value >= bar)


def other_rows(name: str, scenario: Scenario) -> list[Row]:
    """Return what is known of a scenario without bars."""
    figures = device_clock(simulate(scenario, SEED))
    return [
        Row(f"{name}: p99", figures.p99, None, None, "ms", 1),
        Row(f"{name}: median uncertainty", figures.uncertainty, None, None, "ms", 1),
        Row(f"{name}: within the uncertainty", figures.covered, None, None, "", 1),
    ]


def came(arrivals: Arrivals) -> Errors:
    """Return the true instant of each sample that came."""
    return arrivals.truth[arrivals.came]


def device_clock(arrivals: Arrivals) -> Figures:
    """Return the figures of the device clock, called as by the recorder."""
    clock = DeviceClock(1e9 / arrivals.period_ns, MODULUS)
    counter = arrivals.came % MODULUS
    chunk = max(1, round(CHUNK_S * 1e9 / arrivals.period_ns))
    dated = np.full(len(arrivals.truth), np.nan)
    unsure = np.full(len(arrivals.truth), np.nan)
    begin, first, shift = 0, 0, int(arrivals.came[0])
    for received, stop in zip(
        arrivals.received.tolist(), arrivals.stops.tolist(), strict=True
    ):
        seen = clock.observe(counter[begin:stop], MonotonicNs(received))
        newest = int(seen.indices[-1])
        begin = stop
        while newest - first >= chunk:
            timing = clock.stamp(first)
            places = slice(first + shift, first + shift + chunk)
            dated[places] = timing.start + np.arange(chunk) * timing.period_ns
            unsure[places] = timing.uncertainty_ns
            first += chunk
    return figures_of(arrivals, dated, unsure)


def figures_of(arrivals: Arrivals, dated: Errors, unsure: Errors) -> Figures:
    """Return the figures of the samples that came and were *dated*."""
    places = arrivals.came[~np.isnan(dated[arrivals.came])]
    error = np.abs(dated[places] - arrivals.truth[places]) / MS
    sure = unsure[places] / MS
    settled = settled_of(arrivals, places)
    return Figures(
        float(np.median(error[settled])),
        float(np.quantile(error[settled], 0.99)),
        float(np.median(sure[settled])),
        float((error <= sure)[settled].mean()),
        float((error <= sure)[~settled].mean()),
    )


def settled_of(arrivals: Arrivals, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the samples *places* are of the fifth minute or later."""
    settled: NDArray[np.bool_] = (
        arrivals.truth[places] - arrivals.truth[0] >= SETTLED_S * 1e9
    )
    return settled


def forgiven(error: Errors) -> float:
    """Return the p99 in ms of the last samples' *error* around its own median."""
    late = error[-round(len(error) * (1 - SETTLED_S / (MINUTES * 60))) :]
    return float(np.quantile(np.abs(late - np.median(late)), 0.99)) / MS


def stamped_on_arrival(arrivals: Arrivals) -> Errors:
    """Return the arrival of each sample that came: that of the read that brought it."""
    counts = np.diff(arrivals.stops, prepend=0)
    return np.repeat(arrivals.received, counts).astype(np.float64)


def stamped_back(arrivals: Arrivals) -> Errors:
    """Return each sample's stamp where a read's arrival is its newest sample's."""
    counts = np.diff(arrivals.stops, prepend=0)
    newest = np.repeat(arrivals.came[arrivals.stops - 1], counts)
    behind = (newest - arrivals.came) * arrivals.period_ns
    return stamped_on_arrival(arrivals) - behind


class Dejitter:
    """liblsl's own de-jitter: an outlet and an inlet in this process, over loopback."""

    BLOCK = 1000
    CONFIGURATION = (
        "[ports]\nIPv6 = disable\n[multicast]\nResolveScope = machine\n"
        "ListenAddress = 127.0.0.1\n[log]\nlevel = -2\n"
    )

    def __enter__(self) -> "Dejitter":
        """Make liblsl keep to this machine, before it is loaded."""
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "lsl_api.cfg"
        path.write_text(self.CONFIGURATION)
        os.environ["LSLAPICFG"] = str(path)
        return self

    def __exit__(self, *exc: object) -> None:
        self._folder.cleanup()

    def stamps(self, scenario: Scenario, arrivals: Arrivals, given: Errors) -> Errors:
        """
        Return the de-jittered stamp of each sample that came with the stamp *given*.

        As liblsl demands, lost samples are counted: each is sent with the stamp of the
        next one that came.
        """
        follower = np.searchsorted(arrivals.came, np.arange(len(arrivals.truth)))
        all_given = given[np.minimum(follower, len(given) - 1)]
        return self._through(scenario, all_given / 1e9)[arrivals.came] * 1e9

    def _through(self, scenario: Scenario, given: Errors) -> Errors:
        import pylsl

        name = (
            f"edge-{os.getpid()}-{scenario.rate_hz}-{scenario.burst_ms}-{scenario.ppm}"
        )
        info = pylsl.StreamInfo(name, "ECG", 1, scenario.rate_hz, "float32", name)
        outlet = pylsl.StreamOutlet(info)
        (found, *_) = pylsl.resolve_byprop("source_id", name, timeout=10)
        inlet = pylsl.StreamInlet(found, processing_flags=pylsl.proc_dejitter)
        inlet.open_stream(timeout=10)
        answer: list[float] = []
        for begin in range(0, len(given), self.BLOCK):
            block = given[begin : begin + self.BLOCK]
            outlet.push_chunk(np.zeros((len(block), 1), np.float32), block.tolist())
            answer += self._pulled(inlet, len(block))
        inlet.close_stream()
        return np.array(answer)

    def _pulled(self, inlet: Any, count: int) -> list[float]:
        stamps: list[float] = []
        while len(stamps) < count:
            _, more = inlet.pull_chunk(timeout=10.0, max_samples=count - len(stamps))
            if not more:
                raise RuntimeError("liblsl delivered nothing for ten seconds")
            stamps += more
        return stamps
