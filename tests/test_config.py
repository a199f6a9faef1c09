"""The configuration: one file that is default, schema and manual."""

import os
import random
import socket
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from edge import config
from edge.__main__ import main
from edge.errors import ConfigError

MANUAL = Path(__file__).parent.parent / "config" / "edge.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "edge.toml"
    path.write_text(text)
    return path


def test_manual_and_classes_have_the_same_keys_and_defaults() -> None:
    table = tomllib.loads(MANUAL.read_text())
    defaults = asdict(config.Settings())
    defaults["box"]["data_dir"] = str(defaults["box"]["data_dir"])

    assert table == {
        section: {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in keys.items()
        }
        for section, keys in defaults.items()
    }


def test_manual_explains_every_key() -> None:
    """The line above a key, or above the key before it, is a comment."""
    lines = MANUAL.read_text().splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert "#" in lines[number - 1] + lines[number - 2], line


def test_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert config.load(write(tmp_path, "")) == config.Settings()


def test_every_mistake_is_reported_at_once_with_the_nearest_name(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path,
        """
        [camera]
        rate = 5
        rotation_deg = 45
        width_px = "wide"
        [eggs]
        [store]
        commit_interval_ms = true
        [box]
        subject = "Jane Doe"
        """,
    )

    with pytest.raises(ConfigError) as error:
        config.load(path)

    lines = str(error.value).splitlines()
    assert len(lines) == 6
    assert all(str(path) in line for line in lines)
    assert "did you mean rate_hz?" in str(error.value)
    assert "did you mean ecg?" in str(error.value)
    assert "0, 90, 180, 270" in str(error.value)


@pytest.mark.parametrize(
    "region",
    ["[0.5]", "[0, 0, 1.1, 1]", "[0.5, 0, 0.6, 1]", "[0, 0, 0, 1]", '["a", 0, 1, 1]'],
)
def test_a_region_that_is_no_part_of_the_picture_is_refused(
    tmp_path: Path, region: str
) -> None:
    with pytest.raises(ConfigError, match=r"\[camera\] region = .*: must be"):
        config.load(write(tmp_path, f"[camera]\nregion = {region}"))


