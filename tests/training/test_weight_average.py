from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rezsl.training.optimization import WeightAverage


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def change(module: nn.Module) -> None:
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data += torch.randn(tensor.shape).mul(3).to(tensor.dtype)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.98])
def test_the_average_is_that_of_torch_also_when_resumed(keep: float) -> None:
    def towards(averages: Sequence[Tensor], currents: Sequence[Tensor], steps: Tensor | int) -> None:
        share = min(keep, (1 + int(steps)) / (10 + int(steps)))
        for average, current in zip(averages, currents, strict=True):
            if average.is_floating_point():
                average.lerp_(current, 1 - share)
            else:
                average.copy_(current)

    torch.manual_seed(0)
    followed = network()
    ours = WeightAverage(followed, keep)
    theirs = AveragedModel(followed, multi_avg_fn=towards, use_buffers=True)
    for step in range(30):
        if step == 11:
            kept, ours = ours.state_dict(), WeightAverage(network(), keep)
            ours.load_state_dict(kept)
        change(followed)
        ours.update(followed)
        theirs.update_parameters(followed)
        for name, tensor in theirs.module.state_dict().items():
            torch.testing.assert_close(ours.module.state_dict()[name], tensor, rtol=0, atol=0, msg=name)


def test_a_step_reads_nothing_from_the_device() -> None:
    """Tensors without values stand for those of a GPU whose queue must not be waited for."""
    followed = network().to("meta")
    average = WeightAverage(followed, 0.98)
    for _ in range(3):
        average.update(followed)
    assert average.steps == 3


def test_an_infinite_constant_stays_what_it_is() -> None:
    followed = network()
    followed.register_buffer("constant", torch.tensor([0.5, torch.inf]))
    average = WeightAverage(followed, 0.98)
    for _ in range(3):
        average.update(followed)
    assert average.module.state_dict()["constant"].tolist() == [0.5, torch.inf]
