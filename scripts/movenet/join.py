"""
Model files put end to end, so that each part keeps the precision it was given.

TensorFlow's converter makes a model int8 from its first operation to its last. Parts
converted one by one and joined here keep float where it pays.
"""

import bisect
from typing import Any, NamedTuple

import flatbuffers
from tensorflow.lite.python import schema_py_generated as schema


class Part(NamedTuple):
    """A converted model and the names of its inputs and outputs, in order."""

    content: bytes
    inputs: list[str]
    outputs: list[str]


def join(parts: list[Part]) -> bytes:
    """
    Return one model of *parts*: each takes what is called like its inputs from those
    before it. It has the inputs of the first and the outputs of the last.
    """
    whole = parsed(parts[0])
    graph = whole.subgraphs[0]
    places = dict(zip(parts[0].outputs, graph.outputs, strict=True))
    for part in parts[1:]:
        outputs = append(whole, parsed(part), [places[name] for name in part.inputs])
        places.update(zip(part.outputs, outputs, strict=True))
    graph.outputs = [places[name] for name in parts[-1].outputs]
    drop_spare_buffers(whole)
    builder = flatbuffers.Builder(1 << 22)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def parsed(part: Part) -> Any:
    """Return the model of *part* as objects, without what describes it to people."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(part.content), 0)
    model.signatureDefs, model.metadata, model.metadataBuffer = [], [], None
    return model


def append(whole: Any, part: Any, fed: list[int]) -> list[int]:
    """
    Add the operators of *part* to *whole*, its inputs being the tensors *fed*, and
    return the tensors that are its outputs.
    """
    graph, added = whole.subgraphs[0], part.subgraphs[0]
    codes, buffers = len(whole.operatorCodes), len(whole.buffers)
    whole.operatorCodes += part.operatorCodes
    whole.buffers += part.buffers
    place = dict(zip(map(int, added.inputs), fed, strict=True))
    for index, tensor in enumerate(added.tensors):
        if index not in place:
            place[index] = len(graph.tensors)
            tensor.buffer += buffers
            graph.tensors.append(tensor)
    place[-1] = -1  # an optional input that is not given
    for operator in added.operators:
        operator.opcodeIndex += codes
        operator.inputs = [place[int(index)] for index in operator.inputs]
        operator.outputs = [place[int(index)] for index in operator.outputs]
        graph.operators.append(operator)
    return [place[int(index)] for index in added.outputs]


def drop_spare_buffers(model: Any) -> None:
    """Remove the buffers that no tensor of *model* uses; the first stays, empty."""
    tensors = model.subgraphs[0].tensors
    used = sorted({0} | {tensor.buffer for tensor in tensors})
    model.buffers = [model.buffers[index] for index in used]
    for tensor in tensors:
        tensor.buffer = bisect.bisect_left(used, tensor.buffer)
