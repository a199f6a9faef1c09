"""The columns of a joined row."""

import numpy as np

from edge.join.columns import (
    COLUMNS,
    LEGACY,
    WINDOW_COLUMNS,
    JoinedRow,
    Sample,
    VitalThen,
    cells,
    legacy_cells,
)
from edge.records import KEYPOINTS, VITALS, BoxNs, Pose, Segment, UtcNs

UTC = UtcNs(1_751_206_921_500_000_000)
SEGMENT = Segment(
    7, 1, "serial", "csv", ("I", "II"), (200.0, 200.0), (0, 0), 250.0, False, "counter"
)
KEYPOINT_ARRAY = np.arange(51, dtype=np.float32).reshape(17, 3)


def pose() -> Pose:
    return Pose(
        BoxNs(UTC), 8_000_000, "sensor", "camera", "pose", KEYPOINT_ARRAY,
        640, 480, 90, "movenet.tflite", "cpu", 4.5,
    )  # fmt: skip


def matched() -> JoinedRow:
    sample = Sample(
        BoxNs(UTC - 1_250_000), UtcNs(UTC - 1_250_000), True, -1.25, 90_000, SEGMENT,
        (0.5, None), ("", "lead_off"),
    )  # fmt: skip
    vitals = {name: VitalThen(None, "probe_off", None, False) for name in VITALS}
    vitals["heart_rate"] = VitalThen(72.0, "", 430.0, True)
    return JoinedRow(pose(), 3, "A", UTC, True, sample, "", vitals)


def unmatched() -> JoinedRow:
    return JoinedRow(pose(), 3, "", UTC, False, None, "beyond_tolerance", {})


def test_legacy_columns_are_those_of_the_original_system() -> None:
    expected = ["timestamp", "image_path", "pose_detected"]
    for name in KEYPOINTS:
        expected += [f"{name}_y", f"{name}_x", f"{name}_confidence"]
    expected += [
        "ecg_timestamp", "heart_rate", "ecg_lead1", "ecg_lead2", "ecg_lead3",
        "blood_pressure_systolic", "blood_pressure_diastolic", "oxygen_saturation",
        "ecg_matched",
    ]  # fmt: skip

    assert [column.name for column in LEGACY] == expected
    assert list(COLUMNS[:63]) == list(LEGACY)


def test_column_names_are_unique_and_ascii() -> None:
    names = [column.name for column in COLUMNS + WINDOW_COLUMNS]

    assert len(set(names)) == len(names)
    assert all(name.isascii() for name in names)


def test_every_value_fits_the_form_of_its_column() -> None:
    for row in (matched(), unmatched()):
        for column, value in zip(COLUMNS, cells(row), strict=True):
            assert value is None or column.form % value


def test_matched_row() -> None:
    names = [column.name for column in COLUMNS]
    row = dict(zip(names, cells(matched()), strict=True))

    assert row["timestamp"] == "2025-06-29T14:22:01.500000+00:00"
    assert row["ecg_timestamp"] == "2025-06-29T14:22:01.498750+00:00"
    assert (row["nose_x"], row["nose_y"], row["nose_confidence"]) == (0, 1, 2)
    assert (row["pose_detected"], row["ecg_matched"]) == (True, True)
    assert (row["ecg_lead1"], row["ecg_lead2"], row["ecg_lead3"]) == (0.5, None, None)
    assert row["ecg_reasons"] == "II:lead_off"
    assert row["difference_ms"] == -1.25
    assert row["ecg_uncertainty_ms"] == 0.09
    assert row["heart_rate"] == 72
    assert row["heart_rate_age_ms"] == 430
    assert row["heart_rate_derived"] is True
    assert row["oxygen_saturation"] is None
    assert row["oxygen_saturation_reason"] == "probe_off"
    assert row["unmatched_reason"] is None


def test_unmatched_row_has_its_reason_and_no_ecg() -> None:
    names = [column.name for column in COLUMNS]
    row = dict(zip(names, cells(unmatched()), strict=True))

    assert row["ecg_matched"] is False
    assert row["unmatched_reason"] == "beyond_tolerance"
    assert legacy_cells(unmatched())[-9:] == [None] * 8 + [False]
    ecg = {name: row[name] for name in names if name.startswith("ecg_")}
    assert set(ecg.values()) == {None, False}


def test_no_column_moves_for_a_later_one() -> None:
    names = [column.name for column in COLUMNS]

    assert names.index("ecg_lead8") == 92
    assert names.index("movement_derived") == 116
    leads = [f"ecg_lead{number}" for number in range(9, 17)]
    assert names[117:] == [*leads, "subject"]


def test_row_has_all_leads_of_the_largest_board() -> None:
    sample = matched().sample
    assert sample is not None
    many = tuple(number / 8 for number in range(16))
    row = matched()._replace(sample=sample._replace(millivolts=many))
    found = dict(zip((column.name for column in COLUMNS), cells(row), strict=True))

    assert [found[f"ecg_lead{number}"] for number in range(1, 17)] == list(many)
