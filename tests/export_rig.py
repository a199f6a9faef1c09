"""A small recording to export, and what comes out of it."""

import csv
from pathlib import Path

import numpy as np

from edge.__main__ import main
from edge.records import (
    MISSING,
    BoxNs,
    ClockReading,
    EcgChunk,
    Event,
    Pose,
    PoseState,
    Record,
    Segment,
    Session,
    UtcNs,
    Vital,
)

S = 1_000_000_000
START = BoxNs(1_763_800_000 * S + 123_456_789)
UTC_AHEAD = 2 * S
"""UTC − box time of what was `recorded`."""

Row = dict[str, str]


def pose(exposed: int, score: float, state: PoseState = "pose") -> Pose:
    points = np.full((17, 3), score, np.float32)
    points[:, 0] = np.arange(17) * 10.1
    points[:, 1] = np.arange(17) * 7.7
    return Pose(
        exposed=BoxNs(exposed),
        uncertainty_ns=1_500_000,
        stamp="sensor",
        source="camera",
        state=state,
        keypoints=points,
        width=640,
        height=480,
        rotation=90,
        model="movenet_lightning_int8.tflite",
        device="cpu",
        inference_ms=6.25,
    )


def ecg(number: int, samples: int = 500, reasons: tuple[str, ...] = ()) -> EcgChunk:
    counts = np.arange(samples * 2, dtype=np.int32).reshape(-1, 2) - 300
    counts[:, 1] *= -1
    if reasons:
        counts[:, 1] = MISSING
    return EcgChunk(1, BoxNs(START + number * S), 2e6, 300_000, counts, reasons=reasons)


def recorded() -> list[Record]:
    """Ten seconds with a gap from the fourth to the sixth, and a hostile marker."""
    records: list[Record] = [
        Session(1, "boot", START, 77, "0.1", "P-07", '{"join": {}}'),
        Segment(
            1,
            1,
            "serial",
            "csv",
            ("I", "II"),
            (200.0, 350.5),
            (3, 0),
            500.0,
            True,
            "counter",
        ),  # fmt: skip
        ClockReading(1, START, UtcNs(START + UTC_AHEAD), True, 0),
    ]
    for second in range(10):
        if second not in (4, 5):
            reasons = ("", "lead_off") if second == 8 else ()
            records.append(ecg(second, reasons=reasons))
        for step in range(5):
            state: PoseState = "absent" if second == 9 else "pose"
            at = START + second * S + step * 200_000_333
            records.append(pose(at, 0.1 * step, state))
    records += [
        Vital(BoxNs(START), "heart_rate", 61.5, "", "serial", True),
        Vital(BoxNs(START + 2 * S), "heart_rate", None, "lead_off", "serial"),
        Vital(BoxNs(START + 3 * S), "temperature", 36.6, "", "serial"),
        Event(BoxNs(START + 4 * S), BoxNs(START + 6 * S), "gap", "ecg", "unplugged"),
        Event(BoxNs(START + 7 * S), None, "marker", "", '=1+1,"x"\nMr. Y', {"n": 1}),
    ]
    return records


def edge(database: Path, *words: str) -> int:
    return main(["export", "--database", str(database), *words])


def export(database: Path, *words: str) -> int:
    """Export to the USB drive that is there."""
    return edge(database, "--drive", "any", *words)


def rows(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def box(row: Row, name: str = "box") -> int:
    return int(row[f"{name}_s"]) * S + int(row[f"{name}_ns"])
