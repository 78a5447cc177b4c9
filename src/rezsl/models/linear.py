"""Models that are linear in the mean region: a trained read-out, a bilinear compatibility, and two closed forms."""

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor, nn

from rezsl.errors import check_positive
from rezsl.functional import l2_normalize
from rezsl.functional.closed_forms import class_moments, eszsl, sae
from rezsl.functional.shapes import ClassMatrix, Labels, Pooled, Predictions, Scores
from rezsl.models._semantic_model import SemanticModel, pool
from rezsl.semantics import ClassSemantics


class LinearModel(SemanticModel):
    """The base class of linear models: Â = W · mean_r F_r, plus b where ``has_bias`` is set.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        semantics: the table whose S attributes are predicted.
    """

    has_bias: ClassVar[bool] = False

    def __init__(self, region_dim: int, semantics: ClassSemantics) -> None:
        super().__init__()
        self.readout = nn.Linear(region_dim, len(semantics.attributes), bias=self.has_bias)

    def forward(self, regions: Pooled) -> Predictions:
        """Predict attributes, ``[B, …, D] -> [B, S]``."""
        prediction: Tensor = self.readout(pool(regions))
        return prediction


class LinearRegressor(LinearModel, name="linear"):
    """Â = W · mean_r F_r + b: the paper's BasicNet with pooled regions and a linear read-out."""

    has_bias = True
    readout_parts = ("readout",)


class Bilinear(LinearModel, name="bilinear"):
    """F(x, c) = scale · ⟨W · mean_r F_r, a_c / ‖a_c‖⟩: unlike in a cosine, the length of the prediction counts.

    ALE, DeViSE and SJE are this model under their ranking losses, as ``classification`` of :func:`rezsl.fit` with
    ``loss=None``. The margins of these losses are in units of the scores, after the multiplication by ``scale``.
    """

    def class_scores(self, predictions: Predictions, class_semantics: ClassMatrix, scale: float) -> Scores:
        """Multiply with class rows of length 1 and with ``scale``; ``[B, S], [C, S] -> [B, C]``."""
        return scale * predictions @ l2_normalize(class_semantics.to(predictions.dtype)).T


class ESZSL(Bilinear, name="eszsl"):
    """Scores ⟨W x, a_c / ‖a_c‖⟩ fitted to +1 for the right class and −1 for the others, times ``scale``.

    Romera-Paredes and Torr, ICML 2015. There are two departures from the original. The penalties are relative, so that
    one default fits any number of samples, dimensions and classes: γ is ``feature_penalty`` times the mean of the
    diagonal of XᵀX, λ is ``semantic_penalty`` times that of AᵀA, with class rows of length 1. And :func:`rezsl.fit`
    passes features that are centred and of unit deviation.

    Args:
        feature_penalty: relative γ, above 0.
        semantic_penalty: relative λ, above 0.
    """

    def __init__(
        self, region_dim: int, semantics: ClassSemantics, feature_penalty: float = 0.3, semantic_penalty: float = 1.0
    ) -> None:
        super().__init__(region_dim, semantics)
        check_positive(feature_penalty=feature_penalty, semantic_penalty=semantic_penalty)
        self.feature_penalty, self.semantic_penalty = feature_penalty, semantic_penalty

    @torch.no_grad()
    def solve(self, batches: Iterable[tuple[Pooled, Labels]], class_semantics: ClassMatrix) -> None:
        """Set the weights; this takes about five times the memory of XᵀX in float64."""
        rows = l2_normalize(class_semantics.double())
        moments = class_moments(((pool(regions), labels) for regions, labels in batches), len(rows))
        semantic_penalty = self.semantic_penalty * float(rows.square().sum(dim=0).mean())
        self.readout.weight.copy_(eszsl(moments, rows, self.feature_penalty * moments.mean_square, semantic_penalty))


class SAE(LinearModel, name="sae"):
    """Â = W x, where Wᵀ reconstructs the features of a sample from its attributes; classes are scored by cosine.

    Kodirov, Xiang and Gong, CVPR 2017. There are three departures from the original. Class rows have length 1. The
    penalty is relative, so that one default fits any number of samples, dimensions and classes: λ is ``penalty`` times
    the ratio of the mean of the diagonal of SᵀS to that of XᵀX, so at 1 encoder and decoder have equal weight. Third,
    the features that :func:`rezsl.fit` passes are centred and of unit deviation, while the attributes are not centred.

    Args:
        penalty: relative λ, the weight of the encoder compared with that of the decoder; above 0.
    """

    def __init__(self, region_dim: int, semantics: ClassSemantics, penalty: float = 10.0) -> None:
        super().__init__(region_dim, semantics)
        check_positive(penalty=penalty)
        self.penalty = penalty

    @torch.no_grad()
    def solve(self, batches: Iterable[tuple[Pooled, Labels]], class_semantics: ClassMatrix) -> None:
        """Set the weights; this takes about six times the memory of XᵀX in float64."""
        rows = l2_normalize(class_semantics.double())
        # All products are in float64, because only the smallest eigenvalue of SᵀS keeps the equation regular.
        moments = class_moments(((pool(regions).double(), labels) for regions, labels in batches), len(rows))
        semantic_square = float((moments.counts @ rows.square()).mean())
        self.readout.weight.copy_(sae(moments, rows, self.penalty * semantic_square / moments.mean_square))
