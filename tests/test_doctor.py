"""What the doctor finds, on machines made up of files."""

import json
from pathlib import Path

import pytest
from doctor_rig import Systemd, install, levels, put, settings

from edge import config, doctor
from edge.__main__ import main
from edge.database import folder as data_folder
from edge.doctor import board, camera, card, tpu
from edge.doctor.machine import Machine
from edge.sources.ports import Port

PLUGGED = "usb-FTDI_FT232R_A10K3XYZ-if00-port0"


@pytest.fixture
def empty(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_bare_machine_is_told_without_error(empty: Machine) -> None:
    findings = doctor.examine(settings(empty.root), empty)

    assert "fault" in levels(findings)
    for finding in findings:
        assert "\n" not in finding.says + finding.mend
        assert bool(finding.mend) == (finding.level != "ok")


def test_this_machine_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(tmp_path)
    code = main(["doctor", "--json", "--config", str(tmp_path / "edge.toml")])
    findings = json.loads(capsys.readouterr().out)["findings"]
    main(["doctor", "--config", str(tmp_path / "edge.toml")])
    table = capsys.readouterr().out

    assert code == int(any(entry["level"] == "fault" for entry in findings))
    assert {entry["part"] for entry in findings} >= {"camera", "serial", "disk"}
    assert all(entry["says"] in table for entry in findings)


@pytest.mark.parametrize(
    ("toml", "level"),
    [
        ('[camera]\nsource = "none"', "ok"),
        ('[camera]\nsource = "synthetic"', "warning"),
        ('[camera]\nsource = "video"\ndevice = "/dev/no-such-camera"', "fault"),
        ('[camera]\nsource = "video"\ndevice = "/dev/null"', "ok"),
        ('[camera]\nsource = "picamera"', "fault"),
    ],
)
def test_camera_of_the_configuration(
    toml: str, level: str, empty: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "find_spec", lambda _: object())

    assert levels(camera.check(settings(empty.root, toml), empty)) == [level]


@pytest.mark.parametrize("name", ["unicam-image", "rp1-cfe-csi2_ch0"])
def test_pi_camera_is_seen_by_its_receiver(
    name: str, empty: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "find_spec", lambda _: object())
    assert camera.pi_camera(empty).level == "fault"
    put(empty.root, "sys/class/video4linux/video0/name", f"{name}\n")

    assert camera.pi_camera(empty).level == "ok"


def test_webcam_without_the_library_for_it_is_a_fault(
    empty: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "find_spec", lambda _: None)
    toml = '[camera]\nsource = "video"\ndevice = "/dev/null"'

    (finding,) = camera.check(settings(empty.root, toml), empty)

    assert finding.level == "fault"
    assert "PyAV" in finding.says


def plug_coral(root: Path, product: str, library: str) -> None:
    vendor, product = product.split(":")
    put(root, "sys/bus/usb/devices/2-1/idVendor", f"{vendor}\n")
    put(root, "sys/bus/usb/devices/2-1/idProduct", f"{product}\n")
    status = "Package: libedgetpu1-std\nStatus: install ok installed\n"
    put(root, "var/lib/dpkg/status", f"{status}Version: {library}\n\nPackage: x\n")


@pytest.mark.parametrize(
    ("library", "level"),
    [
        ("16.0tf2.19.1-1.bookworm", "ok"),
        ("16.0", "fault"),
        ("16.0-1", "fault"),  # another build of Google's
        ("", "fault"),
    ],
)
@pytest.mark.parametrize("product", [tpu.FRESH, tpu.LOADED])
def test_tpu_library_that_crashes_is_named(
    product: str, library: str, level: str, empty: Machine
) -> None:
    plug_coral(empty.root, product, library)
    findings = tpu.check(settings(empty.root), empty)

    assert f"plugged in ({product})" in [finding.says for finding in findings]
    assert tpu.library(empty).level == level


def test_tpu_library_of_no_package_or_of_the_settings_is_believed(
    empty: Machine,
) -> None:
    """As the recorder does, which only tries to load it."""
    plug_coral(empty.root, tpu.LOADED, "16.0")
    own, absent = empty.root / "libtpu.so", empty.root / "none.so"
    put(empty.root, "libtpu.so", "")
    for path, level in ((own, "ok"), (absent, "fault")):
        toml = f'[pose]\ntpu_library = "{path}"'
        findings = tpu.check(settings(empty.root, toml), empty)
        assert [f.level for f in findings if str(path) in f.says] == [level]
        assert not any("crashes" in finding.says for finding in findings)

    put(empty.root, "var/lib/dpkg/status", "")
    put(empty.root, "usr/lib/aarch64-linux-gnu/libedgetpu.so.1", "")
    assert tpu.library(empty).level == "ok"


@pytest.mark.parametrize(
    ("model", "mend"),
    [
        ("movenet_lightning_int8.tflite", "sudo scripts/install"),
        (
            "movenet_thunder_int8.tflite",
            "scripts/build-model --thunder && sudo scripts/install",
        ),
        (
            "movenet_single_pose_lightning_ptq.tflite",
            "scripts/fetch-models && sudo scripts/install",
        ),
    ],
)
def test_missing_model_is_mended_by_what_has_it(
    model: str, mend: str, empty: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_MODELS", str(empty.root))
    found = tpu.check(settings(empty.root, f'[pose]\nmodel = "{model}"'), empty)[0]

    assert (found.part, found.level, found.mend) == ("model", "fault", mend)


def test_absent_tpu_is_a_warning_unless_switched_off(empty: Machine) -> None:
    wanted = tpu.check(settings(empty.root), empty)
    unwanted = tpu.check(settings(empty.root, '[pose]\ndevice = "cpu"'), empty)

    assert [f.level for f in wanted if f.part == "tpu"] == ["warning"]
    assert [f.level for f in unwanted if f.part == "tpu"] == ["ok"]


@pytest.mark.parametrize(
    ("supply_ma", "raised", "level"),
    [(5000, 0, "ok"), (3000, 0, "warning"), (3000, 1, "ok")],
)
def test_supply_of_a_pi_5_is_weighed_against_the_coral(
    supply_ma: int, raised: int, level: str, empty: Machine
) -> None:
    power = "proc/device-tree/chosen/power"
    put(empty.root, f"{power}/max_current", supply_ma.to_bytes(4, "big"))
    put(empty.root, f"{power}/usb_max_current_enable", raised.to_bytes(4, "big"))

    assert levels(tpu.power(empty)) == [level]


@pytest.fixture
def plugged(empty: Machine) -> Machine:
    """Return a machine with an FTDI adapter, as udev and the kernel show it."""
    put(empty.root, "dev/ttyUSB0", "")
    link = empty.root / "dev/serial/by-id" / PLUGGED
    link.parent.mkdir(parents=True)
    link.symlink_to(empty.root / "dev/ttyUSB0")
    put(empty.root, "sys/bus/usb-serial/devices/ttyUSB0/latency_timer", "1\n")
    return empty


def test_board_that_is_well(plugged: Machine) -> None:
    (found, quick) = board.check(settings(plugged.root), plugged)

    assert (found.level, quick.level) == ("ok", "ok")
    assert f"/dev/serial/by-id/{PLUGGED}" in found.says


def test_slow_adapter_and_fleeting_name_are_warnings(plugged: Machine) -> None:
    put(plugged.root, "sys/bus/usb-serial/devices/ttyUSB0/latency_timer", "16\n")
    toml = '[ecg]\nport = "/dev/ttyUSB0"'

    assert levels(board.check(settings(plugged.root, toml), plugged)) == [
        "warning",
        "warning",
    ]


def open_port(root: Path, process: int, program: str, parent: int) -> None:
    """Let *process* have the board's port open, as /proc shows it."""
    put(root, f"proc/{process}/comm", f"{program}\n")
    put(root, f"proc/{process}/status", f"Name:\t{program}\nPPid:\t{parent}\n")
    folder = root / f"proc/{process}/fd"
    folder.mkdir()
    (folder / "5").symlink_to("/dev/ttyUSB0")


@pytest.mark.parametrize("recording", ["service", "by hand", "not at all"])
@pytest.mark.parametrize("program", ["ModemManager", "python3", "edge"])
def test_program_that_reads_the_port_as_well_is_named(
    program: str, recording: str, plugged: Machine
) -> None:
    """Whatever it is called: `python -m serial.tools.miniterm` is the usual one."""
    if recording != "not at all":
        open_port(plugged.root, 300, "edge", 1)
        open_port(plugged.root, 301, "edge", 300)
    chosen = settings(plugged.root)
    if recording == "by hand":
        put(plugged.root, "data/recording.db.lock", "300\n")
    systemd = Systemd(plugged.root, "300" if recording == "service" else "0")
    assert levels(board.check(chosen, systemd)[2:]) == []

    open_port(plugged.root, 4711, program, 1)
    (finding,) = board.check(chosen, systemd)[2:]

    assert finding.level == "fault"
    assert f"{program} (4711)" in finding.says
    assert "300" not in finding.says
    assert finding.mend == "sudo kill 4711"


def test_process_that_ends_while_it_is_looked_at_is_passed_over(
    plugged: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_port(plugged.root, 4711, "miniterm", 1)
    listed = plugged.glob("proc/[0-9]*")
    (plugged.root / "proc/4711").rename(plugged.root / "gone")
    monkeypatch.setattr(Machine, "glob", lambda *_: listed)
    port = Port("board", str(plugged.root / "dev/ttyUSB0"), "")

    assert board.holders(port, plugged) == set()


def test_port_that_is_an_address_is_a_warning(empty: Machine) -> None:
    toml = '[ecg]\nport = "loop://"'
    found, *_ = board.check(settings(empty.root, toml), empty)
    assert found.level == "warning"
    assert "loop://" in found.says


def test_absent_board_is_a_fault(empty: Machine) -> None:
    (finding,) = board.check(settings(empty.root), empty)
    assert finding.level == "fault"
    assert "plug the board in" in finding.says


@pytest.fixture
def on_disk(empty: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine whose data folder is on ext4, wherever this test runs."""
    (empty.root / "data").mkdir()
    put(empty.root, "mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
    monkeypatch.setattr(data_folder, "MOUNTS", empty.root / "mountinfo")
    return empty


def test_disk_with_room_without_and_with_too_little(
    on_disk: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(on_disk.root, "[store]\ncapacity_gb = 10.0")
    found = []
    for free in (20_000_000_000, 5_000_000_000, 100_000_000):
        monkeypatch.setattr(card, "free_bytes", lambda _, free=free: free)
        found += levels(card.check(chosen, on_disk))

    assert found == ["ok", "warning", "fault"]


@pytest.mark.parametrize("kind", ["tmpfs", "overlay"])
def test_data_folder_that_forgets_is_a_fault(kind: str, on_disk: Machine) -> None:
    put(on_disk.root, "mountinfo", f"1 0 8:1 / / rw - {kind} none rw\n")

    (finding,) = card.check(settings(on_disk.root), on_disk)

    assert finding.level == "fault"
    assert str(on_disk.root / "data") in finding.says


def test_data_folder_that_the_units_cannot_see_is_a_fault_once_installed(
    empty: Machine,
) -> None:
    put(empty.root, "edge.toml", '[box]\ndata_dir = "/home/pi/data"')
    chosen = config.load(empty.root / "edge.toml")
    assert card.sight(chosen, empty) == []
    install(empty.root)

    (finding,) = card.sight(chosen, empty)

    assert finding.level == "fault"
    assert "cannot see /home/pi/data" in finding.says


def test_missing_data_folder_is_a_fault(empty: Machine) -> None:
    assert levels(card.check(settings(empty.root), empty)) == ["fault"]
