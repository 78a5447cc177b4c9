"""A trained model is written as one file that other programs run."""

import io
import json
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jaxtyping
import torch

from rezsl.classifier import ZeroShotClassifier
from rezsl.errors import ArgumentError, RezslError, check_choice, needs
from rezsl.export._facts import KEY, facts_of
from rezsl.export._onnx import onnx_model, quantize_weights, with_facts
from rezsl.export._program import Example, Program, example_of
from rezsl.files import local_path, one_line
from rezsl.writing import write_atomically

ExportFormat = Literal["onnx", "torch"]
Quantization = Literal["none", "int8"]


class Exported(NamedTuple):
    """A file that was written.

    Attributes:
        path: the file.
        bytes: its size in bytes.
        facts: the facts in its metadata, see ``docs/how-to/export.md``.
        difference: the largest difference between probabilities of the file and of the model for random inputs.
    """

    path: Path
    bytes: int
    facts: dict[str, Any]
    difference: float


def export_model(
    model: ZeroShotClassifier,
    path: str | Path,
    format: ExportFormat = "onnx",
    quantize: Quantization = "none",
) -> Exported:
    """Write a classifier as one file for other programs: preprocessing, backbone, network, table and calibration.

    The file computes ``probabilities`` and ``scores`` ``[N, C]``, ``strangeness`` ``[N]`` (above 0 is "none of these";
    NaN where the model has no limit), ``attributes`` ``[N, S]``, and ``attention`` ``[N, S, R]`` of models that have
    it. Its inputs are ``images``, uint8 RGB ``[N, height, width, 3]`` of any size, or ``features``; ``classes``, the
    attributes of the candidates ``[C, S]``; and ``seen`` ``[C]``, whether γ is subtracted from their scores. With no
    rows in ``classes`` and ``seen``, a file of ONNX uses its own table.

    Args:
        model: a trained classifier on the CPU. One that was trained on a store of regions reads photos after
            :func:`rezsl.model_of_images`.
        path: the file to write; an earlier file is replaced.
        format: ``onnx``, for onnxruntime and other runtimes; ``torch``, for ``torch.export.load``.
        quantize: ``int8`` stores the weights of ``onnx`` with 8 bits, a quarter of the size.

    Raises:
        ArgumentError: the model cannot be exported, or the options do not fit together.
        MissingPackageError: a package of the extra ``export`` is not installed.
    """
    path = local_path(path)
    content, facts, difference = exported_bytes(model, format, quantize)
    write_atomically(path, content)
    return Exported(path, len(content), facts, difference)


def exported_bytes(
    model: ZeroShotClassifier, format: ExportFormat, quantize: Quantization
) -> tuple[bytes, dict[str, Any], float]:
    """Return the content of the file that :func:`export_model` writes, the facts in it, and the difference."""
    check_choice(ExportFormat, format=format)
    check_choice(Quantization, quantize=quantize)
    if quantize != "none" and format != "onnx":
        raise ArgumentError(f"quantize: expected none with the format {format}, got {quantize}; choose the format onnx")
    if reason := model.network.not_exported:
        raise ArgumentError(
            f"model: expected one that a fixed computation can hold, got {type(model.network).__name__}: {reason}; "
            f"train another model"
        )
    with needs("export", "exporting models"):
        import onnx  # noqa: F401, PLC0415 - an optional package
        import onnxruntime  # noqa: F401, PLC0415 - the same
        import onnxscript  # noqa: F401, PLC0415 - the same
    was_training, device = model.training, model.device
    try:
        program = Program(model.cpu().eval()).eval()
        example = example_of(program)
        facts = facts_of(program, quantize)
        write = _onnx_bytes if format == "onnx" else _torch_bytes
        with _quiet(), torch.no_grad():
            content, probabilities = write(_traced(program, example), program, example, facts)
            difference = float((probabilities - program(*example.inputs)[0]).abs().max())
            if not math.isfinite(difference):
                raise ArgumentError(
                    f"model: expected one whose probabilities are numbers, got {difference} for random inputs; restore "
                    f"the model from a copy"
                )
    finally:
        model.to(device).train(was_training)
    return content, facts, difference


def _traced(program: Program, example: Example) -> torch.export.ExportedProgram:
    """Return the operations that a program consists of."""
    lengths = {name: torch.export.Dim(name) for axes in example.names for name in axes.values()}
    shapes = tuple({position: lengths[name] for position, name in axes.items()} for axes in example.names)
    try:
        return torch.export.export(program, example.inputs, dynamic_shapes=shapes, strict=False)
    except RezslError:
        raise
    except Exception as error:  # PyTorch raises many kinds where a network decides by its numbers
        network, backbone = (type(part).__name__ for part in (program.model.network, program.model.backbone))
        raise ArgumentError(
            f"model: expected networks whose steps do not depend on their numbers, got {network} after {backbone}, "
            f"which PyTorch cannot export ({one_line(error)}); use the run itself"
        ) from error


def _onnx_bytes(
    traced: torch.export.ExportedProgram, program: Program, example: Example, facts: dict[str, Any]
) -> tuple[bytes, torch.Tensor]:
    """Return the file, and its probabilities for the example."""
    import onnxruntime  # noqa: PLC0415 - an optional package

    model = onnx_model(traced, program, example)
    if facts["quantization"] == "int8":
        quantize_weights(model)
    content = with_facts(model, facts)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs, classes, seen = (tensor.numpy() for tensor in example.inputs)
    # Without rows, so that the file's own table is tried too.
    feeds = {program.kind: inputs, "classes": classes[:0], "seen": seen[:0]}
    return content, torch.from_numpy(session.run(["probabilities"], feeds)[0])


def _torch_bytes(
    traced: torch.export.ExportedProgram, program: Program, example: Example, facts: dict[str, Any]
) -> tuple[bytes, torch.Tensor]:
    """Return the file, and its probabilities for the example."""
    for node in traced.graph.nodes:
        node.meta.pop("stack_trace", None)  # it has paths of this machine
    traced.example_inputs = None  # they would be saved as a pickle
    stream = io.BytesIO()
    torch.export.save(traced, stream, extra_files={f"{KEY}.json": json.dumps(facts, ensure_ascii=False)})
    content = stream.getvalue()
    return content, torch.export.load(io.BytesIO(content)).module()(*example.inputs)[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what PyTorch and ONNX report about their own parts, and checks that take lengths for numbers."""
    logger = logging.getLogger("torch.onnx")
    level, unchecked = logger.level, jaxtyping.config.jaxtyping_disable
    logger.setLevel(logging.ERROR)
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        jaxtyping.config.update("jaxtyping_disable", unchecked)
