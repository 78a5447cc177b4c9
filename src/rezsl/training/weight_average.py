"""An exponential average of a model's weights."""

from copy import deepcopy
from typing import Any

import torch
from torch import nn


class WeightAverage(nn.Module):
    """A copy of a module that follows it, parameters and buffers.

    The number of steps is counted on the host: ``torch.optim.swa_utils.AveragedModel`` keeps it in a buffer, and
    reading that makes a GPU finish its queue at every step.

    Args:
        module: what is followed; it stays as it is.
        keep: what the average keeps at each step, in ``[0, 1)``.
    """

    def __init__(self, module: nn.Module, keep: float) -> None:
        super().__init__()
        self.module, self.keep, self.steps = deepcopy(module).requires_grad_(False), keep, 0

    def forward(self, *inputs: Any) -> Any:
        """What the averaged module gives."""
        return self.module(*inputs)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take a step towards the module's weights."""
        # A short memory at first: the random weights at the start are nothing to remember.
        keep = min(self.keep, (1 + self.steps) / (10 + self.steps)) if self.steps else 0.0
        for learnt, now in zip(self.module.parameters(), module.parameters(), strict=True):
            learnt.lerp_(now.to(learnt.dtype), 1 - keep)
        for average, current in zip(self.module.buffers(), module.buffers(), strict=True):
            if average.is_floating_point():
                # A constant may be infinite (the spread of what may be anywhere): it has no average, and needs none.
                moved = average.lerp(current.to(average.dtype), 1 - keep)
                average.copy_(torch.where(current.isinf(), current, moved))
            else:
                average.copy_(current)
        self.steps += 1

    def get_extra_state(self) -> int:
        """The number of steps, for a checkpoint."""
        return self.steps

    def set_extra_state(self, state: int) -> None:
        """Take up the number of steps of a checkpoint."""
        self.steps = state
