"""Nested parameters: options of a model and fields of a training by the names that scikit-learn gives them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

from rezsl.errors import ArgumentError

Parameters = dict[str, Any]


def model_options(builder: Callable[..., Any]) -> Parameters:
    """Return the options of a model builder with their values: its parameters after region_dim and semantics."""
    parameters = list(inspect.signature(builder).parameters.values())[2:]
    return {parameter.name: parameter.default for parameter in parameters}


def with_model_options(builder: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a builder of the same model with other options; an unknown option is an error."""
    _check("model", options, model_options(builder))
    return partial(builder, **options) if options else builder


def dataclass_fields(settings: Any, prefix: str = "") -> Parameters:
    """Return the fields of a dataclass, and of the dataclasses in it by names such as ``optimization__momentum``."""
    result: Parameters = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        result[prefix + field.name] = value
        if is_dataclass(value):
            result |= dataclass_fields(value, f"{prefix}{field.name}__")
    return result


def with_fields(settings: Any, values: Mapping[str, Any], prefix: str = "training") -> Any:
    """Return a copy of a dataclass with other values of fields, also of nested ones; an unknown field is an error."""
    if not values:
        return settings
    _check(prefix, values, dataclass_fields(settings))
    plain: Parameters = {}
    inner: dict[str, Parameters] = {}
    for name, value in values.items():
        outer, nested, rest = name.partition("__")
        if nested:
            inner.setdefault(outer, {})[rest] = value
        else:
            plain[name] = value
    settings = replace(settings, **plain)
    changed = {name: with_fields(getattr(settings, name), given, f"{prefix}__{name}") for name, given in inner.items()}
    return replace(settings, **changed)


def _check(prefix: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    if unknown := [name for name in given if name not in known]:
        expected = ", ".join(f"{prefix}__{name}" for name in known) or "none"
        kind = prefix.partition("__")[0]
        raise ArgumentError(f"{prefix}__{unknown[0]}: expected a parameter of the {kind} ({expected}), got this one")
