"""Boards that send lines of numbers, with a header or without."""

import random

import pytest
from boards import cuts, feed

from edge.errors import ConfigError
from edge.protocols import make_decoder
from edge.protocols.csv import COLUMNS
from edge.records import MISSING


def test_csv_default_is_the_original_systems_record() -> None:
    got = make_decoder("csv").feed(
        b"2025-06-29T14:22:00.000000,72,0.12,-0.34,2.000001,120,80,98\n"
    )

    assert got.counts.tolist() == [[120_000, -340_000, 2_000_001]]
    assert [reading[1:] for reading in got.readings] == [
        ("heart_rate", 72.0, ""),
        ("blood_pressure_systolic", 120.0, ""),
        ("blood_pressure_diastolic", 80.0, ""),
        ("oxygen_saturation", 98.0, ""),
    ]


def test_csv_header_sets_the_order_of_columns() -> None:
    decoder = make_decoder("csv")
    got = decoder.feed(b"oxygen_saturation,ecg_lead2,note,ecg_lead1\r\n97,2,x,1\r\n")

    assert got.counts.tolist() == [[1_000_000, 2_000_000, MISSING]]
    assert got.reasons == ("", "", "not_sent")
    assert [reading[1:3] for reading in got.readings] == [("oxygen_saturation", 97.0)]


def test_csv_header_again_means_that_the_board_restarted() -> None:
    decoder = make_decoder("csv", columns=("ecg_lead1",))
    got = decoder.feed(b"ecg_lead1\n1\n2\necg_lead1\n3\n")

    assert got.counts[:, 0].tolist() == [1_000_000, 2_000_000, 3_000_000]
    assert got.notes == ("a header line again: the board has started anew",)


def test_csv_header_that_lost_its_beginning_costs_no_line() -> None:
    header = ",".join(COLUMNS).encode() + b"\n"
    unit = b"2025-06-29T14:22:00,72,1,2,3,120,80,98\n"
    for cut in range(len(header)):
        got = feed(make_decoder("csv"), [header[cut:], *[unit] * 20])

        assert got.counts.tolist() == [[1_000_000, 2_000_000, 3_000_000]] * 20, cut
        assert len(got.readings) == 4


def test_csv_header_cut_within_a_lead_leaves_the_configured_order() -> None:
    decoder = make_decoder("csv", columns=("ecg_lead1", "ecg_lead2"))

    assert decoder.feed(b"lead1,ecg_lead2\n1,2\n").counts.tolist() == [
        [1_000_000, 2_000_000]
    ]


def test_csv_header_that_lost_a_comma_costs_no_line() -> None:
    decoder = make_decoder("csv", columns=("a", "heart_rate", "b"))
    got = feed(decoder, [b"b,a,heart_rate\n2,1,60\nba,heart_rate\n", b"2,1,60\n" * 9])

    assert got.counts.tolist() == [[1_000_000, 2_000_000]] * 10
    assert "a damaged header line: the columns are as before it" in got.notes


def test_csv_numbers_before_names_are_no_header() -> None:
    decoder = make_decoder("csv", columns=("a", "b", "c"))
    got = decoder.feed(b"\n1,2,3\n1,2,c\n1,2,3\n")

    assert got.counts.tolist() == [[1_000_000, 2_000_000, 3_000_000]] * 2
    assert decoder.tally.damaged == 1


@pytest.mark.parametrize("before", [b"b,a,c\n2,1,0\n", b"b,a\n2,1\n"])
@pytest.mark.parametrize("after", [b"\n", b"a,b,damaged\n"])
def test_csv_port_that_returns_has_the_configured_order(
    before: bytes, after: bytes
) -> None:
    decoder = make_decoder("csv", columns=("a", "b"))
    decoder.feed(before)
    decoder.restart()

    assert decoder.feed(after + b"1,2\n").counts.tolist() == [[1_000_000, 2_000_000]]


