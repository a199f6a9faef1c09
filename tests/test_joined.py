"""Joined rows out of a recording, against a look at every sample and every vital."""

import random
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from records_store import START, S, chunk, pose, second, segment, vital

from edge.history import History
from edge.join import sample_times
from edge.join.columns import COLUMNS, LEGACY, JoinedRow, cells, legacy_cells
from edge.join.rows import join_block, joined_rows, read_labels
from edge.records import (
    MISSING,
    VITALS,
    BoxNs,
    ClockReading,
    EcgChunk,
    Pose,
    Record,
    Segment,
    UtcNs,
    Vital,
)
from edge.store import Store

EVER = (BoxNs(0), BoxNs(2**62))
MS = 1_000_000


def rows(path: Path, tolerance_ns: int = S) -> list[JoinedRow]:
    with History(path) as history:
        return list(joined_rows(history, *EVER, tolerance_ns))


def sample(at: int, number: int = 1, value: int = 5) -> EcgChunk:
    """Return an uploaded record: a chunk of one sample."""
    counts = np.array([[value, MISSING, MISSING]], np.int32)
    return EcgChunk(number, BoxNs(at), 0.0, 0, counts, np.zeros(1, np.uint32))


def a_pose(at: int) -> Pose:
    return pose(np.random.default_rng(1), at)


def recording(dice: np.random.Generator) -> list[Record]:
    """Return half a minute with gaps, a second stream that overlaps, and vitals."""
    records: list[Record] = [segment(2, "upload")]
    for number in range(30):
        at = START + number * S
        if dice.random() < 0.8:
            records += second(dice, at)
        else:
            records += [pose(dice, at + 7 * MS), vital(dice, at + 3)]
        if dice.random() < 0.3:
            records.append(sample(at + int(dice.integers(S)), 2, number))
            records.append(sample(START + int(dice.integers(30 * S)), 2, -number))
    return records


def in_order(records: list[Record], kind: type) -> list[Record]:
    """Return the records of *kind* as the store has them: by time, then as given."""
    place = {EcgChunk: "start", Pose: "exposed", Vital: "sampled"}[kind]
    found = [record for record in records if isinstance(record, kind)]
    return sorted(found, key=lambda record: getattr(record, place))


def expected(
    records: list[Record], tolerance: int
) -> list[tuple[int | None, tuple[object, ...]]]:
    """Return the instant and vitals of each pose's match, by looking at everything."""
    chunks = in_order(records, EcgChunk)
    times = np.concatenate([sample_times(one) for one in chunks])  # type: ignore[arg-type]
    times = np.sort(times, kind="stable")
    answer: list[tuple[int | None, tuple[object, ...]]] = []
    for one in in_order(records, Pose):
        assert isinstance(one, Pose)
        away = np.abs(times - one.exposed)
        best = int(times[away.argmin()])
        if away.min() > tolerance:
            answer.append((None, ()))
            continue
        known: dict[str, Vital] = {}
        for stated in in_order(records, Vital):
            assert isinstance(stated, Vital)
            if stated.sampled <= best:
                known[stated.name] = stated
        values = tuple(known[name].value if name in known else None for name in VITALS)
        answer.append((best, values))
    return answer


