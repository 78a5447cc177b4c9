"""Steps of a training: the forward pass, its random numbers, and the parameters that learn in an epoch."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.distributions import Beta
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.losses import Objective, ObjectiveTerms, RegressionLoss, RRTLoss
from rezsl.processes import from_first, gathered, part_sizes, process_count
from rezsl.regions import ImageBackbone, recomputed
from rezsl.training.callbacks import Stage
from rezsl.training.optimization import WeightAverage
from rezsl.training.settings import Training


class TrainingStep(nn.Module):
    """The forward pass of training on some samples, whose K classes alone the objective contains.

    Of several processes each computes the predictions of its part of a batch. The parts are gathered, and every process
    computes the objective of the whole batch, whose gradients are averaged over the processes; see
    :func:`rezsl.processes.gathered`. So the statistics of batches and the memories of losses are those of one process.

    ``positions`` ``[C]`` has the place of each row of the semantics table among these classes.
    """

    positions: Tensor

    def __init__(self, classifier: ZeroShotClassifier, benchmark: Benchmark, index: Tensor, training: Training) -> None:
        super().__init__()
        network, backbone, labels = classifier.network, classifier.backbone, benchmark.labels[index]
        _check_fit_together(classifier, training)
        # A copy, because the loss keeps errors and learns parameters that belong to one training.
        loss, classification = deepcopy(training.loss), deepcopy(training.classification)
        rows = labels.unique()
        table = benchmark.semantics.only(benchmark.semantics.classes_of(labels))
        semantics = table.values
        if loss is not None:
            loss.prepare(semantics, training.batches.drawn(labels))
        if classification is not None:
            classification.prepare(semantics)
        network.prepare(semantics)
        self.classifier, self.micro = classifier, training.batches.micro
        # Mixup (Zhang et al., ICLR 2018) mixes a batch with its permutation by one share from a Beta distribution; the
        # objective is the mean of those for both labels, with the same share.
        alpha = training.mixup if isinstance(training.mixup, float) else 0.0
        self.mixing = Beta(alpha, alpha) if alpha else None
        self.augmentation: nn.Module | None = None
        if isinstance(backbone, ImageBackbone):
            backbone.recompute(training.batches.recompute)
            if training.augmentation is not None:
                self.augmentation = training.augmentation.build(backbone.channels)
        positions = torch.full((len(benchmark.semantics.classes),), -1)
        positions[rows] = torch.arange(len(rows))
        self.register_buffer("positions", positions, persistent=False)
        self.objective = Objective(
            semantics,
            loss,
            training.loss_weight,
            classification,
            classifier.scores_along,
            classifier.class_directions(classifier.class_vectors(table)),
            classifier.attributes_of,
        )

    def forward(self, inputs: Tensor, labels: Tensor, size: int | None = None) -> ObjectiveTerms:
        """Return the objective and its terms for inputs ``[B, …]`` and rows ``[B]`` of the semantics table.

        Of several processes each gives its part of the batch, and ``size`` is that of the whole batch.
        """
        if inputs.dtype == torch.uint8:
            inputs = inputs.float() / 255
            if self.augmentation is not None:
                with torch.no_grad():
                    inputs = self.augmentation(inputs)
        positions = self.positions[labels]
        target = self.objective.class_semantics[positions]
        share, partner = 1.0, positions
        if self.mixing is not None and self.training:
            share = from_first(float(self.mixing.sample()))
            order = torch.randperm(len(inputs), device=inputs.device)
            inputs, partner = torch.lerp(inputs[order].float(), inputs.float(), share), positions[order]
            target = torch.lerp(target[order], target, share)
        prediction, penalty = forward_in_parts(
            self.classifier.training_forward, self.classifier, (inputs, target), self.micro
        )
        sizes = part_sizes(len(inputs) if size is None else size, process_count())
        prediction, penalty = (gathered(_precise(part), sizes) for part in (prediction, penalty))
        partner = gathered(partner, sizes) if share < 1 else partner
        positions = gathered(positions, sizes)
        # Cosines times 20 in half precision move in steps of 0.1, so mixed precision ends before the objective.
        with torch.autocast(inputs.device.type, enabled=False):
            terms: ObjectiveTerms = self.objective(prediction, positions, penalty)
            if share < 1:
                others: ObjectiveTerms = self.objective(prediction, partner, penalty)
                pairs = zip(terms, others, strict=True)
                terms = ObjectiveTerms(*(share * term + (1 - share) * other for term, other in pairs))
        return terms


def forward_in_parts(
    function: Callable[..., tuple[Tensor, ...]], network: nn.Module, inputs: tuple[Tensor, ...], size: int
) -> tuple[Tensor, ...]:
    """Compute ``function(*inputs)`` with the activations of at most ``size`` samples in memory at a time.

    Each part is computed without keeping its activations, and once more when gradients are taken. So any loss of the
    result has the gradient of the whole batch. Batch normalisation uses the statistics of the parts, as in any gradient
    accumulation, and its running statistics are updated once. A size of 0 means one part.
    """
    if not size or len(inputs[0]) <= size or not torch.is_grad_enabled():
        return function(*inputs)
    parts = zip(*(tensor.split(size) for tensor in inputs), strict=True)
    outputs = [recomputed(function, network, *part) for part in parts]
    return tuple(map(torch.cat, zip(*outputs, strict=True)))


def _precise(tensor: Tensor) -> Tensor:
    """Return numbers in single precision if they are in half precision."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def seed_step(seed: int, step: int, device: torch.device, rank: int = 0) -> None:
    """Give a step random numbers of its own, whatever drew some before it, so that a resumed run repeats them.

    Processes with different ranks get different numbers.
    The generators are seeded one by one: ``torch.manual_seed`` also queues work for devices that are not in use.
    """
    # Generators of CPUs use the lowest 32 bits only, so the stride of the processes must be in these.
    number = (seed * 1_000_000_007 + step + rank * 2_654_435_769) % 2**63
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)


