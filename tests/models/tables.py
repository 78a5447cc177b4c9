"""Small tables of class semantics, for models that are made from one."""

from typing import Any

import torch

from rezsl.semantics import ClassSemantics


def table(attributes: int, **parts: Any) -> ClassSemantics:
    """A table of two classes and so many attributes, with word vectors, groups or places if any are given."""
    names = tuple(f"attribute {number}" for number in range(attributes))
    return ClassSemantics(("a", "b"), names, torch.ones(2, attributes), **parts)
