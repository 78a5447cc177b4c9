import pytest
import torch
from torch import nn

from rezsl.losses import Objective, ReMSELoss
from rezsl.training._step import forward_in_parts


def in_parts(network: nn.Module, inputs: torch.Tensor, size: int) -> torch.Tensor:
    (out,) = forward_in_parts(lambda part: (network(part),), network, (inputs,), size)
    return out


def test_losses_of_the_whole_batch_have_the_gradients_of_the_whole_batch() -> None:
    torch.manual_seed(0)
    semantics = torch.rand(5, 6) + 0.1
    objective = Objective(semantics, ReMSELoss(1.0, 0.5), 1.0).double()
    network = nn.Sequential(nn.Linear(4, 7), nn.LayerNorm(7), nn.Tanh(), nn.Linear(7, 6)).double()
    inputs, labels = torch.randn(11, 4).double(), torch.randint(5, (11,))

    def gradients(size: int) -> list[torch.Tensor]:
        network.zero_grad()
        objective(in_parts(network, inputs, size), labels).total.backward()
        return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]

    whole = gradients(0)
    assert len(whole) == 6
    for size in (1, 3, 4, 11, 20):
        for part, expected in zip(gradients(size), whole, strict=True):
            torch.testing.assert_close(part, expected, rtol=1e-10, atol=1e-12)
    # Adding up losses of parts would be something else: ReMSE's error matrix is not that of the batch.
    network.zero_grad()
    for start in range(0, 11, 3):
        loss = objective(network(inputs[start : start + 3]), labels[start : start + 3]).total
        (loss * len(inputs[start : start + 3]) / 11).backward()
    summed = network[0].weight.grad
    assert isinstance(summed, torch.Tensor)
    assert (summed - whole[0]).abs().max() > 1e-3 * whole[0].abs().max()


def test_dropout_is_the_same_when_a_part_is_computed_again() -> None:
    network = nn.Sequential(nn.Linear(3, 50), nn.Dropout(0.5), nn.Linear(50, 1, bias=False))
    inputs = torch.randn(4, 3)
    torch.manual_seed(3)
    out = in_parts(network, inputs, 2)
    out.sum().backward()
    # The read-out's gradient is the sum of what reached it: it must be the mask that made the output.
    weight = network[2].weight
    assert isinstance(weight, torch.Tensor)
    assert weight.grad is not None
    assert float((weight.grad * weight.detach()).sum()) == pytest.approx(float(out.detach().sum()), rel=1e-5)


def test_running_statistics_move_once_per_part() -> None:
    norm = nn.BatchNorm1d(3)
    expected = nn.BatchNorm1d(3)
    inputs = torch.randn(6, 3)
    in_parts(norm, inputs, 3).square().sum().backward()
    for part in inputs.split(3):
        expected(part)
    torch.testing.assert_close(norm.running_mean, expected.running_mean)
    assert norm.num_batches_tracked == 2
    assert norm.track_running_stats


def test_no_activations_are_kept_until_gradients_are_taken() -> None:
    network = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())

    def kept(size: int) -> int:
        numbers = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal numbers
            numbers += tensor.numel() if tensor.shape[0] in (4, 12) else 0
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            in_parts(network, torch.randn(12, 2), size)
        return numbers

    assert kept(0) > 12 * 64
    assert kept(4) == 12 * 2  # the inputs, to compute from again
