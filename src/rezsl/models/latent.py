"""LATEM: several bilinear maps, of which the one that fits best scores each class."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rezsl.errors import check_at_least, check_share
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Outputs, Pooled, Predictions, Scores
from rezsl.models._semantic_model import SemanticModel, TrainingOutput, pool
from rezsl.semantics import ClassSemantics


class LATEM(SemanticModel, name="latem"):
    """F(x, c) = scale · max_k ⟨W_k x, a_c / ‖a_c‖⟩ with x the mean region, scaled to length 1.

    Which map is used is a latent choice, which differs from image to image and from class to class. Xian et al., Latent
    Embeddings for Zero-shot Classification, CVPR 2016, equation 3. The original trains with a
    ranking loss on one random wrong class per step, whose expectation is that of
    :class:`rezsl.losses.DeViSELoss` over the number of wrong classes; cross-entropy works here as well.

    Maps that are hardly used are given up during training, as in the original: after each epoch those which gave the
    score of the right class for a share of the samples below ``prune_below``. The most used map always remains.

    Args:
        maps: number of maps K, at least 1; one map is a bilinear compatibility.
        prune_below: the share below which a map is given up, in ``[0, 1)``; 0 keeps all of them.
    """

    predicts_attributes: ClassVar[bool] = False
    kept: Bool[Tensor, "maps"]
    used: Float[Tensor, "maps"]

    def __init__(self, region_dim: int, semantics: ClassSemantics, maps: int = 8, prune_below: float = 0.05) -> None:
        super().__init__()
        check_at_least(1, maps=maps)
        check_share(prune_below=prune_below)
        self.prune_below = prune_below
        self.readout = nn.Linear(region_dim, maps * len(semantics.attributes), bias=False)
        self.register_buffer("kept", torch.ones(maps, dtype=torch.bool))
        self.register_buffer("used", torch.zeros(maps))

    def forward(self, regions: Pooled) -> Outputs:
        """Compute W_k x of every map, one behind the other, ``[B, …, D] -> [B, K · S]``."""
        outputs: Tensor = self.readout(l2_normalize(pool(regions)))
        return outputs

    def training_forward(self, regions: Pooled, target: Predictions) -> TrainingOutput:
        """Compute outputs, and count which map gives the score of the right class."""
        outputs = self(regions)
        with torch.no_grad():
            found = torch.einsum("bks,bs->bk", self._of_maps(outputs), target.to(outputs.dtype))
            best = found.masked_fill(~self.kept, -torch.inf).argmax(dim=1)
            self.used.index_add_(0, best, torch.ones_like(best, dtype=self.used.dtype))
        return TrainingOutput(outputs, outputs.new_zeros(len(outputs)))

    @torch.no_grad()
    def start_epoch(self) -> None:
        """Give up the maps that were used for too few samples since the last epoch."""
        if bool(self.used.any()):
            share = self.used / self.used.sum()
            self.kept &= (share >= self.prune_below) | (share == share.max())
        self.used.zero_()

    def class_scores(self, predictions: Outputs, class_semantics: ClassMatrix, scale: float) -> Scores:
        """Take the best map for each sample and class, times ``scale``; ``[B, K · S], [C, S] -> [B, C]``."""
        rows = l2_normalize(class_semantics.to(predictions.dtype))
        found: Tensor = self._of_maps(predictions) @ rows.T
        return scale * found.masked_fill(~self.kept[:, None], -torch.inf).amax(dim=1)

    def _of_maps(self, outputs: Outputs) -> Float[Tensor, "B maps S"]:
        maps: Tensor = outputs.unflatten(1, (len(self.kept), -1))
        return maps
