"""The forward pass of a training step, and its random numbers."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rezsl.classifier import ZeroShotClassifier
from rezsl.losses import Objective, ObjectiveTerms
from rezsl.regions._recomputation import recomputed


class TrainingStep(nn.Module):
    """The forward pass of a training step: from inputs and labels to the terms of the objective.

    Args:
        classifier: the model in training.
        objective: over the K classes in training.
        positions: for each row of the semantics table, its place among those classes, ``[C]``.
        augmentation: changes training images in ``[0, 1]``; None leaves inputs as they are.
        micro: samples that go through the classifier at a time; 0 takes the whole batch.
    """

    positions: Tensor

    def __init__(
        self,
        classifier: ZeroShotClassifier,
        objective: Objective,
        positions: Tensor,
        augmentation: nn.Module | None,
        micro: int,
    ) -> None:
        super().__init__()
        self.classifier, self.objective = classifier, objective
        self.augmentation, self.micro = augmentation, micro
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, inputs: Tensor, labels: Tensor) -> ObjectiveTerms:
        """Return the objective and its terms for inputs ``[B, …]`` and rows ``[B]`` of the semantics table."""
        if inputs.dtype == torch.uint8:
            inputs = inputs.float() / 255
            if self.augmentation is not None:
                with torch.no_grad():
                    inputs = self.augmentation(inputs)
        positions = self.positions[labels]
        target = self.objective.class_semantics[positions]
        prediction, penalty = forward_in_parts(
            self.classifier.training_forward, self.classifier, (inputs, target), self.micro
        )
        # Cosines times 20 in half precision move in steps of 0.1, so mixed precision ends before the objective.
        with torch.autocast(inputs.device.type, enabled=False):
            terms: ObjectiveTerms = self.objective(prediction.float(), positions, penalty.float())
        return terms


def forward_in_parts(
    function: Callable[..., tuple[Tensor, ...]], network: nn.Module, inputs: tuple[Tensor, ...], size: int
) -> tuple[Tensor, ...]:
    """Compute ``function(*inputs)`` with the activations of at most ``size`` samples in memory at a time.

    Each part is computed without keeping its activations, and once more when gradients are taken. So any loss of the
    result has the gradient of the whole batch. Batch normalisation uses the statistics of the parts, as in any gradient
    accumulation, and its running statistics are updated once.

    Args:
        function: from tensors with a row per sample to tensors with a row per sample.
        network: the module that the function computes with.
        inputs: tensors ``[B, …]``.
        size: samples per part; 0 means all.
    """
    if not size or len(inputs[0]) <= size or not torch.is_grad_enabled():
        return function(*inputs)
    parts = zip(*(tensor.split(size) for tensor in inputs), strict=True)
    outputs = [recomputed(function, network, *part) for part in parts]
    return tuple(map(torch.cat, zip(*outputs, strict=True)))


def seed_step(seed: int, step: int, device: torch.device) -> None:
    """Give a step random numbers of its own, whatever drew some before it, so that a resumed run repeats them.

    The generators are seeded one by one: ``torch.manual_seed`` also queues work for devices that are not in use.
    """
    number = (seed * 1_000_000_007 + step) % 2**63
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)
