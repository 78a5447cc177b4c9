"""Ridge regression with an intercept, by least squares over stacked rows, and its predictions of left-out rows."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def predict(features: Floats, targets: Floats, penalty: float, others: Floats) -> Floats:
    """Targets of other rows: the intercept is an unpenalised column of ones, the penalty one row per feature."""
    dim = features.shape[1]
    left = np.vstack(
        [
            np.hstack([np.ones((len(features), 1)), features]),
            np.hstack([np.zeros((dim, 1)), np.sqrt(penalty) * np.eye(dim)]),
        ]
    )
    solution: Floats = np.linalg.lstsq(left, np.vstack([targets, np.zeros((dim, targets.shape[1]))]), rcond=None)[0]
    result: Floats = np.hstack([np.ones((len(others), 1)), others]) @ solution
    return result


def left_out(features: Floats, targets: Floats, penalty: float) -> Floats:
    """Prediction of each row from a fit to all other rows."""
    kept = [[other for other in range(len(features)) if other != row] for row in range(len(features))]
    parts = [predict(features[rows], targets[rows], penalty, features[row : row + 1]) for row, rows in enumerate(kept)]
    return np.concatenate(parts)
