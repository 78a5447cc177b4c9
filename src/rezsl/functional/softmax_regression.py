"""Softmax regression of classes on features, with which methods that make features end."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from rezsl.errors import ArgumentError, check_at_least, check_positive
from rezsl.functional.shapes import check_labels, checked

PRECISION = 1e-5
"""The relative decrease of the objective per step below which the search ends."""


@checked
def softmax_regression(
    features: Float[Tensor, "N D"],
    labels: Int[Tensor, "N"],
    class_count: int,
    penalty: float = 1e-3,
    most_steps: int = 200,
) -> tuple[Float[Tensor, "C D"], Float[Tensor, "C"]]:
    """Fit class scores ``W x + b`` by cross-entropy, in which all classes have the same weight.

    It minimises the mean over classes of their mean −ln p(label | x), plus ``penalty / 2 · ‖W′‖²``. W′ are the weights
    for features that are centered and divided by their deviation, so that the penalty does not depend on the units of a
    feature; the result is for the features as they are. Mean and deviation give all classes the same weight as well.

    Args:
        features: of N samples.
        labels: class of each sample, in ``[0, C)``; every class occurs.
        class_count: C, at least 1.
        penalty: above 0.
        most_steps: the most steps of L-BFGS, after which the search ends even if it has not converged.

    Returns:
        W and b, in the dtype of the features.

    Raises:
        ArgumentError: a class has no sample, a feature is not finite, or an option is out of its range.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - the import of scipy takes long, and few methods use it

    check_positive(penalty=penalty)
    check_at_least(1, class_count=class_count, most_steps=most_steps)
    check_labels(labels, class_count)
    counts = torch.bincount(labels, minlength=class_count)
    if not bool((counts > 0).all()):
        raise ArgumentError(
            f"labels: expected samples of each of {class_count} classes, got none of some; give some of each"
        )
    if not bool(features.isfinite().all()):
        raise ArgumentError("features: expected finite numbers, got others; check the features for nan")
    weight = (1 / (class_count * counts.to(features.dtype)))[labels].unsqueeze(1)
    mean = (weight * features).sum(dim=0)
    deviation = (weight * (features - mean).square()).sum(dim=0).sqrt()
    deviation = torch.where(deviation > 0, deviation, 1.0)
    scaled = torch.cat([(features - mean) / deviation, features.new_ones(len(features), 1)], dim=1)
    shape = (class_count, scaled.shape[1])
    penalties = torch.full((shape[1],), penalty, dtype=torch.float64)
    penalties[-1] = 0.0  # of the bias
    rows = torch.arange(len(labels), device=labels.device)

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = torch.from_numpy(flat).view(shape)
        logs = torch.log_softmax(scaled @ weights.to(scaled).T, dim=1)
        # Not every accelerator has float64.
        value = -(weight.squeeze(1) * logs[rows, labels]).cpu().double().sum()
        excess = logs.exp()
        excess[rows, labels] -= 1
        gradient = ((weight * excess).T @ scaled).cpu().double() + penalties * weights
        return float(value + (penalties * weights.square()).sum() / 2), gradient.flatten().numpy()

    found = minimize(
        objective,
        np.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": most_steps, "maxfun": 2 * most_steps, "ftol": PRECISION, "gtol": 0},
    )
    solution = torch.from_numpy(found.x).view(shape).to(features)
    weights = solution[:, :-1] / deviation
    return weights, solution[:, -1] - weights @ mean
