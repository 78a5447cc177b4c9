"""Results as values that JSON knows."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor


def json_value(value: object) -> Any:
    """Dataclasses and named tuples by field name, tensors and tuples as lists; NaN and infinity as None.

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
    raise TypeError(f"value: expected what JSON can hold, got {type(value).__name__}")
