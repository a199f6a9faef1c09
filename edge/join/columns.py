"""
The joined row: one pose with its ECG, and its columns in a file.

The first 63 columns are those of the system this box replaces, in its order; ours
follow. One table says name, unit, form and meaning of each: the CSV header, the data
dictionary and the API are made from it.
"""

from typing import NamedTuple

from edge.records import KEYPOINTS, VITALS, BoxNs, Pose, Segment, UtcNs
from edge.stamps import stamp

LEADS = 16
"""The most leads that a board here has."""

EARLY_LEADS = 8
"""The columns of the others came later and stand at the end: no column ever moves."""

LEGACY_LEADS = 3
LEGACY_VITALS = tuple(VITALS)[:4]
"""What the original system's records hold."""

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000
"""Box time is split at the second: spreadsheets cut 19 digits off at 15."""


class Sample(NamedTuple):
    """The ECG sample that was taken nearest to a pose."""

    sampled: BoxNs
    utc: UtcNs
    synchronised: bool  # that UTC comes from a time server
    difference_ms: float  # sample − pose: negative where the sample is earlier
    uncertainty_ns: int
    segment: Segment
    millivolts: tuple[float | None, ...]  # one for each of segment.leads
    reasons: tuple[str, ...]  # why a lead has no value, one a lead; "" or () if none


class VitalThen(NamedTuple):
    """A vital as it was known at the instant of a sample."""

    value: float | None  # in the unit of VITALS
    reason: str  # why there is no value: a reason of Vital; "" also if none was stated
    age_ms: float | None  # sample − vital; None without a vital
    derived: bool  # computed here, not sent


class JoinedRow(NamedTuple):
    """One pose, the ECG sample nearest to it, and the vitals known at that sample."""

    pose: Pose
    session: int  # Session.id; 0 where none is known
    subject: str  # Session.subject, "" if none is known
    utc: UtcNs  # of the pose
    synchronised: bool  # that UTC comes from a time server
    sample: Sample | None
    reason: str  # why no sample: "no_ecg", "beyond_tolerance", "damaged"; "" if matched
    vitals: dict[str, VitalThen]  # by the names of VITALS; {} without a sample


class Column(NamedTuple):
    """One column of the joined CSV."""

    name: str
    unit: str
    form: str  # how a value is printed: a %-format
    meaning: str


def texts(**meanings: str) -> list[Column]:
    """Return a column of text for each name and its meaning."""
    return [Column(name, "", "%s", meaning) for name, meaning in meanings.items()]


SUBJECT = Column("subject", "", "%s", "code of the subject who was there")


def _legacy() -> tuple[Column, ...]:
    keypoints = []
    for name in KEYPOINTS:
        words = name.replace("_", " ")
        keypoints += [
            Column(f"{name}_y", "px", "%.2f", f"row of the {words}, from the top"),
            Column(f"{name}_x", "px", "%.2f", f"column of the {words}, from the left"),
            Column(
                f"{name}_confidence", "", "%.4f", f"0 to 1: how sure of the {words}"
            ),
        ]
    leads = [_lead(n) for n in range(1, LEGACY_LEADS + 1)]
    rate, *others = (_newest(name) for name in LEGACY_VITALS)
    return (
        *texts(
            timestamp="UTC of the pose (middle of the exposure)",
            image_path="name of the uploaded picture, if it was one",
            pose_detected="True where a body was found",
        ),
        *keypoints,
        *texts(ecg_timestamp="UTC of the ECG sample nearest to the pose"),
        rate,
        *leads,
        *others,
        *texts(ecg_matched="True where a sample lay within the tolerance"),
    )


def _lead(number: int) -> Column:
    name = f"ecg_lead{number}"
    return Column(name, "mV", "%.6g", f"the sample's value of lead {number}")


def _newest(vital: str) -> Column:
    words = vital.replace("_", " ")
    return Column(vital, VITALS[vital], "%.6g", f"newest {words} then known")


