"""DAP: a probability for each attribute, and of them one for each class (Lampert et al., TPAMI 2014)."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import ClassMatrix, Labels, Pooled, Predictions, Scores
from rezsl.models._semantic_model import SemanticModel, pool
from rezsl.semantics import ClassSemantics

MOST_STEPS = 1000


class DAP(SemanticModel, name="dap"):
    """p(a_s | x) = σ(w_s · x + b_s); a class scores ln Π_s p(a_s = a_s^c | x) / p(a_s = a_s^c).

    A class has an attribute if its semantics exceed the mean over the training classes. An attribute that all or none
    of those have cannot be learnt: its probability is 1/2 and it tells no classes apart. Classes whose attributes come
    out alike get equal scores.

    Two departures from the original. The classifiers are logistic regressions, whose probabilities need no further
    calibration, not support vector machines. And :func:`rezsl.fit` gives them features that are centred and of unit
    deviation.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        semantics: the table whose S attributes are predicted.
        penalty: half of it times ‖w_s‖² is added to the mean −ln p of an attribute, for features brought to a mean
            square of 1; above 0.
    """

    thresholds: Float[Tensor, "S"]
    priors: Float[Tensor, "S"]

    def __init__(self, region_dim: int, semantics: ClassSemantics, penalty: float = 0.03) -> None:
        super().__init__()
        if not 0 < penalty < float("inf"):
            raise ArgumentError(f"penalty: expected a positive number, got {penalty}")
        num_semantics = len(semantics.attributes)
        self.readout = nn.Linear(region_dim, num_semantics)
        self.register_buffer("thresholds", torch.zeros(num_semantics))
        self.register_buffer("priors", torch.full((num_semantics,), 0.5))
        self.penalty = penalty

    def forward(self, regions: Pooled) -> Predictions:
        """Probability of each attribute, in (0, 1), ``[B, …, D] -> [B, S]``."""
        probability = torch.sigmoid(self.readout(pool(regions)))
        # Rounded to 0 or 1, a single attribute would rule a class out for good.
        least = torch.finfo(probability.dtype).eps
        return probability.clamp(least, 1 - least)

    def class_scores(self, predictions: Predictions, class_semantics: ClassMatrix, scale: float) -> Scores:
        """Logarithms of the classes' probabilities up to the same number for all, ``[B, S], [C, S] -> [B, C]``.

        Logarithms of probabilities have a scale of their own: ``scale`` changes nothing.
        """
        present = self._present(class_semantics).to(predictions.dtype)
        priors = self.priors.to(predictions.dtype)
        have = predictions.log() - priors.log()
        lack = torch.log1p(-predictions) - torch.log1p(-priors)
        return have @ present.T + lack @ (1 - present).T

    @torch.no_grad()
    def solve(self, batches: Iterable[tuple[Pooled, Labels]], class_semantics: ClassMatrix) -> None:
        """Set the weights; the features are kept in memory, since logistic regression goes over them many times."""
        pooled = [(pool(regions), labels) for regions, labels in batches]
        if not pooled:
            raise ArgumentError("batches: expected samples to learn from, got none")
        features, labels = (torch.cat(parts) for parts in zip(*pooled, strict=True))
        if not bool(features.isfinite().all()):
            raise ArgumentError("features: expected finite numbers, got some that are not; check the features for nan")
        self.thresholds.copy_(class_semantics.double().mean(dim=0))
        present = self._present(class_semantics)
        learnable = present.any(dim=0) & ~present.all(dim=0) & (class_semantics != class_semantics[0]).any(dim=0)
        self.priors.copy_(torch.where(learnable, present.double().mean(dim=0), 0.5))
        self.readout.weight.zero_()
        self.readout.bias.zero_()
        if bool(learnable.any()):
            weights, bias = logistic_regressions(features, present[:, learnable][labels], self.penalty)
            self.readout.weight[learnable] = weights.to(self.readout.weight)
            self.readout.bias[learnable] = bias.to(self.readout.bias)

    def _present(self, class_semantics: ClassMatrix) -> Tensor:
        return class_semantics > self.thresholds


def logistic_regressions(
    features: Float[Tensor, "N D"], targets: Tensor, penalty: float
) -> tuple[Float[Tensor, "S D"], Float[Tensor, "S"]]:
    """Weights and biases of a logistic regression for each column of the boolean ``targets``, ``[N, S]``.

    All are found together by L-BFGS, as far as the precision of the features goes.

    Raises:
        ArgumentError: the penalty is so small that 1000 steps do not get there.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - scipy takes a while to import, and only DAP searches with it

    size = features.square().mean().sqrt()
    size = torch.where(size > 0, size, 1.0)
    scaled, wanted = features / size, targets.to(features.dtype)
    extended = torch.cat([scaled, scaled.new_ones(len(scaled), 1)], dim=1)
    penalties = torch.full((extended.shape[1], 1), penalty, dtype=torch.float64)
    penalties[-1] = 0.0
    # No curvature exceeds this one. In the coordinates where it is the identity every direction is about as steep, and
    # the search takes tens of steps, not hundreds.
    curvature = (extended.T @ extended).double() / (4 * len(scaled)) + penalties.squeeze(1).diag()
    factor = torch.linalg.cholesky(curvature)
    shape = (extended.shape[1], targets.shape[1])

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = torch.linalg.solve_triangular(factor.T, torch.from_numpy(flat).view(shape), upper=True)
        logits = extended @ weights.to(extended)
        value = (F.softplus(logits) - wanted * logits).sum(dtype=torch.float64) / len(scaled)
        excess = (torch.sigmoid(logits) - wanted) / len(scaled)
        gradient = (extended.T @ excess).double() + penalties * weights
        turned = torch.linalg.solve_triangular(factor, gradient, upper=False)
        return float(value + (penalties * weights.square()).sum() / 2), turned.flatten().numpy()

    found = minimize(
        objective,
        np.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": MOST_STEPS,
            "maxfun": 2 * MOST_STEPS,
            "ftol": 10 * torch.finfo(scaled.dtype).eps,
            "gtol": 0,
        },
    )
    if found.nit >= MOST_STEPS:
        raise ArgumentError(f"penalty: expected one that is reached in {MOST_STEPS} steps, got {penalty:g}; raise it")
    weights = torch.linalg.solve_triangular(factor.T, torch.from_numpy(found.x).view(shape), upper=True)
    return (weights[:-1] / size.double()).T, weights[-1]
