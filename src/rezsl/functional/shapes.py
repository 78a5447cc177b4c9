"""The names of the shapes that appear in the signatures of rezsl, and the check of public functions by them.

B samples, C classes, K classes present, S attributes, E numbers that a model computes for an image, V numbers that it
reads of a class, R image regions, D channels, L word-vector length.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError

Regions = Float[Tensor, "B R D"]
Pooled = Float[Tensor, "B *regions D"]
Outputs = Float[Tensor, "B E"]
Predictions = Float[Tensor, "B S"]
ClassMatrix = Float[Tensor, "C S"]
ClassVectors = Float[Tensor, "C V"]
Labels = Int[Tensor, "B"]
ClassMask = Bool[Tensor, "C"]
Scores = Float[Tensor, "B C"]
Scalar = Float[Tensor, ""]
Protocol = Literal["honest", "oracle"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def checked(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Check the tensors that a function is called with against the shapes and types in its signature.

    A letter of the signature is the same number in all arguments: PyTorch would broadcast a target ``[B]`` against a
    prediction ``[B, 1]`` to ``[B, B]`` without an error. Numbers must be floating-point where the signature has
    ``Float`` and int64 where it has ``Int``: a tensor of uint8 that is used as an index is a mask.

    Raises:
        ArgumentError: an argument is no tensor, or has another type or shape; the message has both shapes.
    """
    signature = inspect.signature(function)
    expected = {name: shape for name, one in signature.parameters.items() if (shape := _shape_of(one.annotation))}

    @wraps(function)
    def checking(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        # Missing and unknown arguments get the function's own TypeError.
        given = signature.bind_partial(*args, **kwargs).arguments
        _check(expected, {name: given[name] for name in expected if name in given})
        return function(*args, **kwargs)

    return checking


def check_labels(labels: Labels, classes: int) -> None:
    """Raise an ArgumentError that names the first label outside ``[0, classes)``.

    Labels on another device than the CPU are not read, because that would make the device finish its queue; PyTorch
    refuses them there when they are used.
    """
    if labels.device.type == "cpu" and len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        wrong = labels[(labels < 0) | (labels >= classes)]
        raise ArgumentError(
            f"labels: expected classes from 0 to {classes - 1}, got {int(wrong[0])}; give each sample's column"
        )


class _Shape(NamedTuple):
    """A shape of a signature: its letters and numbers, its kind of numbers, and whether None may take its place."""

    axes: tuple[str, ...]
    kind: Literal["Float", "Int", "Bool"]
    optional: bool


def _shape_of(annotation: Any) -> _Shape | None:
    """Return the shape that an annotation of one tensor, or of a tensor or None, describes; None for all others."""
    options = [one for one in get_args(annotation) or (annotation,) if one is not type(None)]
    if len(options) != 1 or getattr(options[0], "array_type", None) is not Tensor:
        return None
    (shape,) = options
    kind: Any = "Bool" if "bool" in shape.dtypes else "Float" if "float32" in shape.dtypes else "Int"
    return _Shape(tuple(shape.dim_str.split()), kind, optional=shape is not annotation)


def _check(expected: Mapping[str, _Shape], given: Mapping[str, Any]) -> None:
    """Compare arguments with the shapes of a signature; the first that does not agree is an ArgumentError."""
    sizes: dict[str, int] = {}
    for name, value in given.items():
        shape = expected[name]
        if value is None and shape.optional:
            continue
        if not isinstance(value, Tensor):
            raise ArgumentError(f"{name}: expected a tensor, got {type(value).__name__}; convert it with torch.tensor")
        _check_type(name, value, shape.kind)
        if not _agrees(shape.axes, value.shape, sizes):
            known = {axis: sizes[axis] for axis in shape.axes if axis in sizes}
            others = {other: given[other] for other in given if set(expected[other].axes) & set(known)}
            raise ArgumentError(
                f"{name}: expected shape [{', '.join(shape.axes)}]{_as_in(known, others, name)}, got "
                f"{list(value.shape)}; give all arguments with the shapes of the signature"
            )


def _as_in(known: Mapping[str, int], others: Mapping[str, Tensor], name: str) -> str:
    """Return where the sizes that are known come from: the arguments before this one, with their shapes."""
    if not known:
        return ""
    before = list(others)[: list(others).index(name)]
    sources = " and ".join(f"{other} of shape {list(others[other].shape)}" for other in before)
    return f" with {', '.join(f'{axis} = {size}' for axis, size in known.items())} as in {sources}"


def _check_type(name: str, value: Tensor, kind: str) -> None:
    if kind == "Float" and not value.is_floating_point():
        raise ArgumentError(f"{name}: expected floating-point numbers, got {_type(value)}; convert them with .float()")
    if kind == "Int" and value.dtype != torch.int64:
        raise ArgumentError(
            f"{name}: expected whole numbers of type int64, got {_type(value)}; convert them with .long()"
        )
    if kind == "Bool" and value.dtype != torch.bool:
        raise ArgumentError(f"{name}: expected true or false, got {_type(value)}; convert them with .bool()")


def _type(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _agrees(axes: tuple[str, ...], shape: torch.Size, sizes: dict[str, int]) -> bool:
    """Return whether a shape has the axes and the sizes that are known; if so, add its other sizes to them."""
    star = next((place for place, axis in enumerate(axes) if axis.startswith(("*", "..."))), None)
    if star is None:
        if len(shape) != len(axes):
            return False
        pairs = list(zip(axes, shape, strict=True))
    else:
        after = len(axes) - star - 1
        if len(shape) < star + after:
            return False
        pairs = [*zip(axes[:star], shape[:star], strict=True)]
        pairs += zip(axes[star + 1 :], shape[len(shape) - after :], strict=True)
    found = dict(sizes)
    for axis, size in pairs:
        wanted = int(axis) if axis.isdigit() else found.setdefault(axis, size) if axis != "_" else size
        if wanted != size:
            return False
    sizes.update(found)
    return True
