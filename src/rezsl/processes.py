"""What the processes of one training exchange, through the process group of ``torch.distributed``.

Without such a group there is one process, and every function returns what it is given.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from jaxtyping import Int
from torch import Tensor, distributed
from torch.distributed import ProcessGroup

from rezsl.errors import ElsewhereError

Value = TypeVar("Value")


def process_count(group: ProcessGroup | None = None) -> int:
    """Return the number of processes of a group; None means all processes."""
    running = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size(group) if running else 1


def process_rank(group: ProcessGroup | None = None) -> int:
    """Return the number of this process in a group, counted from 0."""
    return distributed.get_rank(group) if process_count(group) > 1 else 0


def part_sizes(size: int, count: int) -> list[int]:
    """Return the sizes of the parts of a batch, as ``torch.tensor_split`` divides it.

    >>> part_sizes(8, 3)
    [3, 3, 2]
    """
    return [size // count + (rank < size % count) for rank in range(count)]


@contextmanager
def _exchange() -> Iterator[None]:
    """Replace the errors of a lost connection, which name no process and no reason."""
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ElsewhereError(
            f"processes: expected all {process_count()} of them, but another one has ended; its own message, if it "
            f"has left one, says why ({reason})"
        ) from error


def sizes_of(part: Tensor, group: ProcessGroup | None = None) -> list[int]:
    """Return the length of every process's part, in the order of the processes."""
    count = process_count(group)
    if count == 1:
        return [len(part)]
    own = _exchangeable(torch.tensor([len(part)], device=part.device))
    found = [torch.empty_like(own) for _ in range(count)]
    with _exchange():
        distributed.all_gather(found, own, group=group)
    return torch.cat(found).tolist()


def gathered(part: Tensor, sizes: Sequence[int], group: ProcessGroup | None = None) -> Tensor:
    """Return the parts of all processes, one after the other, ``[B_r, …] -> [B, …]``.

    Gradients reach the part of this process alone, multiplied by the number of processes. So the mean over processes
    of the gradients of any function of the whole batch, which every process computes alike, is its gradient: the
    gradients of what produced the parts add up, and those of the function's own parameters are averages of equal ones.

    Args:
        part: the part of this process.
        sizes: lengths of the parts of all processes.
        group: the processes; None means all.
    """
    count = process_count(group)
    if count == 1:
        return part
    padded = part.new_zeros(max(sizes), *part.shape[1:])
    padded[: len(part)] = part.detach()
    found = [torch.empty_like(padded) for _ in sizes]
    with _exchange():
        distributed.all_gather(found, padded, group=group)
    parts = [piece[:size] for piece, size in zip(found, sizes, strict=True)]
    own = part
    if part.requires_grad:
        own = part.view_as(part)
        own.register_hook(lambda gradient: gradient * count)
    parts[process_rank(group)] = own
    return torch.cat(parts)


def from_turns(own: Tensor, length: int) -> Tensor:
    """Return all rows ``[N, …]`` where the processes have taken turns with batches, one batch at a time.

    Args:
        own: the rows of this process ``[M, …]``: its batches one after the other, and none where it had no turn.
        length: rows of a batch; the last batch of all may be shorter.
    """
    count = process_count()
    if count == 1:
        return own
    size = sum(sizes_of(own))
    # A process without rows takes their shape from the first one, which has the first turn.
    shape, dtype = from_first((own.shape[1:], own.dtype))
    own = own if len(own) else torch.empty(0, *shape, dtype=dtype, device=own.device)
    everything, batches = own.new_empty(size, *shape), iter(own.split(length))
    for start in range(0, size, count * length):
        sizes = [min(length, max(0, size - start - turn * length)) for turn in range(count)]
        piece = next(batches) if sizes[process_rank()] else own[:0]
        everything[start : start + sum(sizes)] = gathered(_exchangeable(piece), sizes).to(own.device)
    return everything


