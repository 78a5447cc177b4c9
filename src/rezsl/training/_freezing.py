"""Which parameters learn in an epoch: a frozen backbone, and a read-out that is trained anew on its own."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from rezsl.classifier import ZeroShotClassifier
from rezsl.losses import RegressionLoss, RRTLoss
from rezsl.regions import ImageBackbone
from rezsl.training._step import seed_step
from rezsl.training.optimization import WeightAverage
from rezsl.training.settings import Training


def prepare_epoch(
    classifier: ZeroShotClassifier,
    loss: RegressionLoss | None,
    training: Training,
    epoch: int,
    step: int,
    optimizer: Optimizer,
    averaged: WeightAverage,
) -> list[nn.Parameter]:
    """Freeze or release the backbone for an epoch, counted from 0, and all but the read-out where RRTLoss demands it.

    Returns:
        The parameters that were frozen in favour of the read-out.
    """
    frozen_epochs = training.optimization.frozen_epochs
    if isinstance(classifier.backbone, ImageBackbone):
        classifier.backbone.freeze(frozen_epochs < 0 or epoch < frozen_epochs)
    classifier.network.start_epoch()
    if not isinstance(loss, RRTLoss):
        return []
    loss.start_epoch(epoch, training.max_epochs)
    if not loss.retraining:
        return []
    frozen = _freeze_all_but_readout(classifier)
    if epoch == loss.change(training.max_epochs):
        # Neither the optimizer nor the average keeps anything of the old read-out.
        seed_step(training.seed, step, classifier.device)
        classifier.network.reset_readout()
        for parameter in classifier.network.parameters_of(classifier.network.readout_parts):
            optimizer.state.pop(parameter, None)
        averaged.steps = 0
    return frozen


def _freeze_all_but_readout(classifier: ZeroShotClassifier) -> list[nn.Parameter]:
    """Let only the read-out learn, keep the statistics of batch normalisation, and return what was frozen by this."""
    kept = set(map(id, classifier.network.parameters_of(classifier.network.readout_parts)))
    if isinstance(classifier.backbone, ImageBackbone):
        classifier.backbone.freeze()
    frozen = [part for part in classifier.parameters() if part.requires_grad and id(part) not in kept]
    for parameter in frozen:
        parameter.requires_grad_(False)
    for layer in classifier.modules():
        if isinstance(layer, _BatchNorm):
            layer.eval()
    return frozen


def release_all(classifier: ZeroShotClassifier, frozen: list[nn.Parameter]) -> None:
    """Leave a model whose every part can learn in further training."""
    for parameter in frozen:
        parameter.requires_grad_(True)
    if isinstance(classifier.backbone, ImageBackbone):
        classifier.backbone.freeze(False)
        classifier.backbone.recompute(False)
