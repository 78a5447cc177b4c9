"""SAE: a linear autoencoder whose code is the semantics (Kodirov, Xiang and Gong, CVPR 2017)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional import l2_normalize
from rezsl.functional.closed_forms import class_moments, sae
from rezsl.functional.shapes import ClassMatrix, Labels, Pooled, Predictions
from rezsl.models._semantic_model import SemanticModel, pool
from rezsl.semantics import ClassSemantics


class SAE(SemanticModel, name="sae"):
    """Â = W x, where Wᵀ of a sample's semantics gives its features back; scored by cosine.

    Three departures from the original. Class rows have length 1. The penalty is relative, so one default fits any
    number of samples, dimensions and classes: λ is ``penalty`` times the ratio of the mean of the diagonal of SᵀS to
    that of XᵀX, so at 1 encoder and decoder weigh the same. And :func:`rezsl.fit` gives it features that are centred
    and of unit deviation; nothing centres the semantics.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        semantics: the table whose S attributes are predicted.
        penalty: relative λ, the weight of the encoder beside the decoder; above 0.
    """

    def __init__(self, region_dim: int, semantics: ClassSemantics, penalty: float = 10.0) -> None:
        super().__init__()
        if not 0 < penalty < float("inf"):
            raise ArgumentError(f"penalty: expected a positive number, got {penalty}")
        self.readout = nn.Linear(region_dim, len(semantics.attributes), bias=False)
        self.penalty = penalty

    def forward(self, regions: Pooled) -> Predictions:
        """Encode the mean region, ``[B, …, D] -> [B, S]``."""
        prediction: Tensor = self.readout(pool(regions))
        return prediction

    @torch.no_grad()
    def solve(self, batches: Iterable[tuple[Pooled, Labels]], class_semantics: ClassMatrix) -> None:
        """Set the weights; about six times the memory of XᵀX in float64."""
        rows = l2_normalize(class_semantics.double())
        # In float64 from the start: nothing but the smallest eigenvalue of SᵀS keeps the equation from being singular.
        moments = class_moments(((pool(regions).double(), labels) for regions, labels in batches), len(rows))
        semantic_size = float((moments.counts @ rows.square()).mean())
        # Features that are all alike have nothing to relate a penalty to: any will do, and the weights come out as 0.
        feature_size = float(moments.gram.diagonal().mean()) or 1.0
        solution = sae(moments, rows, self.penalty * semantic_size / feature_size)
        self.readout.weight.copy_(solution)
