"""Model files: which are taken, which are refused, and how that is said."""

import hashlib
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge import models
from edge.errors import ModelError

PUBLISHED = "movenet_single_pose_lightning_ptq.tflite"
MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture(scope="module")
def published(shared: Path) -> Path:
    return shared / "models" / PUBLISHED


class Parser:
    """Stands for the runtime and takes note of what it was asked to parse."""

    def __init__(self) -> None:
        self.parsed: list[bytes] = []

    def Interpreter(self, model_content: bytes, **_: object) -> None:  # noqa: N802
        self.parsed.append(model_content)
        raise ValueError("not a model")


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> Parser:
    parser = Parser()
    monkeypatch.setattr(models, "runtime", parser)
    return parser


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        models.load_model(tmp_path / "none.tflite")

    assert "none.tflite cannot be read: No such file" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_changed_file_never_reaches_the_parser(
    published: Path, tmp_path: Path, parser: Parser
) -> None:
    content = bytearray(published.read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / PUBLISHED
    changed.write_bytes(content)

    with pytest.raises(ModelError, match="not a model this program knows"):
        models.load_model(changed)

    assert parser.parsed == []


def test_stated_sum_is_demanded(tmp_path: Path, parser: Parser) -> None:
    path = tmp_path / "own.tflite"
    path.write_bytes(b"own")

    with pytest.raises(ModelError, match="not 0000"):
        models.load_model(path, sha256="0000")
    assert parser.parsed == []

    with pytest.raises(ModelError, match="does not load on cpu: not a model"):
        models.load_model(path, sha256=hashlib.sha256(b"own").hexdigest())
    assert parser.parsed == [b"own"]


def test_model_for_another_device_is_refused(published: Path) -> None:
    with pytest.raises(ModelError, match="made for tpu, not cpu"):
        models.load_model(published.with_stem(published.stem + "_edgetpu"))

    with pytest.raises(ModelError, match="made for cpu, not tpu"):
        models.load_model(published, "tpu")


def test_other_tensors_are_refused(published: Path) -> None:
    class Thumbnails:
        def get_input_details(self) -> list[dict[str, object]]:
            return [{"shape": np.array([1, 96, 96, 1]), "dtype": np.uint8}]

        def get_output_details(self) -> list[dict[str, object]]:
            return [{"shape": np.array([1, 10]), "dtype": np.float32}]

    with pytest.raises(ModelError, match="no single-pose MoveNet"):
        models.check_tensors(published, Thumbnails())


def test_no_runtime_names_the_package(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "runtime", None)

    with pytest.raises(ModelError, match="install ai-edge-litert"):
        models.load_model(published)


def test_missing_edge_tpu_library_is_named(shared: Path) -> None:
    path = shared / "models" / PUBLISHED.replace("ptq", "ptq_edgetpu")

    with pytest.raises(ModelError, match=r"libedgetpu-absent\.so\.1 cannot be loaded"):
        models.load_model(path, "tpu", library="libedgetpu-absent.so.1")


@pytest.mark.parametrize("origin", ["own", "published"])
def test_models_take_and_give_the_same(
    origin: str, request: pytest.FixtureRequest
) -> None:
    path = models.find_model()
    if origin == "published":
        path = request.getfixturevalue("published")
    model = models.load_model(path)
    keypoints = model.infer(np.zeros((192, 192, 3), np.uint8))

    assert (model.name, model.device, model.size) == (path.name, "cpu", 192)
    assert keypoints.shape == (17, 3)
    assert keypoints.dtype == np.float32
    assert ((keypoints[:, 2] >= 0) & (keypoints[:, 2] <= 1)).all()


def test_wrong_square_is_a_model_error() -> None:
    model = models.load_model(models.find_model())

    with pytest.raises(ModelError, match="failed on cpu"):
        model.infer(np.zeros((96, 192, 3), np.uint8))


def test_model_is_found_where_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match=f"no model own.tflite in {tmp_path}: run"):
        models.find_model("own.tflite")

    (tmp_path / "own.tflite").touch()
    assert models.find_model("own.tflite") == tmp_path / "own.tflite"
    assert models.find_model("./here.tflite") == Path("here.tflite")


def test_readme_lists_the_models_that_are_known() -> None:
    text = (MODELS / "README.md").read_text()
    rows = re.findall(r"^\| `(\S+)` \| (.*?) \| (\d+) \| `(\w{64})`", text, re.M)

    devices = {"CPU": "cpu", "Edge TPU": "tpu"}
    listed = {sha256: (name, devices[device]) for name, device, _, sha256 in rows}
    assert listed == models.KNOWN


def test_own_model_is_small_and_the_one_that_is_known() -> None:
    content = (MODELS / models.DEFAULT).read_bytes()

    assert len(content) <= 3_000_000
    assert models.KNOWN[hashlib.sha256(content).hexdigest()].name == models.DEFAULT


def fetch(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MODELS.parent / "scripts" / "fetch-models", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_fetched_models_are_those_that_are_known(shared: Path, tmp_path: Path) -> None:
    done = fetch("--from", shared / "models", "--to", tmp_path)

    assert done.returncode == 0, done.stderr
    found = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path.name
        for path in tmp_path.iterdir()
    }
    assert len(found) == 2
    assert all(models.KNOWN[sha256].name == name for sha256, name in found.items())
    assert fetch("--from", "/nowhere", "--to", tmp_path).returncode == 0


def test_fetching_keeps_no_file_with_a_wrong_sum(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    for name in (PUBLISHED, PUBLISHED.replace("ptq", "ptq_edgetpu")):
        (tmp_path / "from" / name).write_bytes(b"something else")

    done = fetch("--from", tmp_path / "from", "--to", tmp_path / "to")

    assert done.returncode == 1
    assert "has SHA-256" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list((tmp_path / "to").iterdir()) == []


def test_fetching_names_the_file_that_a_folder_lacks(tmp_path: Path) -> None:
    done = fetch("--from", tmp_path, "--to", tmp_path / "to")

    assert done.returncode == 1
    assert done.stderr == f"There is no {PUBLISHED} in {tmp_path}.\n"
