"""
Write the int8 model and, to compare it with, the same in float.

    python -m scripts.movenet INPUTS NAME INT8 FLOAT

*INPUTS* is the folder where the packages of ``scripts/build-model`` are unpacked,
*NAME* "lightning" or "thunder".

Three parts are joined. The first convolutions and what follows the backbone stay in
float: few weights, and most of what int8 would cost in accuracy. The backbone between
them is int8, its weights with a scale for each channel.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from scripts.movenet import calibration
from scripts.movenet.graph import Graph
from scripts.movenet.join import Part, join

SEED = 1
ROUNDS = 4  # squares of each picture of the calibration set
TRIED, FARTHEST = 112, 2.0
"""Squares that int8 and float are compared on, and how far apart the median keypoint
may be, in pixels of the square."""

PICTURE = "StatefulPartitionedCall/sub_1"  # the picture, from -1 to 1
RESULT = "Identity"
STEM = "block_2_add/add"
FEATURES = ["block_5_add/add", "block_9_add/add", "model_1/conv2d/BiasAdd"]


def main(argv: Sequence[str] | None = None) -> int:
    """Build both models and compare them."""
    parser = argparse.ArgumentParser(prog="scripts.movenet")
    parser.add_argument("inputs", type=Path)
    parser.add_argument("name")
    parser.add_argument("int8", type=Path)
    parser.add_argument("float", type=Path)
    arguments = parser.parse_args(argv)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    graph = Graph(arguments.inputs / f"package/models/movenet-{arguments.name}.json")
    size = graph.picture_size()
    people = calibration.pictures(arguments.inputs)
    arguments.float.write_bytes(float_model(graph))
    learnt = calibration.squares(people, ROUNDS, SEED, size)
    arguments.int8.write_bytes(int8_model(graph, learnt))
    tried = calibration.squares(people, 2, SEED + 1, size)[:TRIED]
    apart = compare(arguments.float, arguments.int8, tried)
    for path in (arguments.float, arguments.int8):
        content = path.read_bytes()
        print(hashlib.sha256(content).hexdigest(), len(content), path.name)
    print(f"median keypoint {apart:.2f} pixels of {size} from float")
    return int(apart > FARTHEST)


def float_model(graph: Graph) -> bytes:
    """Return all of *graph* in float, from a uint8 picture."""
    return part(graph, None, [RESULT]).content


def int8_model(graph: Graph, learnt: list[NDArray[np.uint8]]) -> bytes:
    """Return *graph* in the three parts, with ranges from the squares *learnt*."""
    stem, features = graph.named(STEM), [graph.named(name) for name in FEATURES]
    first = part(graph, None, [stem])
    seen = [output(first.content, square) for square in learnt]
    middle = part(graph, [stem], features, seen)
    return join([first, middle, part(graph, [stem, *features], [RESULT])])


def part(
    graph: Graph,
    inputs: list[str] | None,
    outputs: list[str],
    seen: list[NDArray[np.float32]] | None = None,
) -> Part:
    """
    Return the part of *graph* from the nodes *inputs*, or from the uint8 picture, to
    the nodes *outputs*; int8 where *seen* has values of the only input.
    """
    function = (
        from_picture(graph, outputs)
        if inputs is None
        else from_nodes(graph, inputs, outputs)
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], function
    )
    if seen is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([value] for value in seen)
    return Part(converter.convert(), inputs or [PICTURE], outputs)


def from_picture(graph: Graph, outputs: list[str]) -> Any:
    """Return the function of a uint8 picture that gives the nodes *outputs*."""

    def function(picture: Any) -> Any:
        scaled = tf.cast(picture, tf.float32) * (1 / 127.5) - 1.0
        return graph.evaluate({PICTURE: scaled}, outputs)

    size = graph.picture_size()
    shape = [1, size, size, 3]
    return tf.function(function, [tf.TensorSpec(shape, tf.uint8)], autograph=False)


def from_nodes(graph: Graph, inputs: list[str], outputs: list[str]) -> Any:
    """Return the function of the nodes *inputs* that gives the nodes *outputs*."""
    shapes = from_picture(graph, inputs).get_concrete_function().structured_outputs

    def function(*values: Any) -> Any:
        return graph.evaluate(dict(zip(inputs, values, strict=True)), outputs)

    return tf.function(
        function,
        [tf.TensorSpec(value.shape, tf.float32) for value in shapes],
        autograph=False,
    )


def output(content: bytes, square: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what the model *content* makes of *square*."""
    return runner(content)(square)


def runner(content: bytes) -> Any:
    """Return the function that runs the model *content* on a square."""
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (fed,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(square: NDArray[np.uint8]) -> NDArray[np.float32]:
        interpreter.set_tensor(fed["index"], square[np.newaxis])
        interpreter.invoke()
        result: NDArray[np.float32] = interpreter.get_tensor(given["index"])
        return result

    return run


def compare(one: Path, other: Path, tried: list[NDArray[np.uint8]]) -> float:
    """
    Return how far apart, as median in pixels of the square, the models *one* and
    *other* see the keypoints that *one* is sure of.
    """
    runs = runner(one.read_bytes()), runner(other.read_bytes())
    first, second = (np.stack([run(s)[0, 0] for s in tried]) for run in runs)
    sure = first[:, :, 2] > 0.3
    away = np.hypot(*(first - second)[sure, :2].T) * tried[0].shape[0]
    return float(np.median(away))


if __name__ == "__main__":
    sys.exit(main())
