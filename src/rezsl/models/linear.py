"""Models that are linear in the mean region: a trained read-out, a bilinear compatibility, ESZSL, SAE and DAP."""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from rezsl.errors import ArgumentError, check_positive
from rezsl.functional import l2_normalize
from rezsl.functional.closed_forms import class_moments, eszsl, sae
from rezsl.functional.shapes import ClassMatrix, Labels, Pooled, Predictions, Scores
from rezsl.models._semantic_model import SemanticModel, pool
from rezsl.semantics import ClassSemantics

MOST_STEPS = 1000


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
    passes features that are centered and of unit deviation.

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

    Kodirov, Xiang and Gong, CVPR 2017. The departures from the original are those of :class:`ESZSL`: class rows of
    length 1; features of unit deviation, centered, unlike the attributes; and a relative penalty: λ is ``penalty``
    times the ratio of the mean of the diagonal of SᵀS to that of XᵀX, so at 1 encoder and decoder have equal weight.

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


class DAP(LinearModel, name="dap"):
    """p(a_s | x) = σ(w_s · x + b_s); the score of class c is ln Π_s p(a_s = a_s^c | x) / p(a_s = a_s^c).

    A class has an attribute if its value exceeds the mean over the training classes. An attribute that all or none of
    these classes have cannot be learnt: its probability is 1/2, and it has no influence on the scores. Classes with the
    same attributes have equal scores.

    There are two departures from Lampert et al., TPAMI 2014. The classifiers are logistic regressions, whose
    probabilities need no further calibration, instead of support vector machines. And :func:`rezsl.fit` passes features
    that are centered and of unit deviation.

    Args:
        penalty: half of it times ‖w_s‖² is added to the mean −ln p of an attribute, for features scaled to a mean
            square of 1; above 0.
    """

    has_bias = True
    thresholds: Float[Tensor, "S"]
    priors: Float[Tensor, "S"]

    def __init__(self, region_dim: int, semantics: ClassSemantics, penalty: float = 0.03) -> None:
        super().__init__(region_dim, semantics)
        check_positive(penalty=penalty)
        self.penalty = penalty
        self.register_buffer("thresholds", torch.zeros(len(semantics.attributes)))
        self.register_buffer("priors", torch.full_like(self.thresholds, 0.5))

    def forward(self, regions: Pooled) -> Predictions:
        """Predict the probability of each attribute, in (0, 1), ``[B, …, D] -> [B, S]``."""
        probability = torch.sigmoid(super().forward(regions))
        # A probability rounded to 0 or 1 would exclude classes by a single attribute.
        least = torch.finfo(probability.dtype).eps
        return probability.clamp(least, 1 - least)

    def class_scores(self, predictions: Predictions, class_semantics: ClassMatrix, scale: float) -> Scores:
        """Compute the logarithms of the class probabilities up to a common summand, ``[B, S], [C, S] -> [B, C]``.

        ``scale`` is not used, because logarithms of probabilities have their own scale.
        """
        present = (class_semantics > self.thresholds).to(predictions.dtype)
        priors = self.priors.to(predictions.dtype)
        have = predictions.log() - priors.log()
        lack = torch.log1p(-predictions) - torch.log1p(-priors)
        return have @ present.T + lack @ (1 - present).T

    @torch.no_grad()
    def solve(self, batches: Iterable[tuple[Pooled, Labels]], class_semantics: ClassMatrix) -> None:
        """Set the weights; all features are in memory, because logistic regression iterates over them many times."""
        pooled = [(pool(regions), labels) for regions, labels in batches]
        if not pooled:
            raise ArgumentError("batches: expected training samples, got none; give at least one batch")
        features, labels = (torch.cat(parts) for parts in zip(*pooled, strict=True))
        if not bool(features.isfinite().all()):
            raise ArgumentError("features: expected finite numbers, got others; check the features for nan")
        self.thresholds.copy_(class_semantics.double().mean(dim=0))
        present = class_semantics > self.thresholds
        learnable = present.any(dim=0) & ~present.all(dim=0) & (class_semantics != class_semantics[0]).any(dim=0)
        self.priors.copy_(torch.where(learnable, present.double().mean(dim=0), 0.5))
        self.readout.weight.zero_()
        self.readout.bias.zero_()
        if bool(learnable.any()):
            weights, bias = logistic_regressions(features, present[:, learnable][labels], self.penalty)
            self.readout.weight[learnable] = weights.to(self.readout.weight)
            self.readout.bias[learnable] = bias.to(self.readout.bias)


def logistic_regressions(
    features: Float[Tensor, "N D"], targets: Tensor, penalty: float
) -> tuple[Float[Tensor, "S D"], Float[Tensor, "S"]]:
    """Fit a logistic regression for each column of the boolean ``targets``, ``[N, S]``, and return weights and biases.

    L-BFGS optimises all of them together, to the precision of the features. An ArgumentError is raised if the penalty
    is so small that 1000 steps do not reach the optimum.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - the import of scipy takes long, and only DAP uses it

    size = features.square().mean().sqrt()
    size = torch.where(size > 0, size, 1.0)
    scaled, expected = features / size, targets.to(features.dtype)
    extended = torch.cat([scaled, scaled.new_ones(len(scaled), 1)], dim=1)
    penalties = torch.full((extended.shape[1], 1), penalty, dtype=torch.float64)
    penalties[-1] = 0.0  # of the bias
    # This is an upper bound of the curvature. In coordinates in which it is the identity, all directions are about
    # equally steep, so the search takes tens of steps instead of hundreds.
    curvature = (extended.T @ extended).double() / (4 * len(scaled)) + penalties.squeeze(1).diag()
    factor = torch.linalg.cholesky(curvature)
    shape = (extended.shape[1], targets.shape[1])

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = torch.linalg.solve_triangular(factor.T, torch.from_numpy(flat).view(shape), upper=True)
        logits = extended @ weights.to(extended)
        value = (F.softplus(logits) - expected * logits).sum(dtype=torch.float64) / len(scaled)
        excess = (torch.sigmoid(logits) - expected) / len(scaled)
        gradient = (extended.T @ excess).double() + penalties * weights
        rotated = torch.linalg.solve_triangular(factor, gradient, upper=False)
        return float(value + (penalties * weights.square()).sum() / 2), rotated.flatten().numpy()

    precision = 10 * torch.finfo(scaled.dtype).eps
    found = minimize(
        objective,
        np.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MOST_STEPS, "maxfun": 2 * MOST_STEPS, "ftol": precision, "gtol": 0},
    )
    if found.nit >= MOST_STEPS:
        raise ArgumentError(f"penalty: expected one with {MOST_STEPS} steps at most, got {penalty:g}; increase it")
    weights = torch.linalg.solve_triangular(factor.T, torch.from_numpy(found.x).view(shape), upper=True)
    return (weights[:-1] / size.double()).T, weights[-1]
