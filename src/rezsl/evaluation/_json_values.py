"""Results as JSON values."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor


def json_value(value: object) -> Any:
    """Convert dataclasses and named tuples to objects, tensors and tuples to lists; NaN and infinity become None.

    Raises:
        TypeError: the value is of another kind.
    """
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(name): json_value(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(part) for part in value]
    raise TypeError(f"value: expected tensors, numbers, texts and containers of them, got {type(value).__name__}")
