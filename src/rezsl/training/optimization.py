"""How weights are updated: optimizer, learning rate, schedule."""

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from rezsl.errors import ArgumentError

OptimizerName = Literal["adamw", "sgd"]
Schedule = Literal["one-cycle", "cosine", "step", "constant"]


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


@dataclass(frozen=True)
class Optimization:
    """Optimizer and learning-rate schedule.

    Attributes:
        optimizer: ``adamw``, or ``sgd`` with momentum (the paper's).
        learning_rate: the highest rate of the schedule.
        slow_factor: the share of ``learning_rate`` that a model's slow parameters learn at (AttentionNet's queries,
            keys and values).
        backbone_factor: the share of ``learning_rate`` that the backbone of images learns at.
        frozen_epochs: epochs at the start during which the backbone does not learn, and its statistics of batch
            normalisation stay as they are; −1 means all.
        weight_decay: decay of weight matrices; biases and normalisation are left alone.
        momentum: of ``sgd``.
        schedule: ``one-cycle`` rises over the first fifth and falls along a cosine, ``cosine`` only falls, ``step``
            multiplies by ``step_factor`` every ``step_epochs``, ``constant`` stays. The first two are laid over
            ``max_epochs``; a training that stops earlier has followed the same rates up to there.
        step_epochs: epochs between two steps of ``step``.
        step_factor: what each of them multiplies by.
        averaging: what an exponential average of the weights keeps at each step, in ``[0, 1)``; 0 switches it off. The
            averaged weights are the ones validated and kept: a training that stops early in its schedule gains most.
    """

    optimizer: OptimizerName = "adamw"
    learning_rate: float = 4e-3
    slow_factor: float = 0.1
    backbone_factor: float = 1.0
    frozen_epochs: int = 0
    weight_decay: float = 0.05
    momentum: float = 0.9
    schedule: Schedule = "one-cycle"
    step_epochs: int = 10
    step_factor: float = 0.1
    averaging: float = 0.98

    def __post_init__(self) -> None:
        for name, allowed in (("optimizer", get_args(OptimizerName)), ("schedule", get_args(Schedule))):
            if getattr(self, name) not in allowed:
                raise ArgumentError(
                    f"optimization.{name}: expected one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )
        for name in ("learning_rate", "slow_factor", "backbone_factor", "step_factor"):
            if not 0 < getattr(self, name) < math.inf:
                raise ArgumentError(f"optimization.{name}: expected a positive number, got {getattr(self, name)}")
        for name in ("weight_decay", "momentum", "averaging"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ArgumentError(f"optimization.{name}: expected a number of at least 0, got {getattr(self, name)}")
        if self.averaging >= 1:
            raise ArgumentError(f"optimization.averaging: expected a number in [0, 1), got {self.averaging}")
        if self.frozen_epochs < -1:
            raise ArgumentError(
                f"optimization.frozen_epochs: expected a number of epochs, or -1 for all, got {self.frozen_epochs}"
            )
        if self.step_epochs < 1:
            raise ArgumentError(f"optimization.step_epochs: expected at least 1, got {self.step_epochs}")

    def build(
        self, module: nn.Module, slow: Iterable[nn.Parameter] = (), backbone: Iterable[nn.Parameter] = ()
    ) -> Optimizer:
        """An optimizer of a module's parameters, each group at its share of the learning rate.

        Parameters of the backbone are left out where they never learn; frozen for some epochs, they are in it.

        Args:
            module: whose parameters are optimized.
            slow: those that learn at ``slow_factor``.
            backbone: those that learn at ``backbone_factor``.
        """
        factors = dict.fromkeys(map(id, slow), self.slow_factor)
        factors |= dict.fromkeys(map(id, backbone), self.backbone_factor if self.frozen_epochs >= 0 else 0.0)
        groups: dict[tuple[float, bool], dict[str, Any]] = {}
        for parameter in module.parameters():
            factor, is_matrix = factors.get(id(parameter), 1.0), parameter.ndim > 1
            if factor:
                decay = self.weight_decay if is_matrix else 0.0
                rate = self.learning_rate * factor
                group = {"params": [], "lr": rate, "initial_lr": rate, "weight_decay": decay}
                groups.setdefault((factor, is_matrix), group)["params"].append(parameter)
        if self.optimizer == "adamw":
            return AdamW(groups.values(), lr=self.learning_rate)
        return SGD(groups.values(), lr=self.learning_rate, momentum=self.momentum)

    def average(self, module: nn.Module) -> WeightAverage:
        """An exponential average of a module's parameters and buffers, that starts as a copy of it."""
        return WeightAverage(module, self.averaging)

    def factor(self, steps_per_epoch: int, max_epochs: int, restart: int | None = None) -> Callable[[int], float]:
        """Return the schedule: from the number of a step to its learning rate as a factor of the highest one.

        Args:
            steps_per_epoch: the steps of an epoch.
            max_epochs: the epochs that the schedule is laid over.
            restart: the epoch, counted from 0, with which a second schedule begins that is laid over the rest; None
                for one schedule.
        """
        if restart is not None:
            change = restart * steps_per_epoch
            first, second = (self.factor(steps_per_epoch, epochs) for epochs in (restart, max_epochs - restart))
            return lambda step: first(step) if step < change else second(step - change)
        total = max(1, steps_per_epoch * max_epochs)

        def at(step: int) -> float:
            progress = min(step / total, 1.0)
            match self.schedule:
                case "one-cycle":
                    rise = 0.2
                    if progress < rise:
                        return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / rise)) / 2
                    return _cosine((progress - rise) / (1 - rise))
                case "cosine":
                    return _cosine(progress)
                case "step":
                    return float(self.step_factor ** (step // (steps_per_epoch * self.step_epochs)))
                case "constant":
                    return 1.0

        return at


def _cosine(progress: float) -> float:
    return 1e-3 + (1 - 1e-3) * (1 + math.cos(math.pi * progress)) / 2