def _exchangeable(tensor: Tensor) -> Tensor:
    """Return a tensor where it can be exchanged: processes that work on GPUs exchange only what is on these."""
    return tensor.cuda() if distributed.get_backend() == "nccl" else tensor


def summed(tensor: Tensor, group: ProcessGroup | None = None) -> Tensor:
    """Return the sum of the processes' tensors of equal shape, without gradient."""
    total = tensor.detach().clone()
    if process_count(group) > 1:
        with _exchange():
            distributed.all_reduce(total, group=group)
    return total


def class_sums(
    values: Tensor, labels: Int[Tensor, "B"], group: ProcessGroup | None = None
) -> tuple[Tensor, Int[Tensor, "K"], Int[Tensor, "K"]]:
    """Return the sums of values ``[B, S]`` over the samples of each class, over all processes.

    Returns:
        sums ``[K, S]``, the classes in ascending order, ``[K]``, and their numbers of samples, ``[K]``.
    """
    everything = gathered(labels, sizes_of(labels, group), group)
    classes, counts = everything.unique(return_counts=True)
    own = torch.searchsorted(classes, labels.contiguous())
    return summed(values.new_zeros(len(classes), values.shape[1]).index_add_(0, own, values), group), classes, counts


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace the gradients by their means over all processes, in one exchange.

    A parameter that has no gradient in any process keeps none, so that its optimizer leaves it alone.
    """
    count = process_count()
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    if count == 1 or not learning:
        return
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in learning]
    present = gradients[0].new_tensor([float(one.grad is not None) for one in learning])
    total = summed(torch.cat([present, *(gradient.flatten() for gradient in gradients)])) / count
    # Numbers of a GPU are read only where one is needed, because reading makes it finish its queue.
    complete = all(one.grad is not None for one in learning)
    somewhere = [True] * len(learning) if complete else (total[: len(learning)] > 0).tolist()
    pieces = total[len(learning) :].split([one.numel() for one in learning])
    for parameter, piece, learns in zip(learning, pieces, somewhere, strict=True):
        if learns:
            parameter.grad = piece.view_as(parameter).to(parameter.dtype)


@torch.no_grad()
def copy_from_first(module: torch.nn.Module) -> None:
    """Give the parameters and buffers of a module the numbers that they have in the first process."""
    if process_count() > 1:
        for tensor in _tensors_of(module):
            sent = tensor.contiguous()
            with _exchange():
                distributed.broadcast(sent, 0)
            if sent is not tensor:
                tensor.copy_(sent)


@torch.no_grad()
def average_buffers(module: torch.nn.Module) -> None:
    """Replace buffers of floating-point numbers that differ between processes by their means.

    These are the statistics of batch normalisation, to which each process adds those of its own samples.
    """
    count = process_count()
    buffers = [buffer for buffer in module.buffers() if buffer.is_floating_point() and buffer.numel()]
    if count == 1 or not buffers:
        return
    own = torch.cat([buffer.flatten().to(torch.promote_types(buffer.dtype, torch.float32)) for buffer in buffers])
    low, high = own.clone(), own.clone()
    with _exchange():
        distributed.all_reduce(low, distributed.ReduceOp.MIN)
        distributed.all_reduce(high, distributed.ReduceOp.MAX)
    # Equal numbers stay as they are, to the last digit.
    averaged = torch.where(low == high, own, summed(own) / count)
    for buffer, piece in zip(buffers, averaged.split([buffer.numel() for buffer in buffers]), strict=True):
        buffer.copy_(piece.view_as(buffer))


def from_first(value: Value) -> Value:
    """Return the value of the first process, which must be one that can be pickled, in every process."""
    if process_count() == 1:
        return value
    values: list[Any] = [value]
    with _exchange():
        distributed.broadcast_object_list(values, 0)
    first: Value = values[0]
    return first


def _tensors_of(module: torch.nn.Module) -> Iterator[Tensor]:
    yield from (tensor.data for tensor in module.parameters())
    yield from module.buffers()
