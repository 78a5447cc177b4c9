"""SAE: a linear autoencoder whose code is the attributes (Kodirov, Xiang and Gong, CVPR 2017)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from rezsl.errors import check_positive
from rezsl.functional import l2_normalize
from rezsl.functional.closed_forms import class_moments, sae
from rezsl.functional.shapes import ClassMatrix, Labels, Pooled, Predictions
from rezsl.models._semantic_model import SemanticModel, pool
from rezsl.semantics import ClassSemantics


class SAE(SemanticModel, name="sae"):
    """Â = W x, where Wᵀ reconstructs the features of a sample from its attributes; classes are scored by cosine.

    There are three departures from the original. Class rows have length 1. The penalty is relative, so that one default
    fits any number of samples, dimensions and classes: λ is ``penalty`` times the ratio of the mean of the diagonal of
    SᵀS to that of XᵀX, so at 1 encoder and decoder have equal weight. And :func:`rezsl.fit` passes features that are
    centred and of unit deviation, while the attributes are not centred.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        semantics: the table whose S attributes are predicted.
        penalty: relative λ, the weight of the encoder compared with that of the decoder; above 0.
    """

    def __init__(self, region_dim: int, semantics: ClassSemantics, penalty: float = 10.0) -> None:
        super().__init__()
        check_positive(penalty=penalty)
        self.readout = nn.Linear(region_dim, len(semantics.attributes), bias=False)
        self.penalty = penalty

    def forward(self, regions: Pooled) -> Predictions:
        """Encode the mean region, ``[B, …, D] -> [B, S]``."""
        prediction: Tensor = self.readout(pool(regions))
        return prediction

    @torch.no_grad()
    def solve(self, batches: Iterable[tuple[Pooled, Labels]], class_semantics: ClassMatrix) -> None:
        """Set the weights; this takes about six times the memory of XᵀX in float64."""
        rows = l2_normalize(class_semantics.double())
        # All products are in float64, because only the smallest eigenvalue of SᵀS keeps the equation regular.
        moments = class_moments(((pool(regions).double(), labels) for regions, labels in batches), len(rows))
        semantic_size = float((moments.counts @ rows.square()).mean())
        # Features that are all 0 give no size to relate a penalty to. Any size will do: the weights become 0.
        feature_size = float(moments.gram.diagonal().mean()) or 1.0
        solution = sae(moments, rows, self.penalty * semantic_size / feature_size)
        self.readout.weight.copy_(solution)
