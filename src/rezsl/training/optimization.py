"""How weights are updated: optimizer, learning rate, schedule."""

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from rezsl.errors import (
    ArgumentError,
    check_at_least,
    check_choice,
    check_not_negative,
    check_positive,
    check_share,
)

OptimizerName = Literal["adamw", "sgd"]
Schedule = Literal["one-cycle", "cosine", "step", "constant"]


class WeightAverage(nn.Module):
    """An exponential average of a module's parameters and buffers, which begins as a copy of it.

    The number of steps is counted on the host: ``torch.optim.swa_utils.AveragedModel`` keeps it in a buffer, and
    reading a buffer makes a GPU finish its queue at every step.

    Args:
        module: the module to average; it stays as it is.
        keep: the share of the average that remains at each step, in ``[0, 1)``.
    """

    def __init__(self, module: nn.Module, keep: float) -> None:
        super().__init__()
        self.module, self.keep, self.steps = deepcopy(module).requires_grad_(False), keep, 0

    def forward(self, *inputs: Any) -> Any:
        """Return the output of the averaged module."""
        return self.module(*inputs)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average by one step towards the module's weights."""
        # The average forgets quickly at first, because the random weights of the start have no value.
        keep = min(self.keep, (1 + self.steps) / (10 + self.steps)) if self.steps else 0.0
        for learnt, now in zip(self.module.parameters(), module.parameters(), strict=True):
            learnt.lerp_(now.to(learnt.dtype), 1 - keep)
        for average, current in zip(self.module.buffers(), module.buffers(), strict=True):
            if average.is_floating_point():
                # An infinite constant (the spread of an attribute that may be anywhere) has no average.
                moved = average.lerp(current.to(average.dtype), 1 - keep)
                average.copy_(torch.where(current.isinf(), current, moved))
            else:
                average.copy_(current)
        self.steps += 1

    def get_extra_state(self) -> int:
        """Return the number of steps, for a checkpoint."""
        return self.steps

    def set_extra_state(self, state: int) -> None:
        """Restore the number of steps of a checkpoint."""
        self.steps = state


