"""A heart rate where the board sends none, through the recorder's own flow."""

import itertools
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from edge import web
from edge.clock import BoxClock
from edge.derived import HeartFlow
from edge.heart import Reason
from edge.patient.heart import beat_times, ecg_mv, rhythm
from edge.pipeline import EcgFlow
from edge.protocols import make_decoder
from edge.records import BoxNs, EcgChunk, Record, Segment, Vital

SECONDS = 60
RATE_HZ = 250.0
LEADS = ("I", "II", "III")
SEGMENT = Segment(
    1, 1, "serial", "some", LEADS, (1000.0,) * 3, (0,) * 3, RATE_HZ, False, "counter"
)


def chunks(seed: int) -> list[EcgChunk]:
    """Return a minute of patient *seed*, in chunks of 100 samples."""
    heart = rhythm(seed)
    at_s = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    millivolts = ecg_mv(at_s, beat_times(-2.0, SECONDS + 2.0, heart))
    counts = np.round(1000 * millivolts).astype(np.int32)
    return [
        EcgChunk(
            1, BoxNs(round(first / RATE_HZ * 1e9)), 4e6, 0, counts[first : first + 100]
        )
        for first in range(0, len(counts), 100)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rate_is_that_of_the_drawn_heart_and_flagged(seed: int) -> None:
    flow = HeartFlow()
    vitals = flow.feed([SEGMENT, *chunks(seed)])

    values = [vital.value for vital in vitals if vital.value is not None]
    assert len(values) > 40
    assert all(vital.derived and vital.name == "heart_rate" for vital in vitals)
    beats = beat_times(10.0, 60.0, rhythm(seed))
    true_bpm = 60 * (len(beats) - 1) / (beats[-1] - beats[0])
    assert np.median(values) == pytest.approx(true_bpm, rel=0.05)


@pytest.mark.parametrize(("leads", "place"), [(("V1", "II"), 1), (("V1", "V5"), 0)])
def test_rate_is_that_of_lead_two_or_else_the_first(
    leads: tuple[str, ...], place: int
) -> None:
    """Patient 3 on the lead that counts, patient 4 on the other."""
    segment = SEGMENT._replace(leads=leads, gain=(1000.0,) * 2, baseline=(0,) * 2)
    mixed = []
    for wanted, other in zip(chunks(3), chunks(4), strict=True):
        counts = other.counts[:, [0, 0]]
        counts[:, place] = wanted.counts[:, 0]
        mixed.append(wanted._replace(counts=counts))
    vitals = HeartFlow().feed([segment, *mixed])

    values = [vital.value for vital in vitals if vital.value is not None]
    assert np.median(values) == pytest.approx(59.7, abs=1.0)


def test_missing_lead_is_no_rate_with_a_reason() -> None:
    silent = [
        chunk._replace(counts=np.full_like(chunk.counts, -(2**31)))
        for chunk in chunks(1)
    ]
    vitals = HeartFlow().feed([SEGMENT, *silent])
    assert vitals
    assert all(vital.value is None and vital.reason for vital in vitals)


def test_board_that_states_a_rate_is_believed() -> None:
    records: list[Record] = [SEGMENT]
    for chunk in chunks(1):
        stated = Vital(chunk.start, "heart_rate", 61.0, "", "serial")
        records += [stated, chunk]
    assert HeartFlow().feed(records) == []


def test_lines_at_their_own_pace_have_no_derived_rate() -> None:
    flow = EcgFlow(make_decoder("csv"), BoxClock(0, lambda: 0), 1, itertools.count(1))
    assert HeartFlow().feed(flow.flush()) == []
    assert HeartFlow().feed([SEGMENT._replace(sampling_rate_hz=0.0), *chunks(1)]) == []


def test_page_has_words_for_every_reason_and_no_other() -> None:
    """Those of the boards, and of a rate that is computed."""
    boards = {"lead_off", "probe_off", "placeholder", "stale", "out_of_range"}
    boards |= {"not_sent"}
    page = Path(web.__file__).parent / "static/vitals.js"
    found = re.search(r"\bREASONS = \{(.*?)\};", page.read_text(), re.DOTALL)
    assert found
    words = re.findall(r'\b(\w+): "[^"_]+"', found[1])
    assert sorted(words) == sorted(boards | {*get_args(Reason)})
