"""
A whole box whose board, camera and Edge TPU fail; `EDGE_FAULTS=N` lets each kind of
fault happen N times and holds the box to the limits (the test run: once, untimed, since
the machine has other tests to do).
"""

import os
from pathlib import Path

import faults
import pytest

from edge.models import DEFAULT

CAMPAIGN = os.environ.get("EDGE_FAULTS")

with_parts = pytest.mark.skipif(
    bool(faults.missing()), reason=faults.missing() or "all is there"
)


@with_parts
@pytest.mark.timeout(60_000 if CAMPAIGN else 900)
def test_failing_parts_are_taken_back_and_cost_no_ecg() -> None:
    figures = faults.faults(int(CAMPAIGN or 1))
    print(figures)
    assert figures["ecg_gaps_of_camera_and_tpu"] == figures["otherwise"] == 0
    assert not CAMPAIGN or figures["late"] == 0


@with_parts
@pytest.mark.timeout(900)
def test_third_failure_brings_the_cpu_and_the_tpu_is_tried_again_later(
    tmp_path: Path,
) -> None:
    record = faults.ladder(tmp_path)
    on_tpu, on_cpu = ("tpu", faults.TPU_MODEL), ("cpu", DEFAULT)
    assert record.runs == [on_tpu, on_cpu, on_tpu]
    assert record.losses("pose", "USB transfer error") == 3
    told = [event.cause for event in record.events if "device" in event.detail]
    assert told == [
        "the pose model runs on the CPU from now on",
        "the pose model runs on the Edge TPU from now on",
    ]
    assert record.losses("pose", "the Edge TPU is tried again") == 1
    assert record.ecg_gaps() == []
