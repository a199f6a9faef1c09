"""
A TensorFlow.js graph, node by node, as TensorFlow operations.

The file format: ``modelTopology.node`` lists nodes with ``name``, ``op``, ``input``
and ``attr``; ``weightsManifest`` names the arrays in the ``.bin`` file in order.
"""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

Node = dict[str, Any]


class Graph:
    """The nodes and weights of a model, of which any part can be evaluated."""

    def __init__(self, path: Path) -> None:
        """Read the model *path*, a ``.json`` beside its ``.bin``."""
        model = json.loads(path.read_text())
        self._nodes: dict[str, Node] = {
            node["name"]: node for node in model["modelTopology"]["node"]
        }
        (manifest,) = model["weightsManifest"]
        content = b"".join(
            (path.parent / name).read_bytes() for name in manifest["paths"]
        )
        self._weights = read_weights(manifest["weights"], content)

    def named(self, ending: str) -> str:
        """Return the name of the only operation whose name ends in *ending*."""
        (name,) = (
            name
            for name, node in self._nodes.items()
            if name.endswith(ending) and node["op"] != "Const"
        )
        return name

    def picture_size(self) -> int:
        """Return the height and width of the picture the model takes, pixels."""
        (fed,) = (n for n in self._nodes.values() if n["op"] == "Placeholder")
        return int(fed["attr"]["shape"]["shape"]["dim"][1]["size"])

    def evaluate(self, fed: dict[str, Any], wanted: Sequence[str]) -> list[Any]:
        """Return the tensors of the nodes *wanted*, given those of the nodes *fed*."""
        known = dict(fed)
        return [self._tensor(name, known) for name in wanted]

    def _tensor(self, reference: str, known: dict[str, Any]) -> Any:
        name, _, index = reference.partition(":")
        if name not in known:
            known[name] = self._operate(self._nodes[name], known)
        value = known[name]
        return value[int(index or 0)] if isinstance(value, list) else value

    def _operate(self, node: Node, known: dict[str, Any]) -> Any:
        if node["op"] == "Const":
            return tf.constant(self._weights[node["name"]])
        inputs = [self._tensor(name, known) for name in node["input"]]
        return OPERATIONS[node["op"]](node.get("attr", {}), inputs, node["name"])


def read_weights(
    entries: list[dict[str, Any]], content: bytes
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays that *content* holds end to end, in their original type."""
    weights, position = {}, 0
    for entry in entries:
        stored = np.dtype(entry.get("quantization", entry)["dtype"])
        count = int(np.prod(entry["shape"], dtype=int))
        array = np.frombuffer(content, stored, count, position)
        weights[entry["name"]] = array.reshape(entry["shape"]).astype(entry["dtype"])
        position += count * stored.itemsize
    if position != len(content):
        raise ValueError(f"the weights end at byte {position} of {len(content)}")
    return weights


def words(attribute: dict[str, Any]) -> list[str]:
    """Return the strings of an attribute, which are kept in base 64."""
    return [base64.b64decode(word).decode() for word in attribute["list"].get("s", [])]


def numbers(attribute: dict[str, Any]) -> list[int]:
    """Return the integers of an attribute, which are kept as strings."""
    return [int(number) for number in attribute["list"]["i"]]


def number(tensor: Any) -> int:
    """Return the one integer that a constant tensor holds."""
    return int(np.ravel(tf.get_static_value(tensor))[0])


FUSED: dict[str, Callable[[Any, Any], Any]] = {
    "BiasAdd": lambda x, bias: tf.nn.bias_add(x, bias),
    "Relu": lambda x, _: tf.nn.relu(x),
    "Relu6": lambda x, _: tf.nn.relu6(x),
}


def dense(attributes: dict[str, Any], inputs: list[Any], name: str) -> Any:
    """Return a convolution with what is fused to it."""
    dilations = numbers(attributes["dilations"])
    return convolution(tf.nn.conv2d, dilations, attributes, inputs, name)


def depthwise(attributes: dict[str, Any], inputs: list[Any], name: str) -> Any:
    """Return a convolution of each channel by itself, with what is fused to it."""
    dilations = numbers(attributes["dilations"])[1:3]
    return convolution(tf.nn.depthwise_conv2d, dilations, attributes, inputs, name)


def convolution(
    convolve: Callable[..., Any],
    dilations: list[int],
    attributes: dict[str, Any],
    inputs: list[Any],
    name: str,
) -> Any:
    """Return what *convolve* makes of *inputs*, with what is fused to it."""
    result = convolve(
        inputs[0],
        inputs[1],
        strides=numbers(attributes["strides"]),
        padding=base64.b64decode(attributes["padding"]["s"]).decode(),
        dilations=dilations,
        name=name,
    )
    for fused in words(attributes.get("fused_ops", {"list": {}})):
        result = FUSED[fused](result, inputs[-1])
    return result


def resize(attributes: dict[str, Any], inputs: list[Any], name: str) -> Any:
    """Return a picture resized bilinearly."""
    return tf.raw_ops.ResizeBilinear(
        images=inputs[0],
        size=inputs[1],
        align_corners=attributes["align_corners"]["b"],
        half_pixel_centers=attributes["half_pixel_centers"]["b"],
    )


TYPES = {"DT_FLOAT": tf.float32, "DT_INT32": tf.int32}

OPERATIONS: dict[str, Callable[[dict[str, Any], list[Any], str], Any]] = {
    "_FusedConv2D": dense,
    "DepthwiseConv2dNative": depthwise,
    "FusedDepthwiseConv2dNative": depthwise,
    "ResizeBilinear": resize,
    "AddV2": lambda _, x, name: tf.add(*x, name=name),
    "ArgMax": lambda _, x, name: tf.argmax(x[0], number(x[1]), tf.int32, name),
    "Cast": lambda a, x, name: tf.cast(x[0], TYPES[a["DstT"]["type"]], name),
    "ConcatV2": lambda _, x, name: tf.concat(x[:-1], number(x[-1]), name),
    "ExpandDims": lambda _, x, name: tf.expand_dims(x[0], number(x[1]), name),
    "FloorDiv": lambda _, x, name: tf.math.floordiv(*x, name=name),
    "GatherNd": lambda _, x, name: tf.gather_nd(*x, name=name),
    "Identity": lambda _, x, name: tf.identity(x[0], name),
    "Mul": lambda _, x, name: tf.multiply(*x, name=name),
    "Pack": lambda a, x, name: tf.stack(x, int(a["axis"]["i"]), name),
    "RealDiv": lambda _, x, name: tf.divide(*x, name=name),
    "Reshape": lambda _, x, name: tf.reshape(*x, name=name),
    "Sigmoid": lambda _, x, name: tf.sigmoid(x[0], name),
    "Sqrt": lambda _, x, name: tf.sqrt(x[0], name),
    "SquaredDifference": lambda _, x, name: tf.math.squared_difference(*x, name=name),
    "Squeeze": lambda a, x, name: tf.squeeze(x[0], numbers(a["squeeze_dims"]), name),
    "Sub": lambda _, x, name: tf.subtract(*x, name=name),
    "Unpack": lambda a, x, name: tf.unstack(
        x[0], int(a["num"]["i"]), int(a["axis"]["i"]), name
    ),
}
