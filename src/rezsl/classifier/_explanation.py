"""The explanation of one prediction: the attention of each attribute, and its share in the decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rezsl.classifier._classifier import Ranked, ZeroShotClassifier
from rezsl.data import Crop
from rezsl.errors import ArgumentError, DataError
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import Regions
from rezsl.models import HasAttention, SemanticModel
from rezsl.regions import ImageBackbone
from rezsl.semantics import ClassSemantics


@dataclass(frozen=True, eq=False)
class Explanation:
    """The explanation of one prediction.

    The score of a class is a sum over attributes: scale · Σ_s p_s a_s with the directions p (predicted) and a (the
    class's), both of length 1, less γ for a seen class. So every attribute has a share of a score, and of the lead of
    one class over another.

    Attributes:
        winner: the predicted class.
        runner_up: the class with the second highest score.
        attributes: names of the S attributes.
        predicted: predicted direction p, ``[S]``.
        of_winner: direction of the winner's semantics, ``[S]``.
        of_runner_up: direction of the runner-up's semantics, ``[S]``.
        share: share of each attribute in the winner's score, ``[S]``; sums to the score without γ.
        lead: share of each attribute in the winner's lead over the runner-up, ``[S]``.
        calibration: the part of this lead that γ makes: γ if only the runner-up is seen, −γ if only the winner is,
            otherwise 0.
        image: the pixels that the model received, or None for features.
        attention: weight of each cell of the image for each attribute, ``[S, side, side]``, or None for features and
            for a model without attention. A map sums to 1 less the weight in ``elsewhere``.
        elsewhere: weight of regions that have no place in the image (class tokens), ``[S]``.
    """

    winner: Ranked
    runner_up: Ranked
    attributes: tuple[str, ...]
    predicted: Float[Tensor, "S"]
    of_winner: Float[Tensor, "S"]
    of_runner_up: Float[Tensor, "S"]
    share: Float[Tensor, "S"]
    lead: Float[Tensor, "S"]
    calibration: float
    image: UInt8[Tensor, "channels size size"] | None
    attention: Float[Tensor, "S side side"] | None
    elsewhere: Float[Tensor, "S"] | None


@torch.inference_mode()
def explain(
    model: ZeroShotClassifier,
    inputs: Tensor | Sequence[Path | Crop],
    position: int = 0,
    candidates: ClassSemantics | None = None,
) -> Explanation:
    """Explain the class of one input.

    Args:
        model: a trained classifier.
        inputs: as for :meth:`ZeroShotClassifier.classify`.
        position: index of the input to explain.
        candidates: the classes to choose among; None means the classes of the training table.

    Raises:
        DataError: there are fewer than two candidate classes.
        ArgumentError: the model's scores are not cosines, so that attributes have no shares in them; or there is no
            input at this position.
    """
    if not 0 <= position < len(inputs):
        raise ArgumentError(f"position: expected one of {len(inputs)} inputs, from 0, got {position}")
    if not model.network.scores_are_cosines:
        raise ArgumentError(
            f"model: expected one whose class scores are cosines, got {type(model.network).__name__}, whose scores "
            "are no sums over attributes; explain a model with cosine scores"
        )
    table = model.semantics if candidates is None else model.semantics.with_classes_of(candidates)
    if len(table.classes) < 2:
        raise DataError(f"classes: expected at least two to choose among, got {len(table.classes)}")
    index = torch.tensor([position])
    batch = model.input_format.read(inputs, index).to(model.device)
    was_training = model.training
    model.eval()
    try:
        regions = model.backbone(batch)
        prediction = model.network(regions)
        weights = _attention(model.network, regions)
    finally:
        model.train(was_training)
    winner, runner_up = model.rank(model.scores(prediction.cpu(), table), table.classes, 2)[0]
    values = table.values[table.index([winner.name, runner_up.name])].to(prediction.device)
    predictions, directions = (l2_normalize(side).cpu() for side in model.compared(prediction, values))
    predicted = predictions[0]
    share, lead = (model.scale * predicted * side for side in (directions[0], directions[0] - directions[1]))
    attention = elsewhere = None
    if weights is not None and isinstance(model.backbone, ImageBackbone):
        before, side = model.backbone.grid(weights.shape[1])
        attention, elsewhere = weights[:, before:].unflatten(1, (side, side)), weights[:, :before].sum(dim=1)
    return Explanation(
        winner=winner,
        runner_up=runner_up,
        attributes=model.semantics.attributes,
        predicted=predicted,
        of_winner=directions[0],
        of_runner_up=directions[1],
        share=share,
        lead=lead,
        calibration=model.gamma * (runner_up.seen - winner.seen),
        image=batch[0].cpu() if isinstance(model.backbone, ImageBackbone) else None,
        attention=attention,
        elsewhere=elsewhere,
    )


def _attention(network: SemanticModel, regions: Regions) -> Float[Tensor, "S R"] | None:
    """Return the attention of the first sample, or None for a model without attention."""
    # The class is tested, because an instance may have a layer of the name ``attention``.
    if not issubclass(type(network), HasAttention):
        return None
    assert isinstance(network, HasAttention)
    return network.attention(regions)[0].cpu()
