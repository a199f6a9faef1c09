"""
Beats found on the annotated records beside the project, and what they cost.

MIT-BIH 100, 105 (noisy) and 119 (ventricular beats), first lead: sensitivity and
positive predictivity in per cent, a beat counting as found within 150 ms. The first and
the last second are left out, for all. Peers see the whole record at once (sleepecg,
XQRS of wfdb, neurokit2); ours is fed half a second at a time and decides within 5.5 s.
The peer's figure is that of the best of them, for this figure alone.

The constants of ours were set on these same records, which flatters it.
"""

import csv
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.heart import FINDER_HZ
from edge.heart.finder import BeatFinder
from scripts.benches import Row

RECORDS = Path(__file__).parents[3] / "shared/data/ecg/mitdb"
BARS = {"100": 99.5, "105": 98.5, "119": 99.5}  # per cent
WITHIN_S = 0.15
EDGE_S = 1.0
FED_S = 0.5
BEATS = set("NLRBAaJSVrFejnE/fQ?")  # of the annotation codes, those of beats

Beats = NDArray[np.int64]


class Score(NamedTuple):
    """Of one detector on one record, in per cent."""

    sensitivity: float  # of the beats, those found
    predictivity: float  # of the finds, those that are beats

    @property
    def both(self) -> float:
        """Return the harmonic mean."""
        total = self.sensitivity + self.predictivity
        return 2 * self.sensitivity * self.predictivity / total


def rows() -> list[Row]:
    """Return three figures a record, and the cost of ours beside the fastest peer."""
    if not RECORDS.is_dir():
        print(f"no annotated records at {RECORDS}: no figures", file=sys.stderr)
        return []
    found: list[Row] = []
    ours_s = fastest_s = length_s = 0.0
    for name, bar in BARS.items():
        lead, beats, rate_hz = record(name)
        began = time.process_time()
        own = score(beats, detect(lead, rate_hz), len(lead), rate_hz)
        ours_s += time.process_time() - began
        length_s += len(lead) / rate_hz
        peers, took_s = peer_scores(lead, beats, rate_hz)
        fastest_s += took_s
        found += compared(name, own, peers, bar)
    each, peer_each = 1e3 * ours_s / length_s, 1e3 * fastest_s / length_s
    found.append(
        Row("processor for a second of a lead", each, peer_each, peer_each / each,
            "ms", 1)
    )  # fmt: skip
    return found


def compared(name: str, own: Score, peers: list[Score], bar: float) -> list[Row]:
    """Return the figures of one record."""
    best = Score(max(p.sensitivity for p in peers), max(p.predictivity for p in peers))
    both = max(peer.both for peer in peers)
    return [
        Row(f"{name}: sensitivity", own.sensitivity, best.sensitivity,
            own.sensitivity / best.sensitivity, "%", 1, f">= {bar}",
            own.sensitivity >= bar),
        Row(f"{name}: positive predictivity", own.predictivity, best.predictivity,
            own.predictivity / best.predictivity, "%", 1, f">= {bar}",
            own.predictivity >= bar),
        Row(f"{name}: both (harmonic mean)", own.both, both, own.both / both, "%", 1,
            "ratio >= 1", own.both >= both),
    ]  # fmt: skip


def record(name: str) -> tuple[NDArray[np.float64], Beats, float]:
    """Return the first lead in mV, the samples of its beats, and its sampling rate."""
    import wfdb

    read = wfdb.rdrecord(str(RECORDS / name))
    table = RECORDS / f"{name}_all.csv"
    if table.exists():
        with table.open() as lines:
            samples = [int(row[1]) for row in list(csv.reader(lines))[1:]]
    else:
        marks = wfdb.rdann(str(RECORDS / name), "atr")
        pairs = zip(marks.sample, marks.symbol, strict=True)
        samples = [int(sample) for sample, symbol in pairs if symbol in BEATS]
    return read.p_signal[:, 0], np.array(samples), float(read.fs)


def detect(lead: NDArray[np.float64], rate_hz: float) -> Beats:
    """Return the beats that ours finds, fed as `edge.heart` does."""
    every = int(rate_hz // FINDER_HZ)
    fewer = lead[: len(lead) // every * every].reshape(-1, every).mean(axis=1)
    finder = BeatFinder(rate_hz / every)
    step = round(FED_S * finder.rate_hz)
    beats = [
        beat.sample
        for at in range(0, len(fewer), step)
        for beat in finder.feed(fewer[at : at + step])
    ] + [beat.sample for beat in finder.finish()]
    return np.array(beats, np.int64) * every + every // 2


def peer_scores(
    lead: NDArray[np.float64], beats: Beats, rate_hz: float
) -> tuple[list[Score], float]:
    """Return the score of each peer, and the processor time of the fastest."""
    scores, took_s = [], []
    for peer in (sleepecg, xqrs, neurokit):
        began = time.process_time()
        finds = peer(lead, rate_hz)
        took_s.append(time.process_time() - began)
        scores.append(score(beats, np.asarray(finds, np.int64), len(lead), rate_hz))
    return scores, min(took_s)


def sleepecg(lead: NDArray[np.float64], rate_hz: float) -> Any:
    """Return the beats that sleepecg finds."""
    return import_module("sleepecg").detect_heartbeats(lead, rate_hz)


def xqrs(lead: NDArray[np.float64], rate_hz: float) -> Any:
    """Return the beats that XQRS of wfdb finds."""
    from wfdb.processing import xqrs_detect

    return xqrs_detect(lead, rate_hz, verbose=False)


def neurokit(lead: NDArray[np.float64], rate_hz: float) -> Any:
    """Return the beats that neurokit2 finds, cleaned as it advises."""
    import neurokit2

    clean: Callable[..., Any] = neurokit2.ecg_clean
    found = neurokit2.ecg_peaks(
        clean(lead, sampling_rate=int(rate_hz)), sampling_rate=int(rate_hz)
    )
    return found[1]["ECG_R_Peaks"]


def score(beats: Beats, finds: Beats, samples: int, rate_hz: float) -> Score:
    """Return how well *finds* match *beats*: each counts once, the first that fits."""
    edge, within = EDGE_S * rate_hz, WITHIN_S * rate_hz
    beats, finds = (
        marks[(marks >= edge) & (marks < samples - edge)] for marks in (beats, finds)
    )
    at = hits = 0
    for beat in beats.tolist():
        while at < len(finds) and finds[at] < beat - within:
            at += 1
        if at < len(finds) and finds[at] <= beat + within:
            hits += 1
            at += 1
    return Score(100 * hits / len(beats), 100 * hits / max(1, len(finds)))