def prepare_epoch(
    stage: Stage, loss: RegressionLoss | None, training: Training, optimizer: Optimizer, averaged: WeightAverage
) -> None:
    """Freeze or release the backbone for the next epoch, and all but the read-out where RRTLoss demands it."""
    classifier, frozen_epochs = stage.classifier, training.optimization.frozen_epochs
    classifier.network.start_epoch()
    retraining = False
    if isinstance(loss, RRTLoss):
        loss.start_epoch(stage.epoch, training.max_epochs)
        retraining = loss.retraining
    if isinstance(classifier.backbone, ImageBackbone):
        classifier.backbone.freeze(retraining or stage.epoch < frozen_epochs)
    if not isinstance(loss, RRTLoss) or not retraining:
        return
    readout = classifier.network.parameters_of(classifier.network.readout_parts)
    kept = set(map(id, readout))
    for parameter in classifier.parameters():
        if id(parameter) not in kept:
            parameter.requires_grad_(False)
    for layer in classifier.modules():
        if isinstance(layer, _BatchNorm):
            layer.eval()
    if stage.epoch == loss.change(training.max_epochs):
        # Neither the optimizer nor the average keeps anything of the old read-out.
        seed_step(training.seed, stage.step, classifier.device)
        classifier.network.reset_readout()
        for parameter in readout:
            optimizer.state.pop(parameter, None)
        averaged.steps = 0


def _check_fit_together(classifier: ZeroShotClassifier, training: Training) -> None:
    """Raise an ArgumentError that names a setting of a training that its model, its loss or the processes exclude."""
    network, backbone = classifier.network, classifier.backbone
    micro, recompute = training.batches.micro, training.batches.recompute
    if micro and network.whole_batches:
        raise ArgumentError(
            f"batches.micro: expected 0 with {type(network).__name__}, which would count each part of a batch "
            f"twice, got {micro}; set it to 0"
        )
    if process_count() > 1 and network.whole_batches and not network.gathers_batches:
        raise ArgumentError(
            f"devices: expected one process with {type(network).__name__}, whose statistics are of whole batches, "
            f"got {process_count()}; set it to 1"
        )
    if getattr(training.loss, "process_group", None) is not None:
        raise ArgumentError(
            "loss.process_group: expected null in a training by rezsl, which gives the loss whole batches; leave it out"
        )
    if recompute and not isinstance(backbone, ImageBackbone):
        raise ArgumentError("batches.recompute: expected false without a backbone of images, got true; set it to false")
    if isinstance(training.loss, RRTLoss) and not network.readout_parts:
        raise ArgumentError(
            f"loss: RRTLoss trains a model's read-out anew, and {type(network).__name__} has none; choose another "
            f"loss, or give the model readout_parts"
        )
    if isinstance(training.mixup, float) and training.mixup and getattr(training.loss, "memory", "batch") != "batch":
        raise ArgumentError(
            f"mixup: expected 0 with {training.loss}, whose memory would take the errors of each batch twice, got "
            f"{training.mixup:g}; set it to 0, or the loss's memory to batch"
        )
