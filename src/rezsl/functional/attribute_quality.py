"""How well each attribute is predicted: average precision, area under the ROC curve, and the share of variance (R²)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rezsl.functional.shapes import ClassMatrix, checked

NEARLY_EQUAL = 1e-6
"""Values of a table that differ by less, as shares of the largest magnitude, are one value."""


@checked
def binary_attributes(class_semantics: ClassMatrix) -> Bool[Tensor, "C S"] | None:
    """Return which attributes each class has, ``[C, S]``, where a table is binary; None where it is not.

    A table is binary if it has two values at all, such as 0 and 1 or −1 and 1, of which the higher one means that the
    class has the attribute; or if its rows are those of such a table of 0 and 1 after a scaling of each row, such as
    to length 1.

    >>> binary_attributes(torch.tensor([[0.6, 0.6], [0.0, 1.0]]))
    tensor([[ True,  True],
            [False,  True]])
    >>> binary_attributes(torch.tensor([[0.2, 0.6], [0.0, 1.0]]))
    """
    values = class_semantics.double()
    scaled = values / values.amax(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    for table in (values, scaled):
        low, high = table.min(), table.max()
        tolerance = NEARLY_EQUAL * table.abs().max()
        is_high, is_low = table >= high - tolerance, table <= low + tolerance
        if bool((is_high | is_low).all()) and bool(high - low > tolerance) and (table is values or bool(low == 0)):
            return is_high
    return None


@checked
def average_precision(predictions: Float[Tensor, "N S"], present: Bool[Tensor, "N S"]) -> Float[Tensor, "S"]:
    """Compute the average precision of each attribute over N samples.

    AP_s = Σ_n (R_n − R_{n−1}) P_n over the thresholds n, from the highest prediction to the lowest, without
    interpolation (Zhu, *Recall, precision and average precision*, 2004). That is the mean, over the samples that have
    the attribute, of the precision among all samples whose prediction is at least as high.

    Args:
        predictions: predicted attributes, ``[N, S]``; only their order within a column counts.
        present: which attributes each sample has, ``[N, S]``.

    Returns:
        AP ``[S]`` in ``[0, 1]``, float64; NaN where no sample has the attribute, or every one. A prediction at random
        has the share of the samples with the attribute.

    >>> average_precision(torch.tensor([[0.9], [0.8], [0.1]]), torch.tensor([[True], [False], [True]]))
    tensor([0.8333], dtype=torch.float64)
    """
    column, ordered, below, total = _ordered(predictions, present)
    first = torch.searchsorted(ordered, column)
    at_least = column.shape[1] - first
    present_at_least = total - below.gather(1, first)
    precision = present_at_least / at_least.clamp(min=1)
    return _where_defined((precision * present.T).sum(dim=1) / total.squeeze(1), present)


@checked
def area_under_roc(predictions: Float[Tensor, "N S"], present: Bool[Tensor, "N S"]) -> Float[Tensor, "S"]:
    """Compute the area under the ROC curve of each attribute over N samples.

    It is the probability that a sample with the attribute has a higher prediction than one without it, where equal
    predictions count one half (Mann and Whitney, 1947). Arguments are those of :func:`average_precision`.

    Returns:
        AUC ``[S]`` in ``[0, 1]``, float64; 0.5 at random, NaN where no sample has the attribute, or every one.

    >>> area_under_roc(torch.tensor([[0.9], [0.8], [0.1]]), torch.tensor([[True], [False], [True]]))
    tensor([0.5000], dtype=torch.float64)
    """
    column, ordered, below, total = _ordered(predictions, present)
    first, last = torch.searchsorted(ordered, column), torch.searchsorted(ordered, column, right=True)
    lower, not_higher = (place - below.gather(1, place) for place in (first, last))
    wins = ((lower + not_higher) / 2 * present.T).sum(dim=1)
    absent = column.shape[1] - total
    return _where_defined(wins / (total * absent).squeeze(1), present)


def _ordered(predictions: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the columns as rows, ``[S, N]``, the same in ascending order, and how often the attribute is present.

    The third result ``[S, N + 1]`` counts the samples with the attribute among the first of the ascending order, and
    the fourth ``[S, 1]`` all of them.
    """
    column = predictions.T.contiguous()
    ordered, order = column.sort(dim=1)
    counts = torch.cat([column.new_zeros(len(column), 1).double(), present.T.gather(1, order).double().cumsum(1)], 1)
    return column, ordered, counts, counts[:, -1:]


def _where_defined(values: Tensor, present: Tensor) -> Tensor:
    """Replace the values of attributes that all samples have, or none, by NaN."""
    return torch.where(present.any(dim=0) & ~present.all(dim=0), values, torch.nan)


@checked
def attribute_r_squared(
    error_matrix: Float[Tensor, "K S"],
    class_semantics: Float[Tensor, "K S"],
    class_weights: Float[Tensor, "K"] | None = None,
) -> Float[Tensor, "S"]:
    """Compute the share of an attribute's variance over classes that its predictions explain (R²).

    R²_s = 1 − Σ_c w_c e_cs / Σ_c w_c (A_cs − Ā_s)², with Ā_s = Σ_c w_c A_cs / Σ_c w_c. The true value is the same for
    all samples of a class, so that the class error matrix is enough.

    Args:
        error_matrix: mean squared error e of each class in each attribute, ``[K, S]``.
        class_semantics: the true values A of the same classes, in the same scale, ``[K, S]``.
        class_weights: w, ``[K]``; None counts each class the same. The numbers of samples give the R² over samples.

    Returns:
        R² ``[S]``, at most 1, float64: 0 for a prediction of Ā_s whatever the image, below 0 for worse ones, and NaN
        for an attribute that is the same in all classes.

    >>> attribute_r_squared(torch.tensor([[0.1], [0.1]]), torch.tensor([[0.0], [1.0]]))
    tensor([0.6000], dtype=torch.float64)
    """
    errors, values = error_matrix.double(), class_semantics.double()
    weights = torch.ones(len(values), dtype=torch.float64) if class_weights is None else class_weights.double()
    weights = (weights.to(values.device) / weights.sum()).unsqueeze(1)
    variance = (weights * (values - (weights * values).sum(dim=0)).square()).sum(dim=0)
    spread = values.amax(dim=0) - values.amin(dim=0)
    varies = spread > NEARLY_EQUAL * values.abs().max()
    return torch.where(varies, 1 - (weights * errors).sum(dim=0) / variance, torch.nan)