@dataclass(frozen=True)
class Optimization:
    """Optimizer and learning-rate schedule.

    Attributes:
        optimizer: ``adamw``, or ``sgd`` with momentum (the paper's).
        learning_rate: the highest rate of the schedule. ``auto`` is 0.001 on regions of a frozen backbone, where it was
            better by a point of H on validation classes of birds, and 0.004 elsewhere.
        slow_factor: the share of ``learning_rate`` that a model's slow parameters learn at (AttentionNet's queries,
            keys and values).
        backbone_factor: the share of ``learning_rate`` that the backbone of images learns at.
        frozen_epochs: epochs at the start during which the backbone does not learn, and its statistics of batch
            normalisation stay as they are.
        weight_decay: decay of weight matrices.
        decay_biases: whether biases and the parameters of normalisation decay too, as in the paper's code.
        momentum: momentum of ``sgd``.
        schedule: ``one-cycle`` rises over the first fifth and falls along a cosine, ``cosine`` only falls, ``step``
            multiplies by ``step_factor`` before every epoch whose number, counted from 1, is a multiple of
            ``step_epochs``, ``constant`` stays. The first two are laid over ``max_epochs``; a training that stops
            earlier has had the same rates until then.
        step_epochs: epochs between two steps of ``step``; 10, as in the paper's code, is a step before epochs 10, 20
            and 30.
        step_factor: factor of the learning rate at each of them.
        averaging: the share that an exponential average of the weights keeps at each step, in ``[0, 1)``; 0 switches
            the average off. The averaged weights are validated and saved: a training that stops early in its schedule
            gains most.
    """

    optimizer: OptimizerName = "adamw"
    learning_rate: float | Literal["auto"] = "auto"
    slow_factor: float = 0.1
    backbone_factor: float = 1.0
    frozen_epochs: int = 0
    weight_decay: float = 0.05
    decay_biases: bool = False
    momentum: float = 0.9
    schedule: Schedule = "one-cycle"
    step_epochs: int = 10
    step_factor: float = 0.1
    averaging: float = 0.98

    def __post_init__(self) -> None:
        check_choice(OptimizerName, **{"optimization.optimizer": self.optimizer})
        check_choice(Schedule, **{"optimization.schedule": self.schedule})
        if isinstance(self.learning_rate, str) and self.learning_rate != "auto":
            raise ArgumentError(
                f"optimization.learning_rate: expected a number above 0, or auto, got {self.learning_rate!r}"
            )
        positive = ("slow_factor", "backbone_factor", "step_factor")
        check_positive(**{f"optimization.{name}": getattr(self, name) for name in positive})
        check_positive(**{"optimization.learning_rate": self.highest_rate()})
        check_not_negative(**{f"optimization.{name}": getattr(self, name) for name in ("weight_decay", "momentum")})
        check_share(**{"optimization.averaging": self.averaging})
        check_at_least(1, **{"optimization.step_epochs": self.step_epochs})
        check_at_least(0, **{"optimization.frozen_epochs": self.frozen_epochs})

    def highest_rate(self, frozen_regions: bool = False) -> float:
        """Return the learning rate, with ``auto`` replaced."""
        if isinstance(self.learning_rate, str):
            return 1e-3 if frozen_regions else 4e-3
        return self.learning_rate

    def build(
        self, module: nn.Module, slow: Iterable[nn.Parameter] = (), backbone: Iterable[nn.Parameter] = ()
    ) -> Optimizer:
        """Return an optimizer of a module's parameters, each group with its share of the learning rate.

        Parameters that require no gradient, such as those of frozen stages of a backbone, are left out.

        Args:
            module: the module that learns.
            slow: the parameters that learn at ``slow_factor``.
            backbone: the parameters that learn at ``backbone_factor``.
        """
        factors = dict.fromkeys(map(id, slow), self.slow_factor)
        factors |= dict.fromkeys(map(id, backbone), self.backbone_factor)
        groups: dict[tuple[float, bool], dict[str, Any]] = {}
        highest = self.highest_rate()
        for parameter in module.parameters():
            factor, is_matrix = factors.get(id(parameter), 1.0), parameter.ndim > 1
            if parameter.requires_grad:
                decay = self.weight_decay if is_matrix or self.decay_biases else 0.0
                rate = highest * factor
                group = {"params": [], "lr": rate, "initial_lr": rate, "weight_decay": decay}
                groups.setdefault((factor, is_matrix), group)["params"].append(parameter)
        if self.optimizer == "adamw":
            return AdamW(groups.values(), lr=highest)
        return SGD(groups.values(), lr=highest, momentum=self.momentum)

    def factor(self, steps_per_epoch: int, max_epochs: int, restart: int | None = None) -> Callable[[int], float]:
        """Return the schedule: from the number of a step to its learning rate as a factor of the highest one.

        Args:
            steps_per_epoch: the steps of an epoch.
            max_epochs: the epochs that the schedule is laid over.
            restart: the epoch, counted from 0, at which a second schedule begins, which is laid over the epochs that
                are left; None for one schedule.
        """
        if restart is not None:
            change = restart * steps_per_epoch
            first, second = (self.factor(steps_per_epoch, epochs) for epochs in (restart, max_epochs - restart))
            return lambda step: first(step) if step < change else second(step - change)
        total = max(1, steps_per_epoch * max_epochs)
        if self.schedule == "constant":
            return lambda step: 1.0
        if self.schedule == "step":
            return lambda step: float(self.step_factor ** ((step // steps_per_epoch + 1) // self.step_epochs))
        rise = 0.2 if self.schedule == "one-cycle" else 0.0

        def cosine(step: int) -> float:
            progress = min(step / total, 1.0)
            if progress < rise:
                return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / rise)) / 2
            return 1e-3 + (1 - 1e-3) * (1 + math.cos(math.pi * ((progress - rise) / (1 - rise)))) / 2

        return cosine
