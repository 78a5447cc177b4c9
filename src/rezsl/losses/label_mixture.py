"""The distribution of each semantic's values over the training samples, as a mixture of normal distributions."""

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import needs
from rezsl.functional.shapes import ClassMatrix

MOST_ROWS = 1000


def label_mixture(
    class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"], components: int
) -> Float[Tensor, "3 S K"]:
    """Weights, means and variances of the mixture of each semantic, fitted by expectation-maximisation.

    Each semantic is fitted by itself. A class counts as often as it has training samples, in a thousand rows or so. A
    semantic with fewer distinct values than components has weights of 0 for the rest.
    """
    values = class_semantics.double().cpu()
    counts = class_counts.cpu()
    times = (counts * MOST_ROWS / counts.sum()).round().clamp(min=1).long() if counts.sum() > MOST_ROWS else counts
    centre, scale = values.mean(dim=0), values.std(dim=0, correction=0)
    scale = torch.where(scale > 0, scale, 1.0)
    rows = ((values - centre) / scale).repeat_interleave(times, dim=0)
    fitted = torch.stack([_one_mixture(column, components) for column in rows.T], dim=1)
    fitted[1] = fitted[1] * scale.unsqueeze(1) + centre.unsqueeze(1)
    fitted[2] *= scale.unsqueeze(1).square()
    return fitted.to(class_semantics)


def _one_mixture(values: Float[Tensor, "N"], components: int) -> Float[Tensor, "3 K"]:
    with needs("estimators", "a mixture of labels"):
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - scikit-learn takes long to import
        from sklearn.mixture import GaussianMixture  # noqa: PLC0415 - the same

    distinct = min(components, len(values.unique()))
    result = values.new_zeros(3, components)
    result[2] = 1.0
    if len(values) < 2 or distinct < 2:
        result[0, 0], result[1, 0], result[2, 0] = 1.0, values[0], 0.0
        return result
    with warnings.catch_warnings():
        # A prior need not be the exact maximum.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = GaussianMixture(distinct, covariance_type="spherical", random_state=0).fit(values.unsqueeze(1).numpy())
    for row, part in enumerate((fitted.weights_, fitted.means_[:, 0], fitted.covariances_)):
        result[row, :distinct] = torch.as_tensor(part)
    return result