def test_csv_columns_are_the_configurations() -> None:
    decoder = make_decoder("csv", columns=("V5", "", "heart_rate"))
    got = decoder.feed(b"?\n-0.5,7,61\n+.25e0,7,61\n")

    assert decoder.board.leads == ("v5",)
    assert got.counts[:, 0].tolist() == [-500_000, 250_000]
    assert [reading[1:3] for reading in got.readings] == [("heart_rate", 61.0)]


@pytest.mark.parametrize(
    "columns", [("heart_rate",), ("timestamp",), ("I", "I"), ("I", "II", "i")]
)
def test_csv_columns_without_lead_or_twice_are_refused(
    columns: tuple[str, ...],
) -> None:
    with pytest.raises(ConfigError, match="name each once, and at least one ECG lead"):
        make_decoder("csv", columns=columns)


@pytest.mark.parametrize("longest", [1, 100, 10_000])
@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (("ecg",), "0.10,0.20,0.30"),
        (("heart_rate", "ecg"), "72,0.1,0.2,98"),
        (("a", "b"), "1,2\r,3,4"),
        (("a", "b"), "1\r,2"),
    ],
)
def test_csv_line_of_other_columns_is_damaged_however_it_comes(
    columns: tuple[str, ...], line: str, longest: int
) -> None:
    decoder = make_decoder("csv", columns=columns)
    data = f"\n{line}\n".encode() + f"{line}\n".encode() * 20
    got = feed(decoder, cuts(data, random.Random(longest), longest))

    assert not len(got.counts)
    assert decoder.tally == (0, 21, len(data))


@pytest.mark.parametrize("lines", [b"1\n2\n", b"1,2,3\n4\n", b"1\n2,3,4\n"])
def test_csv_lines_that_have_the_columns_only_together_are_damaged(
    lines: bytes,
) -> None:
    decoder = make_decoder("csv", columns=("a", "b"))
    got = feed(decoder, [b"\n", lines + b"5,6\n"])

    assert got.counts.tolist() == [[5_000_000, 6_000_000]]
    assert decoder.tally.damaged == 2


def test_csv_end_of_a_line_that_is_too_long_is_no_line() -> None:
    decoder = make_decoder("csv", columns=("a", "b"))
    got = feed(decoder, [b"\n" + b"9" * 1100, b"1,2\n", b"3,4\n"])

    assert got.counts.tolist() == [[3_000_000, 4_000_000]]
    assert decoder.tally.damaged == 1


def test_csv_first_line_counts_only_if_it_is_whole() -> None:
    cut = make_decoder("csv", columns=("ecg_lead1", "heart_rate"))
    got = cut.feed(b"23,71\n1.23,71\n")

    assert got.counts[:, 0].tolist() == [1_230_000]
    assert cut.tally == (1, 0, 6)


@pytest.mark.parametrize(
    ("line", "damaged"),
    [
        (b"1,2", 1),  # too short
        (b"1,2,3,4", 1),
        (b"1,2,0x3", 1),
        (b"1,2,nano", 1),
        (b"nan,--,", 1),  # words for no number, and no number
        (b"nan,nan,nan", 1),
        (b"", 0),
        (b"\r", 0),
        (b"1,2,1_0", 1),
        (b"1,2,\xff3", 1),
        (b"1,2,3\r4", 1),
        (b"!", 1),  # of which lead?
        (b"9" * 5000 + b",2,3", 1),
        (b"ESP32 ready", 0),  # words, not numbers
    ],
)
def test_csv_line_that_is_none_is_dropped_alone(line: bytes, damaged: int) -> None:
    decoder = make_decoder("csv", columns=("a", "b", "c"))
    got = feed(decoder, [b"\n1,2,3\n" + line + b"\n4,5,6\n"])

    assert got.counts.tolist() == [
        [1_000_000, 2_000_000, 3_000_000],
        [4_000_000, 5_000_000, 6_000_000],
    ]
    assert decoder.tally == (2, damaged, len(line) + 2)
    assert got.notes == (("ESP32 ready",) if line.startswith(b"ESP32") else ())


