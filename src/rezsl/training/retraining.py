"""A training of the read-out alone, at the end of another training."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from rezsl.classifier import ZeroShotClassifier
from rezsl.errors import ArgumentError
from rezsl.models import SemanticModel
from rezsl.regions import ImageBackbone
from rezsl.training.weight_average import WeightAverage


def check_readout(network: SemanticModel) -> None:
    """Refuse a model without a read-out that could be trained alone."""
    if not network.readout_parameters():
        raise ArgumentError(
            f"loss: RRTLoss trains a model's read-out anew, and {type(network).__name__} has none; choose another "
            f"loss, or give the model readout_parameters()"
        )


def freeze_all_but_readout(classifier: ZeroShotClassifier) -> list[nn.Parameter]:
    """Let only the read-out learn, and batch normalisation keep its statistics; what was frozen by this."""
    kept = set(map(id, classifier.network.readout_parameters()))
    if isinstance(classifier.backbone, ImageBackbone):
        classifier.backbone.freeze()
    frozen = [part for part in classifier.parameters() if part.requires_grad and id(part) not in kept]
    for parameter in frozen:
        parameter.requires_grad_(False)
    for layer in classifier.modules():
        if isinstance(layer, _BatchNorm):
            layer.eval()
    return frozen


def restart_readout(network: SemanticModel, optimizer: Optimizer, average: WeightAverage) -> None:
    """New random weights, of which neither the optimizer nor the average remembers anything."""
    network.reset_readout()
    for parameter in network.readout_parameters():
        optimizer.state.pop(parameter, None)
    average.steps = 0