def _ours() -> tuple[Column, ...]:
    columns = [
        Column("session", "", "%d", "number of the recorder's run"),
        Column("clock_synchronised", "", "%s", "True: UTC comes from a time server"),
        Column("pose_box_s", "s", "%d", "box time of the pose: never steps or repeats"),
        Column("pose_box_ns", "ns", "%d", "nanoseconds beyond pose_box_s"),
        Column(
            "pose_uncertainty_ms", "ms", "%.3f", "the pose's instant is this sure, ±"
        ),
        *texts(
            pose_stamp="where the pose's instant comes from",
            pose_source="camera or upload",
            pose_state="pose, no pose or absent",
        ),
        Column("picture_width", "px", "%d", "of the upright picture"),
        Column("picture_height", "px", "%d", "of the upright picture"),
        Column("rotation", "°", "%d", "clockwise turn that made the picture upright"),
        *texts(model="file name of the pose model", device="cpu or tpu"),
        Column("inference_ms", "ms", "%.2f", "time the model took"),
        Column("ecg_box_s", "s", "%d", "box time of the ECG sample"),
        Column("ecg_box_ns", "ns", "%d", "nanoseconds beyond ecg_box_s"),
        Column("difference_ms", "ms", "%.6f", "ECG sample − pose; negative: earlier"),
        Column(
            "ecg_uncertainty_ms", "ms", "%.3f", "the sample's instant is this sure, ±"
        ),
        Column("ecg_stamp", "", "%s", "where the sample's instant comes from"),
        Column("ecg_segment", "", "%d", "number of the stretch without interruption"),
        *texts(
            ecg_source="serial, upload or file",
            ecg_board="name of the ECG board's decoder",
            ecg_leads="names of ecg_lead1, ecg_lead2, … in order",
            ecg_reasons="why leads have no value, as lead:reason",
            unmatched_reason="why there is no ECG sample",
        ),
    ]
    columns += [_lead(n) for n in range(LEGACY_LEADS + 1, EARLY_LEADS + 1)]
    for name in VITALS:
        words = name.replace("_", " ")
        if name not in LEGACY_VITALS:
            columns.append(_newest(name))
        columns += [
            Column(f"{name}_age_ms", "ms", "%.0f", f"ECG sample − {words}"),
            Column(f"{name}_reason", "", "%s", f"why there is no {words}"),
            Column(f"{name}_derived", "", "%s", f"True: {words} computed by the box"),
        ]
    columns += [_lead(n) for n in range(EARLY_LEADS + 1, LEADS + 1)]
    return (*columns, SUBJECT)


LEGACY: tuple[Column, ...] = _legacy()
"""The 63 columns of the original system."""

COLUMNS: tuple[Column, ...] = LEGACY + _ours()
"""All columns of a joined row."""

WINDOW_COLUMNS: tuple[Column, ...] = (
    Column("ecg_window_start_ms", "ms", "%.6f", "first sample of the window − pose"),
    Column("ecg_window_period_ms", "ms", "%.6f", "between samples of the window"),
    *(
        Column(f"ecg_window_lead{n}", "mV", "%s", f"lead {n} in the window, by blanks")
        for n in range(1, LEADS + 1)
    ),
)
"""Further columns where a window of ECG was asked for."""

LATER: tuple[str, ...] = (
    *(
        f"ecg_{of}lead{n}"
        for of in ("", "window_")
        for n in range(EARLY_LEADS + 1, LEADS + 1)
    ),
    SUBJECT.name,
)
"""Columns that stand behind all others of a table, in this order."""

Cell = str | int | float | bool | None


def cells(row: JoinedRow) -> list[Cell]:
    """Return the value of each of COLUMNS for *row*; None where there is none."""
    return legacy_cells(row) + _our_cells(row)


def legacy_cells(row: JoinedRow) -> list[Cell]:
    """Return the value of each of LEGACY for *row*."""
    pose, sample = row.pose, row.sample
    found: list[Cell] = [stamp(row.utc), pose.picture or None, pose.state == "pose"]
    found += _numbers(pose.keypoints[:, (1, 0, 2)].ravel().tolist())
    vitals = [then.value for name in LEGACY_VITALS if (then := _vital(row, name))]
    if sample is None:
        return [*found, *[None] * (2 + LEGACY_LEADS + 3), False]
    leads = _padded(sample.millivolts)[:LEGACY_LEADS]
    return [*found, stamp(sample.utc), vitals[0], *leads, *vitals[1:], True]


def _our_cells(row: JoinedRow) -> list[Cell]:
    pose = row.pose
    found: list[Cell] = [
        row.session, row.synchronised, *divmod(pose.exposed, SECOND_NS),
        pose.uncertainty_ns / MS_NS,
        pose.stamp, pose.source, pose.state, pose.width, pose.height, pose.rotation,
        pose.model, pose.device, pose.inference_ms,
    ]  # fmt: skip
    found += _sample_cells(row.sample)
    found.append(row.reason or None)
    leads = _padded(row.sample.millivolts if row.sample else ())
    found += leads[LEGACY_LEADS:EARLY_LEADS]
    for name in VITALS:
        then = _vital(row, name)
        if name not in LEGACY_VITALS:
            found.append(then.value)
        found += [then.age_ms, then.reason or None]
        found.append(then.derived if then.value is not None else None)
    return [*found, *leads[EARLY_LEADS:], row.subject or None]


def _sample_cells(sample: Sample | None) -> list[Cell]:
    if sample is None:
        return [None] * 10
    segment = sample.segment
    reasons = zip(segment.leads, sample.reasons, strict=False)
    return [
        *divmod(sample.sampled, SECOND_NS), sample.difference_ms,
        sample.uncertainty_ns / MS_NS,
        segment.stamp, segment.id, segment.source, segment.board or None,
        " ".join(segment.leads),
        " ".join(f"{lead}:{reason}" for lead, reason in reasons if reason) or None,
    ]  # fmt: skip


NO_VITAL = VitalThen(None, "", None, False)


def _vital(row: JoinedRow, name: str) -> VitalThen:
    return row.vitals.get(name, NO_VITAL)


def _numbers(values: list[float]) -> list[float | None]:
    return [value if value == value else None for value in values]  # NaN is none


def _padded(values: tuple[Cell, ...]) -> list[Cell]:
    return [*values, *[None] * (LEADS - len(values))][:LEADS]