@pytest.mark.parametrize(
    ("value", "count", "reason"),
    [
        ("2147.483647", 2_147_483_647, ""),
        ("-2147.483647", -2_147_483_647, ""),
        ("2147.483648", MISSING, "out_of_range"),
        ("-1e400", MISSING, "out_of_range"),
        ("", MISSING, "not_sent"),
        ("!", MISSING, "lead_off"),
    ],
)
def test_csv_lead_without_a_value_says_why(value: str, count: int, reason: str) -> None:
    got = make_decoder("csv", columns=("a",)).feed(f"\n{value}\n".encode())

    assert got.counts.tolist() == [[count]]
    assert got.reasons == (reason,)


@pytest.mark.parametrize(
    ("line", "systolic", "diastolic"),
    [
        (b"1,120,80", (120.0, ""), (80.0, "")),
        (b"1,80,120", (None, "placeholder"), (None, "placeholder")),
        (b"1,90,90", (None, "out_of_range"), (None, "out_of_range")),
        (b"1,400,80", (None, "out_of_range"), (80.0, "")),
    ],
)
def test_pressure_that_cannot_be_is_none(
    line: bytes, systolic: tuple[float, str], diastolic: tuple[float, str]
) -> None:
    names = ("blood_pressure_systolic", "blood_pressure_diastolic")
    decoder = make_decoder("csv", columns=("a", *names))
    got = decoder.feed(b"\n" + line + b"\n")

    assert [reading[1:] for reading in got.readings] == [
        (names[0], *systolic),
        (names[1], *diastolic),
    ]


def test_vital_of_a_line_is_told_at_a_change() -> None:
    decoder = make_decoder("csv", columns=("a", "heart_rate"))
    rates = [60] * 25 + [61] + [60] * 4
    lines = "".join(f"1,{rate}\n" for rate in rates)
    got = decoder.feed(f"\n{lines}".encode())

    assert [(r.packet, r.value) for r in got.readings] == [
        (0, 60.0),
        (25, 61.0),
        (26, 60.0),
    ]


@pytest.mark.parametrize("longest", [1, 7, 1000])
@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("nan", "not_sent"),
        ("NaN", "not_sent"),
        ("-nan", "not_sent"),
        ("--", "not_sent"),
        (" nan ", "not_sent"),
        ("inf", "out_of_range"),
        ("-INF", "out_of_range"),
        ("ovf", "out_of_range"),
    ],
)
def test_csv_word_for_no_number_costs_its_own_field_alone(
    word: str, reason: str, longest: int
) -> None:
    decoder = make_decoder("csv", columns=("a", "b", "heart_rate"))
    data = f"\n1,{word},72\n1,2,{word}\n1,2,73\n".encode()
    got = feed(decoder, cuts(data, random.Random(longest), longest))

    rows = [[1_000_000, 2_000_000]] * 3
    rows[0] = [1_000_000, MISSING]
    assert got.counts.tolist() == rows
    assert decoder.tally == (3, 0, 1)
    whole = make_decoder("csv", columns=("a", "b", "heart_rate")).feed(data)
    assert whole.reasons == ("", reason)


def test_csv_word_for_no_number_alone_is_damage() -> None:
    decoder = make_decoder("csv", columns=("a",))
    got = decoder.feed(b"\n1\nnan\n2\n")

    assert got.counts[:, 0].tolist() == [1_000_000, 2_000_000]
    assert got.notes == ()
    assert decoder.tally == (2, 1, 5)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\r", "\r\r\n", "\r\n\r\n"])
@pytest.mark.parametrize("longest", [1, 7, 1000])
def test_csv_line_ends_are_all_alike(end: str, longest: int) -> None:
    decoder = make_decoder("csv", columns=("a", "heart_rate"))
    data = (f"?{end}" + f"1,72{end}" * 20).encode()
    got = feed(decoder, cuts(data, random.Random(longest), longest))

    assert got.counts.tolist() == [[1_000_000]] * 20
    assert decoder.tally.damaged == 0