@pytest.mark.parametrize(
    ("ecg", "words"),
    [
        (
            'board = "olimex"\nleads = ["1", "2", "3", "4", "5", "6", "7"]',
            "board olimex has 1",
        ),
        ('board = "healthypi"\nleads = ["I", "II"]', "has 1"),
        ('leads = ["I", "I"]', "I twice"),
        ('leads = ["I", ""]', "leads has ''"),
        ('leads = ["I", "a\\nb"]', "leads has 'a\\nb'"),
    ],
)
def test_leads_and_columns_that_the_board_has_not_are_refused(
    ecg: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(f'[box]\ndata_dir = "."\n[ecg]\n{ecg}\n')

    for command in (["check-config", str(file)], ["run", "--config", str(file)]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert words in said
        assert len(said.splitlines()) == 1
    assert [*tmp_path.iterdir()] == [file]  # no recording was begun


def test_check_names_what_sections_and_devices_refuse_in_one_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(
        tmp_path,
        """
        [web]
        port = 0
        [ecg]
        leads = ["I", "I"]
        [camera]
        source = "synthetic"
        device = "seed=3 freez@3"
        """,
    )

    assert main(["check-config", str(file)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    for words in ("[web] port = 0", "names I twice", "not understand 'freez@3'"):
        assert sum(words in line and str(file) in line for line in said) == 1


@pytest.mark.parametrize(
    "device", ["freez@3", "seed=nan", "stall@inf", "flash_period_s=0.1", "seed"]
)
def test_drawn_patient_with_options_that_are_none_is_refused(
    device: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = f'[camera]\nsource = "synthetic"\ndevice = "{device}"'

    assert main(["check-config", str(write(tmp_path, camera))]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "number", ["1" + 400 * "0", "-1" + 400 * "0", "0x" + 9999 * "f"]
)
@pytest.mark.parametrize("key", ["rate_hz", "width_px", "region"])
def test_number_beyond_all_others_is_refused_in_words(
    key: str, number: str, tmp_path: Path
) -> None:
    value = f"[{number}, 0, 1, 1]" if key == "region" else number
    with pytest.raises(ConfigError, match=rf"\[camera\] {key} = .*: must be") as error:
        config.load(write(tmp_path, f"[camera]\n{key} = {value}"))

    assert len(str(error.value)) < 500 + len(str(tmp_path))


def test_file_as_windows_writes_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_bytes(b"\xef\xbb\xbf[web]\r\nport = 8081\r\n")

    assert config.load(path).web.port == 8081


@pytest.mark.parametrize("host", ["bed7.example.org", "fe80::1%eth0", ""])
def test_host_that_no_socket_unit_takes_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be an address"):
        config.load(write(tmp_path, f'[web]\nhost = "{host}"'))
    for address in ("localhost", "127.0.0.1", "0.0.0.0", "::", "::1"):
        config.load(write(tmp_path, f'[web]\nhost = "{address}"'))


@pytest.mark.parametrize(("excess", "name"), [(0, "d"), (1, "d"), (2, "ü")])
def test_a_data_folder_too_deep_for_the_control_socket_is_refused(
    excess: int, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = 107 + excess - len(os.fsencode(tmp_path.resolve())) - len("//control.sock")
    folder = name * (wanted // len(os.fsencode(name)))
    folder += "d" * (wanted - len(os.fsencode(folder)))
    file = write(tmp_path, f'[box]\ndata_dir = "{folder}"\n[web]\nport = "none"\n')

    assert main(["check-config", str(file)]) == 1
    said = capsys.readouterr().err
    assert "[web] port" in said  # all mistakes at once
    assert ("[box] data_dir" in said) == (excess > 0)
    (tmp_path / folder).mkdir()
    assert can_be_bound(tmp_path / folder / "control.sock") == (excess == 0)


def can_be_bound(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(str(path))
        except OSError:
            return False
    return True


def test_a_region_may_be_whole_numbers(tmp_path: Path) -> None:
    found = config.load(write(tmp_path, "[camera]\nregion = [0, 0.5, 1, 0.5]"))

    assert found.camera.region == (0.0, 0.5, 1.0, 0.5)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[box", "not a TOML file"),
        (b"\xff\xfe", "not a TOML file"),
        (b"x = " + 9999 * b"1", "not a TOML file"),
        (b"x = " + 9999 * b"[", "not a TOML file"),
        (None, "cannot be read"),
    ],
)
def test_unreadable_file_is_one_line(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "edge.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as error:
        config.load(path)

    assert len(str(error.value).splitlines()) == 1


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    settings = config.load(write(tmp_path, '[box]\ndata_dir = "var"'))
    assert settings.box.data_dir == tmp_path.resolve() / "var"
    assert settings.database.parent == settings.box.data_dir


def test_relative_paths_of_devices_and_models_start_at_the_file_too(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path,
        """
        [camera]
        source = "replay"
        device = "night"
        [pose]
        model = "../mine.tflite"
        tpu_library = "lib/libedgetpu.so.1"
        [ecg]
        source = "replay"
        port = "night"
        file = "before.csv"
        """,
    )
    video = '[camera]\nsource = "video"\ndevice = "bed.mp4"\n[ecg]\nport = "board"'
    start = tmp_path.resolve()

    found = config.load(path)
    assert found.camera.device == found.ecg.port == str(start / "night")
    assert found.ecg.file == str(start / "before.csv")
    assert found.pose.model == str(start / "../mine.tflite")
    assert found.pose.tpu_library == str(start / "lib/libedgetpu.so.1")
    assert found.pose.tpu_model == config.Pose().tpu_model  # of the models folder
    found = config.load(write(tmp_path, video))
    assert found.camera.device == str(start / "bed.mp4")
    assert found.ecg.port == str(start / "board")


@pytest.mark.parametrize(
    "text",
    [
        '[camera]\nsource = "synthetic"\ndevice = "seed=3"\n[ecg]\nport = "loop://"',
        '[camera]\nsource = "video"\ndevice = ""\n[ecg]\nport = ""',
        '[camera]\nsource = "video"\ndevice = "rtsp://bed7/"\n[ecg]\nport = "/dev/*"',
    ],
)
def test_what_is_no_relative_path_stays(text: str, tmp_path: Path) -> None:
    wanted = tomllib.loads(text)
    found = config.load(write(tmp_path, text))

    assert found.camera.device == wanted["camera"]["device"]
    assert found.ecg.port == wanted["ecg"]["port"]


def test_mutated_manual_is_accepted_or_refused_in_words(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    good = MANUAL.read_bytes()
    for _ in range(500):
        bad = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        path = tmp_path / "edge.toml"
        path.write_bytes(bad)
        said = mistakes_of(path)
        assert said is None or str(path) in said


def mistakes_of(path: Path) -> str | None:
    try:
        config.load(path)
    except ConfigError as error:
        return str(error)
    return None
