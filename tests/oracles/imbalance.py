"""How unevenly the attributes are predicted, from the class error matrix e [C, S] and the class semantics A [C, S].

Row c of both belongs to the same class: with errors of some classes only, pass those rows of the class semantics.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def semantic_error_mean_and_deviation(matrix: Floats) -> tuple[float, float]:
    """Mean and population standard deviation, over attributes s, of m_s = mean over classes c of e_cs."""
    class_count, semantic_count = matrix.shape
    per_semantic = [sum(float(matrix[c, s]) for c in range(class_count)) / class_count for s in range(semantic_count)]
    mean = sum(per_semantic) / semantic_count
    variance = sum((m - mean) ** 2 for m in per_semantic) / semantic_count
    return mean, math.sqrt(variance)


def pearson(x: Floats, y: Floats) -> float:
    """<dx, dy> / (||dx|| ||dy||) with dx = x - mean x and dy = y - mean y; nan if x or y is constant."""
    if all(value == x[0] for value in x) or all(value == y[0] for value in y):
        return math.nan
    x_mean, y_mean = sum(map(float, x)) / len(x), sum(map(float, y)) / len(y)
    dx = [float(value) - x_mean for value in x]
    dy = [float(value) - y_mean for value in y]
    x_length, y_length = math.hypot(*dx), math.hypot(*dy)
    return sum((a / x_length) * (b / y_length) for a, b in zip(dx, dy, strict=True))


def correlation_per_semantic(matrix: Floats, class_semantics: Floats) -> Floats:
    """[S]: for each attribute, Pearson over the classes between A_cs and e_cs."""
    semantics = range(matrix.shape[1])
    return np.array([pearson(class_semantics[:, s], matrix[:, s]) for s in semantics], dtype=np.float64)


def correlation_per_class(matrix: Floats, class_semantics: Floats) -> Floats:
    """[C]: for each class, Pearson over the attributes between A_cs and e_cs."""
    classes = range(matrix.shape[0])
    return np.array([pearson(class_semantics[c], matrix[c]) for c in classes], dtype=np.float64)


def mean_of_defined(correlations: Floats) -> float:
    """The mean over the entries that are not nan; nan if there is none."""
    defined = [float(value) for value in correlations if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan
