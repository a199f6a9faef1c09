"""What is special about each board that sends packets."""

import json
import random
import struct
from pathlib import Path

import pytest
from boards import (
    Kind,
    cuts,
    cyton_packet,
    feed,
    healthypi5_batch,
    stream,
)

from edge.errors import ConfigError
from edge.protocols import Packets, make_decoder
from edge.records import MISSING


def healthypi(version: int = 4, **fields: int) -> Packets:
    """Return what one packet with these *fields* says."""
    given = {"ecg": 7, "temp": 3650, "rr": 16, "spo2": 97, "hr": 61, "status": 0}
    given |= fields
    packet = struct.pack(
        "<BBHBhhiihBBBBBBBB", 0x0A, 0xFA, 20, 2, given["ecg"], 0, 0, 0, given["temp"],
        given["rr"], given["spo2"], given["hr"], 80, 120, given["status"], 0, 0x0B
    )  # fmt: skip
    return make_decoder("healthypi", version=version).feed(packet)


def vital(packets: Packets, name: str) -> tuple[float | None, str]:
    [(value, reason)] = [r[2:] for r in packets.readings if r.name == name]
    return value, reason


def test_healthypi_has_no_cuff() -> None:
    got = healthypi()

    assert vital(got, "blood_pressure_systolic") == (None, "placeholder")
    assert vital(got, "blood_pressure_diastolic") == (None, "placeholder")
    assert vital(got, "heart_rate") == (61.0, "")
    assert vital(got, "oxygen_saturation") == (97.0, "")
    assert vital(got, "respiration_rate") == (16.0, "")
    assert vital(got, "temperature") == (36.5, "")


@pytest.mark.parametrize(
    ("version", "status", "ecg", "saturation"),
    [
        (4, 0x02, (MISSING, "lead_off"), (97.0, "")),
        (4, 0xE0, (7, ""), (97.0, "")),
        (3, 0x01, (MISSING, "lead_off"), (97.0, "")),
        (3, 0x02, (7, ""), (None, "probe_off")),
    ],
)
def test_healthypi_lead_and_probe_off_by_version(
    version: int,
    status: int,
    ecg: tuple[int, str],
    saturation: tuple[float | None, str],
) -> None:
    got = healthypi(version, status=status)

    assert (got.counts[0, 0], got.reasons[0]) == ecg
    assert vital(got, "oxygen_saturation") == saturation


def test_healthypi_zero_is_no_value() -> None:
    got = healthypi(rr=0, spo2=0, hr=0, temp=0)

    assert vital(got, "heart_rate") == (None, "lead_off")
    assert vital(got, "respiration_rate") == (None, "lead_off")
    assert vital(got, "oxygen_saturation") == (None, "probe_off")
    assert vital(got, "temperature") == (None, "out_of_range")


def test_unknown_healthypi_is_refused() -> None:
    with pytest.raises(ConfigError, match="HealthyPi version 2"):
        make_decoder("healthypi", version=2)


def test_healthypi5_oximeter_is_stated_beside_the_ecg_that_follows() -> None:
    units, _ = stream(Kind("healthypi5-batches", healthypi5_batch), 3, seed=1)
    got = make_decoder("healthypi5-batches").feed(b"".join(units))

    saturations = [r for r in got.readings if r.name == "oxygen_saturation"]
    assert [(r.packet, r.value) for r in saturations] == [(8, 90.0), (16, 91.0)]
    assert "temperature" not in {r.name for r in got.readings}


def test_cyton_words_are_notes() -> None:
    packets = [cyton_packet(random.Random(1), number)[0] for number in range(4)]
    reply = (
        b"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\n"
        b"LIS3DH Device ID: 0x33\nFirmware: v3.1.2\n$$$"
    )
    got = make_decoder("openbci-cyton").feed(
        b"".join(packets[:2]) + reply + b"".join(packets[2:])
    )

    assert got.notes == (
        "OpenBCI V3 8-16 channel",
        "On Board ADS1299 Device ID: 0x3E",
        "LIS3DH Device ID: 0x33",
        "Firmware: v3.1.2",
    )
    assert got.counter.tolist() == [0, 1, 2, 3]
    assert got.restarts == (2,)


@pytest.mark.parametrize("board", ["openbci-cyton", "openbci-cyton-daisy"])
def test_cyton_says_that_it_was_restarted_however_it_is_cut(board: str) -> None:
    rng = random.Random(board)
    packets = [cyton_packet(rng, number)[0] for number in (*range(20), *range(40))]
    banner = b"OpenBCI V3 8-16 channel\nFirmware: v3.1.2\n$$$"
    data = b"".join([b"noise", *packets[:20], banner, *packets[20:]])
    for longest in (1, 20, 2000):
        got = feed(make_decoder(board), cuts(data, rng, longest))

        assert got.restarts == ((10,) if board.endswith("daisy") else (20,))


def test_cyton_daisy_keeps_the_half_that_came() -> None:
    rng = random.Random(1)
    halves = [cyton_packet(rng, number) for number in range(8)]
    del halves[2]  # the daisy's of the second sample
    del halves[4]  # the board's own of the third
    got = make_decoder("openbci-cyton-daisy").feed(b"".join(data for data, _ in halves))

    nothing = [MISSING] * 8
    row = [rows[0] for _, rows in halves]
    assert got.counts.tolist() == [
        row[1] + row[0],
        row[2] + nothing,
        nothing + row[3],
        row[5] + row[4],
    ]
    assert got.counter.tolist() == [0, 1, 2, 3]
    assert got.reasons == ("lost",) * 16


