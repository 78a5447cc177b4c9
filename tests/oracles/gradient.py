"""Gradients by central differences, in float64."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def numerical_gradient(function: Callable[[Floats], float], at: Floats, step: float = 1e-6) -> Floats:
    """d function / d at_j = (f(at + h e_j) - f(at - h e_j)) / 2h, cell by cell."""
    gradient = np.zeros(at.shape, dtype=np.float64)
    for j in np.ndindex(*at.shape):
        above, below = at.copy(), at.copy()
        above[j] += step
        below[j] -= step
        gradient[j] = (function(above) - function(below)) / (2 * step)
    return gradient
