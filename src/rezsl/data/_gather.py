"""Rows of a large tensor, copied at the speed of the memory."""

import math

import torch
from jaxtyping import Int
from torch import Tensor


def gather_rows(inputs: Tensor, index: Int[Tensor, "B"]) -> Tensor:
    """``inputs[index]``, several times faster where rows are long or in half precision.

    Indexing copies number by number, and slowly so in half precision. Whole rows of a contiguous tensor are copied
    as they lie in memory, eight bytes at a time where rows allow it.

    Args:
        inputs: ``[N, ...]`` of any dtype, possibly mapped from a file.
        index: rows, in ``[0, N)``.
    """
    row_bytes = math.prod(inputs.shape[1:]) * inputs.element_size()
    aligned = row_bytes and row_bytes % 8 == 0 and inputs.storage_offset() * inputs.element_size() % 8 == 0
    if not aligned or not inputs.is_contiguous() or inputs.requires_grad or inputs.device.type != "cpu":
        return inputs.index_select(0, index)
    rows = inputs.reshape(len(inputs), -1).view(torch.int64).index_select(0, index)
    return rows.view(inputs.dtype).view(len(index), *inputs.shape[1:])
