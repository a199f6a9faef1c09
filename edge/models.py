"""
The one door to the inference runtime: MoveNet files in, keypoints out.

A model file is read once; its SHA-256 is compared with the sums of `KNOWN` before
the runtime's parser sees a byte, and the interpreter is made from that very buffer.
LiteRT is the runtime; tflite-runtime where that is what is installed.
"""

import ctypes
import hashlib
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.edgetpu import KNOWN_GOOD, installed_library, misfit
from edge.errors import ModelError

try:
    from ai_edge_litert import interpreter as runtime
except ImportError:
    try:
        from tflite_runtime import interpreter as runtime
    except ImportError:
        runtime = None

NAME = runtime.__name__.partition(".")[0].replace("_", "-") if runtime else "none"
"""Of the runtime: "ai-edge-litert" or "tflite-runtime"."""

Device = Literal["cpu", "tpu"]

DEFAULT = "movenet_lightning_int8.tflite"
THUNDER = "movenet_thunder_int8.tflite"
EDGE_TPU_LIBRARY = "libedgetpu.so.1"
LARGEST_BYTES = 64 << 20
"""No MoveNet is larger; what is larger is not read."""


class KnownFile(NamedTuple):
    """A model file this program was written for."""

    name: str
    device: Device


KNOWN: dict[str, KnownFile] = {
    # SHA-256 → file; models/README.md says where each comes from
    "28518064dd59badb1b994e547def59732d5ae4824cdd1f2e71a2f60583c60fa6": KnownFile(
        DEFAULT, "cpu"
    ),
    "03d0524b91fb661f745ee237571f0c0e560c0b5f06169bbeb8e84da9ac9d36da": KnownFile(
        THUNDER, "cpu"
    ),
    "cd7cc22fa946e5d146a7b98d496853e1923e22828d3972d579973f27f91bb105": KnownFile(
        "movenet_single_pose_lightning_ptq.tflite", "cpu"
    ),
    "25c88b77586f65c5c80d868c0555fb194f2b38c0b55aa491f4a93b7d7da58e78": KnownFile(
        "movenet_single_pose_lightning_ptq_edgetpu.tflite", "tpu"
    ),
}


class Model:
    """A single-pose MoveNet on a device. Made by `load_model`."""

    def __init__(self, name: str, device: Device, interpreter: Any) -> None:
        self.name = name
        self.device = device
        self._interpreter = interpreter
        self._input: int = interpreter.get_input_details()[0]["index"]
        self._output: int = interpreter.get_output_details()[0]["index"]
        self.size: int = int(interpreter.get_input_details()[0]["shape"][1])
        """Height and width of the picture it takes, pixels."""

    def infer(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        """
        Return the keypoints in *square*, a uint8 array of shape (size, size, 3), RGB.

        The result has the shape (17, 3): y and x as fractions of the square, and the
        score from 0 to 1, float32, in the order of `records.KEYPOINTS`.

        :raises ModelError: if the device fails
        """
        try:
            self._interpreter.set_tensor(self._input, square[np.newaxis])
            self._interpreter.invoke()
            keypoints: NDArray[np.float32] = self._interpreter.get_tensor(self._output)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self.name} failed on {self.device}: {error}") from error
        return keypoints.reshape(17, 3)


def find_model(name: str = DEFAULT) -> Path:
    """
    Return the path of the model file *name*: itself where it is a path, else in the
    folder that ``EDGE_MODELS`` names, the source tree's ``models``, or the system's.

    :raises ModelError: if none of them has it
    """
    if "/" in name:
        return Path(name)
    folders = [
        Path(__file__).parent.parent / "models",
        Path("/usr/share/ecg-pose-edge/models"),
    ]
    if own := os.environ.get("EDGE_MODELS"):
        folders = [Path(own)]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    places = " or ".join(str(folder) for folder in folders)
    raise ModelError(
        f"no model {name} in {places}: run scripts/build-model or scripts/fetch-models,"
        " or set EDGE_MODELS to the folder that has it"
    )


def load_model(
    path: Path,
    device: Device = "cpu",
    threads: int = 2,
    sha256: str | None = None,
    library: str = EDGE_TPU_LIBRARY,
) -> Model:
    """
    Return the model in the file *path*, ready to run on *device*.

    *threads* is for the CPU, *library* for the Edge TPU. *sha256*, in hexadecimal,
    admits a file that is not in `KNOWN`.

    :raises ModelError: if the file is missing, has another sum than expected, is for
        another device or is no single-pose MoveNet, or the device refused it
    """
    if runtime is None:
        raise ModelError(
            "no inference runtime is installed: install ai-edge-litert or,"
            " for Python 3.11, tflite-runtime"
        )
    content = read_checked(path, device, sha256)
    delegates = [load_edge_tpu(library)] if device == "tpu" else []
    try:
        interpreter = runtime.Interpreter(
            model_content=content,
            num_threads=threads,
            experimental_delegates=delegates,
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{path} does not load on {device}: {error}") from error
    check_tensors(path, interpreter)
    return Model(path.name, device, interpreter)


def read_checked(path: Path, device: Device, sha256: str | None) -> bytes:
    """
    Return the bytes of the model file *path* if their sum is a known one for *device*
    or equals *sha256*.

    :raises ModelError: if not, or if the file cannot be read
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ModelError(
            f"the model {path} cannot be read: {error.strerror}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None:
        if found != sha256:
            raise ModelError(f"{path} has SHA-256 {found}, not {sha256}")
        return content
    known = KNOWN.get(found)
    if known is None:
        raise ModelError(
            f"{path} is not a model this program knows (SHA-256 {found});"
            " models/README.md lists those it does: fetch or build it again"
        )
    if known.device != device:
        raise ModelError(f"{path} is made for {known.device}, not {device}")
    return content


def load_edge_tpu(library: str) -> Any:
    """
    Return the delegate of *library* that runs a model on the Edge TPU.

    Opening the device takes seconds and holds the interpreter lock meanwhile.

    :raises ModelError: if the library or the device is missing, or the library is
        known to crash this runtime
    """
    assert runtime is not None
    if library == EDGE_TPU_LIBRARY and (why := misfit(installed_library(), NAME)):
        raise ModelError(why)
    try:
        # Asked first, since a delegate without its library also fails when deleted.
        ctypes.CDLL(library)
        return runtime.load_delegate(library)
    except OSError as error:
        raise ModelError(
            f"{library} cannot be loaded, which the Edge TPU needs: {error}; "
            f"install libedgetpu1-std {KNOWN_GOOD}"
        ) from error
    except ValueError as error:
        raise ModelError(
            "no Edge TPU answers: is it plugged in, and may this user open it"
            " (group plugdev)?"
        ) from error


def check_tensors(path: Path, interpreter: Any) -> None:
    """
    Compare the tensors of *interpreter* with those of a single-pose MoveNet.

    :raises ModelError: if they differ
    """
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    shapes = [list(tensor["shape"]) for tensor in (*inputs, *outputs)]
    types = [tensor["dtype"] for tensor in (*inputs, *outputs)]
    size = shapes[0][1] if len(shapes[0]) == 4 else 0
    expected = [[1, size, size, 3], [1, 1, 17, 3]]
    if shapes != expected or types != [np.uint8, np.float32]:
        raise ModelError(
            f"{path} is no single-pose MoveNet: its tensors are {shapes}, not"
            f" uint8 [1, size, size, 3] and float32 [1, 1, 17, 3]"
        )