@pytest.mark.parametrize("tolerance", [0, 20 * MS, S, 5 * S])
def test_rows_are_those_of_a_look_at_everything(
    store: Store, path: Path, tolerance: int
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    records = recording(np.random.default_rng(seed))
    store.append(records)

    found = rows(path, tolerance)

    assert [
        (
            row.sample.sampled if row.sample else None,
            tuple(then.value for then in row.vitals.values()),
        )
        for row in found
    ] == expected(records, tolerance)
    assert [row.pose.exposed for row in found] == [
        one.exposed  # type: ignore[union-attr]
        for one in in_order(records, Pose)
    ]
    assert all(len(cells(row)) == len(COLUMNS) for row in found)


def test_reason_stands_where_the_value_is_missing_alone(
    store: Store, path: Path
) -> None:
    """A chunk has one reason a lead; its other samples of the lead are good."""
    counts = np.array([[1, 2, 3], [1, MISSING, 3], [MISSING, MISSING, 3]], np.int32)
    given = ("saturated", "lead_off", "lead_off")
    poses = [a_pose(START + place * 4 * MS) for place in range(3)]
    store.append([EcgChunk(1, START, 4e6, 70_000, counts, None, given), *poses])

    said = [row.sample.reasons for row in rows(path) if row.sample]

    assert said == [("", "", ""), ("", "lead_off", ""), ("saturated", "lead_off", "")]


def test_row_says_how_far_apart_and_how_sure(store: Store, path: Path) -> None:
    counts = np.array([[500, 0, MISSING], [1000, -250, MISSING]], np.int32)
    store.append(
        [
            EcgChunk(1, START, 4e6, 70_000, counts, None, ("", "", "lead_off")),
            Vital(BoxNs(START - 2 * S), "heart_rate", 72.0, "", "serial", True),
            Vital(BoxNs(START), "oxygen_saturation", None, "probe_off", "serial"),
            a_pose(START + 5 * MS),
        ]
    )

    (row,) = rows(path)

    assert row.sample is not None
    assert row.sample.sampled == START + 4 * MS
    assert row.sample.difference_ms == -1.0
    assert row.sample.uncertainty_ns == 70_000
    assert row.sample.millivolts == (1.0, -0.25, None)
    assert row.sample.reasons == ("", "", "lead_off")
    assert row.sample.segment == segment()
    assert row.vitals["heart_rate"] == (72.0, "", 2004.0, True)
    assert row.vitals["oxygen_saturation"] == (None, "probe_off", 4.0, False)
    assert row.vitals["temperature"] == (None, "", None, False)
    assert row.reason == ""


def test_unmatched_rows_say_why(store: Store, path: Path) -> None:
    store.append([a_pose(START)])
    before = rows(path)
    store.append([sample(START + 2 * S)])

    assert [row.reason for row in before] == ["no_ecg"]
    assert [row.reason for row in rows(path)] == ["beyond_tolerance"]
    assert [row.reason for row in rows(path, tolerance_ns=2 * S)] == [""]


def test_late_data_is_joined_when_it_comes(store: Store, path: Path) -> None:
    store.append([sample(START), a_pose(START + 900 * MS)])
    before = rows(path)
    store.append([sample(START + 905 * MS)])

    assert [row.sample and row.sample.difference_ms for row in before] == [-900.0]
    assert [row.sample and row.sample.difference_ms for row in rows(path)] == [5.0]


def test_far_match_is_found_within_a_wide_tolerance(store: Store, path: Path) -> None:
    store.append([sample(START), a_pose(START + 3600 * S), a_pose(START + 4 * S)])

    found = rows(path, tolerance_ns=3600 * S)

    assert [row.sample and row.sample.difference_ms for row in found] == [
        -4_000.0,
        -3_600_000.0,
    ]


def test_dates_come_from_the_ledger(store: Store, path: Path) -> None:
    late = UtcNs(START + 3600 * S + 10 * S)
    store.append([sample(START + S), a_pose(START + S)])
    (before,) = rows(path)
    store.append([ClockReading(1, BoxNs(START + 10 * S), late, True, 3600 * S)])
    (after,) = rows(path)

    assert (before.utc, before.synchronised) == (START + S, False)
    assert (after.utc, after.synchronised) == (START + S + 3600 * S, True)
    assert after.sample is not None
    assert after.sample.utc == after.utc
    assert after.session == 1


def test_a_record_of_the_past_keeps_its_date(store: Store, path: Path) -> None:
    """Uploaded for a time before the first session, it is dated as it was given."""
    past = START - 86_400 * S
    store.append([sample(past), a_pose(past + MS)])
    store.append([ClockReading(1, START, UtcNs(START + 99 * S), True, 0)])

    (row,) = rows(path)

    assert (row.session, row.utc, row.synchronised) == (0, past + MS, False)
    assert row.sample is not None
    assert row.sample.utc == past


def test_segments_that_began_since_the_labels_were_read(
    store: Store, path: Path
) -> None:
    with History(path) as history:
        labels = read_labels(history)
        new = Segment(9, 1, "file", "", ("II",), (2.0,), (0,), 0.0, False, "given")
        store.append([new, sample(START, 9, 1)])
        (row,) = join_block(history, [a_pose(START)], S, labels)

    assert row.sample is not None
    assert row.sample.segment == new
    assert row.sample.millivolts == (0.5,)


def test_many_chunks_of_one_recording(store: Store, path: Path) -> None:
    """More poses than a block, over ten minutes."""
    dice = np.random.default_rng(3)
    for number in range(600):
        store.append([chunk(dice, START + number * S)._replace(period_ns=1e6)])
    poses = [a_pose(START + number * 400 * MS) for number in range(1490)]
    store.append(poses)

    found = rows(path)

    assert [row.pose.exposed for row in found] == [one.exposed for one in poses]
    assert all(row.sample for row in found)


def test_vital_that_is_sent_no_more_is_empty_in_every_form(
    store: Store, path: Path
) -> None:
    rate = Vital(BoxNs(START), "heart_rate", 72.0, "", "serial")
    gone = rate._replace(sampled=BoxNs(START + 4 * S), value=None, reason="not_sent")
    records: list[Record] = [segment(2, "upload"), rate, gone]
    for seconds in (1, 5):
        records += [sample(START + seconds * S, 2), a_pose(START + seconds * S)]
    store.append(records)

    sent, then = rows(path)

    names = [column.name for column in LEGACY]
    assert dict(zip(names, legacy_cells(sent), strict=True))["heart_rate"] == 72.0
    assert dict(zip(names, legacy_cells(then), strict=True))["heart_rate"] is None
    words = dict(zip([column.name for column in COLUMNS], cells(then), strict=True))
    assert words["heart_rate"] is None
    assert words["heart_rate_reason"] == "not_sent"


def test_sample_whose_segment_has_rotted_is_told_as_damaged(
    path: Path, store: Store
) -> None:
    """What its lead is and what a count stands for is not known any more."""
    store.append([*second(np.random.default_rng(0), START), a_pose(START)])
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE segments SET gain = '[1.0, 1.0, 1.0]'")
    connection.commit()
    connection.close()

    for row in rows(path):
        assert (row.sample, row.reason, row.vitals) == (None, "damaged", {})