def test_cyton_stuck_counter_is_no_stream_of_samples() -> None:
    packet, _ = cyton_packet(random.Random(1), 5)

    assert len(make_decoder("openbci-cyton").feed(packet * 50).counts) == 0


def test_cyton_samples_of_upstreams_own_tests(shared: Path) -> None:
    vectors = json.loads((shared / "data/serial/vectors.json").read_text())["cyton"]
    for vector in vectors["packets"]:
        packet = bytearray.fromhex(vector["hex"])
        decoder = make_decoder("openbci-cyton")
        first = bytes(packet)
        packet[1] += 1  # the next one: a packet alone could be an accident
        got = decoder.feed(first + packet)

        assert got.counts[0].tolist() == vector["counts"]
        assert got.counter[0] == vector["sample_number"]
    microvolts = 1000 / decoder.board.gain[0]
    assert microvolts == pytest.approx(vectors["scale_uV_per_count_gain24"], rel=1e-9)


def test_olimex_samples_of_upstreams_own_tests(shared: Path) -> None:
    vectors = json.loads((shared / "data/serial/vectors.json").read_text())["olimex"]
    for data, counts in vectors["data12"]:
        packet = b"\xa5\x5a\x02\x07" + bytes.fromhex(data) + b"\x01"
        got = make_decoder("olimex", channels=6).feed(packet)

        assert (1024 - got.counts[0]).tolist() == counts


CAPTURES = ("afib", "asys", "nsr", "s-brady", "sinus-pvc")


def whole_olimex_packets(data: bytes) -> list[tuple[int, bytes]]:
    """Return where packets begin, and they: looked for byte by byte."""
    found = []
    at = 0
    while at + 17 <= len(data):
        packet = data[at : at + 17]
        if (
            packet[:3] == b"\xa5\x5a\x02"
            and all(value < 1024 for value in struct.unpack(">6H", packet[4:16]))
            and packet[16] < 16
        ):
            found.append((at, packet))
            at += 17
        else:
            at += 1
    return found


@pytest.mark.parametrize("name", CAPTURES)
def test_olimex_capture_gives_every_whole_packet_and_no_torn_one(
    shared: Path, name: str
) -> None:
    data = (shared / f"data/serial/olimex/{name}.bin").read_bytes()
    whole = whole_olimex_packets(data)
    samples = [
        (at, packet)
        for at, packet in whole
        if not (packet[3] == 0 and packet[4:] == b"\x02\x00" * 6 + b"\x02")
    ]
    decoder = make_decoder("olimex-125")

    got = feed(decoder, cuts(data, random.Random(name), 300))

    first = [struct.unpack_from(">H", packet, 4)[0] for _, packet in samples]
    assert (1024 - got.counts[:, 0]).tolist() == first
    assert got.counter.tolist() == [packet[3] for _, packet in samples]
    assert got.ends.tolist() == [at + 17 for at, _ in samples]
    assert decoder.tally.packets == len(whole)
    assert len(whole) - len(samples) > 300
    assert got.notes == ("the board was reset", "Reset signal logged.")


def test_olimex_reset_is_noted_once_however_it_is_cut(shared: Path) -> None:
    data = (shared / "data/serial/olimex/nsr.bin").read_bytes()
    for longest in (1, 20, 2000):
        decoder = make_decoder("olimex-125")
        got = feed(decoder, cuts(data[:9000], random.Random(longest), longest))

        assert got.notes == ("the board was reset", "Reset signal logged.")
        assert got.restarts == (12,)


def test_bitalino_recording_gives_all_its_samples(shared: Path) -> None:
    folder = shared / "data/serial/bitalino"
    lines = (folder / "SampleECG.txt").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    decoder = make_decoder("bitalino")

    got = feed(decoder, [(folder / "SampleECG_frames.bin").read_bytes()])

    assert got.counts[:, 0].tolist() == [int(row[5]) for row in rows]
    assert got.counter.tolist() == [int(row[0]) for row in rows]
    assert decoder.tally == (22_350, 0, 0)


def test_bitalino_commands_name_rate_and_channels() -> None:
    """As the vendor's program sends them: rate 1000 Hz is 0xC3, channel 2 is bit 3."""
    assert make_decoder("bitalino").board.start_command == b"\xc3\x09"
    decoder = make_decoder("bitalino", channels=(1, 6), sampling_rate_hz=100)
    assert decoder.board.start_command == b"\x83\x85"
    assert decoder.board.leads == ("A1", "A6")


@pytest.mark.parametrize(
    "options",
    [
        {"channels": ()},
        {"channels": (2, 1)},
        {"channels": (1, 1)},
        {"channels": (0,)},
        {"sampling_rate_hz": 250},
    ],
)
def test_bitalino_that_does_not_exist_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="bitalino"):
        make_decoder("bitalino", **options)


def test_olimex_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="olimex at 256 Hz"):
        make_decoder("olimex", sampling_rate_hz=256)
