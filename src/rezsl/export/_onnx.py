"""A program as a file of ONNX."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rezsl.errors import ArgumentError
from rezsl.export._facts import KEY
from rezsl.export._program import Example, Program

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

MOST_BYTES = 2**31 - 1
"""A larger file of ONNX would need a second file for its weights."""

LEAST_WEIGHTS = 1024
"""Smaller tensors are not quantised, because that saves nothing."""


def onnx_model(traced: torch.export.ExportedProgram, program: Program, example: Example) -> "ModelProto":
    """Return a traced program as a model of ONNX, which replaces an empty table of classes by the program's own.

    Raises:
        ArgumentError: the model is larger than the format allows for one file.
    """
    made: Any = torch.onnx.export(
        traced,
        dynamo=True,
        input_names=[program.kind, "classes", "seen"],
        output_names=list(program.outputs),
        verbose=False,
    )
    model: ModelProto = made.model_proto
    if (size := model.ByteSize()) > MOST_BYTES:
        raise ArgumentError(
            f"format: expected a model of at most 2 GiB for onnx, got {size / 2**30:.1f} GiB; choose torch"
        )
    _name_axes(model.graph, example)
    # The notes of the tracing on each operation have paths of this machine.
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in model.graph.value_info:
        del value.metadata_props[:]
    seen = example.inputs[2]
    _default(model.graph, "classes", program.own.numpy())
    _default(model.graph, "seen", seen.numpy())
    return model


def with_facts(model: "ModelProto", facts: dict[str, Any]) -> bytes:
    """Return the bytes of the file, with the facts in its metadata."""
    model.metadata_props.add(key=KEY, value=json.dumps(facts, ensure_ascii=False))
    content: bytes = model.SerializeToString()
    return content


def _name_axes(graph: "GraphProto", example: Example) -> None:
    """Give the axes of any length readable names."""
    names: dict[str, str] = {}
    for value, axes in zip(graph.input, example.names, strict=True):
        for position, name in axes.items():
            names[value.type.tensor_type.shape.dim[position].dim_param] = name
    for value in [*graph.input, *graph.output, *graph.value_info]:
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param in names:
                axis.dim_param = names[axis.dim_param]


def _default(graph: "GraphProto", name: str, values: Any) -> None:
    """Take rows of the file in place of an input without rows.

    Optional inputs of ONNX would do it too, but onnxruntime-web and the interface for Java refuse them. So the rows of
    the file, or none of them, are put before those of the input.
    """
    from onnx import helper, numpy_helper  # noqa: PLC0415 - an optional package

    own, used = f"{name}_of_the_file", f"{name}_used"
    for node in graph.node:
        for position, input_name in enumerate(node.input):
            if input_name == name:
                node.input[position] = used
    constants = {
        own: values,
        f"{own}_zero": np.array([0], np.int64),
        f"{own}_count": np.array([len(values)], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
    nodes = [
        helper.make_node("Shape", [name], [f"{name}_rows"], end=1),
        helper.make_node("Equal", [f"{name}_rows", f"{own}_zero"], [f"{name}_is_empty"]),
        helper.make_node("Where", [f"{name}_is_empty", f"{own}_count", f"{own}_zero"], [f"{own}_end"]),
        helper.make_node("Slice", [own, f"{own}_zero", f"{own}_end", f"{own}_zero"], [f"{own}_taken"]),
        helper.make_node("Concat", [f"{own}_taken", name], [used], axis=0),
    ]
    for node in reversed(nodes):
        graph.node.insert(0, node)


def quantize_weights(model: "ModelProto") -> None:
    """Store the large weights with 8 bits, with a scale for each row; they are multiplied out when the file is loaded.

    Activations keep 32 bits, so no images are needed to find their range, and the loss is that of rounded weights.
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - an optional package

    graph, nodes = model.graph, []
    own = {f"{name}_of_the_file" for name in ("classes", "seen")}
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2 or tensor.name in own:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < LEAST_WEIGHTS:
            continue
        largest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
        scale = np.maximum(largest / 127, np.finfo(np.float32).tiny)
        name = tensor.name
        graph.initializer.remove(tensor)
        parts = {f"{name}_int8": (values / scale).round().astype(np.int8), f"{name}_scale": scale.reshape(-1)}
        graph.initializer.extend(numpy_helper.from_array(part, key) for key, part in parts.items())
        nodes.append(helper.make_node("DequantizeLinear", [*parts], [name], axis=0))
    for node in nodes:
        graph.node.insert(0, node)
