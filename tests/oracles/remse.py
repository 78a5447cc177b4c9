"""ReMSE, the rebalanced mean squared error, in loops.

For predictions p, targets t (both L2-normalised per row with ``normalize``) and labels y:

    E_is = (p_is - t_is)^2
    e_cs = mean of E_is over the samples i of class c
    w_cs = (1 + ln(e_cs / min_c' e_c's))^class_power * (1 + ln(e_cs / min_s' e_cs'))^semantic_power
    loss = mean over i, s of w_{y_i s} * E_is     no gradient through w
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
ErrorKind = Literal["squared", "absolute", "root", "cell_root"]
Memory = Literal["batch", "running", "ema"]


def class_error_matrix(errors: Floats, labels: Integers) -> tuple[Floats, Integers]:
    """e_cs = mean of errors_is over the samples i with label c; classes ascending, only those present."""
    classes = sorted({int(label) for label in labels})
    matrix = np.zeros((len(classes), errors.shape[1]), dtype=np.float64)
    for row, c in enumerate(classes):
        for s in range(errors.shape[1]):
            of_class = [float(errors[i, s]) for i in range(len(labels)) if labels[i] == c]
            matrix[row, s] = sum(of_class) / len(of_class)
    return matrix, np.array(classes, dtype=np.int64)


def rebalancing_weights(matrix: Floats, class_power: float, semantic_power: float) -> Floats:
    """w_cs = (1 + ln(e_cs / min_c' e_c's))^class_power * (1 + ln(e_cs / min_s' e_cs'))^semantic_power.

    Both minima run over the cells with e > 0; a cell with e = 0 gets the weight 1.
    """
    class_count, semantic_count = matrix.shape
    weights = np.ones((class_count, semantic_count), dtype=np.float64)
    for c in range(class_count):
        for s in range(semantic_count):
            e = float(matrix[c, s])
            if e > 0:
                least_over_classes = min(float(x) for x in matrix[:, s] if x > 0)
                least_over_semantics = min(float(x) for x in matrix[c, :] if x > 0)
                class_factor = (1 + math.log(e / least_over_classes)) ** class_power
                semantic_factor = (1 + math.log(e / least_over_semantics)) ** semantic_power
                weights[c, s] = class_factor * semantic_factor
    return weights


def normalize_rows(values: Floats) -> Floats:
    """u_i = x_i / ||x_i||; a row of zeros stays zero."""
    result = np.zeros(values.shape, dtype=np.float64)
    for i, row in enumerate(values):
        norm = math.hypot(*row)
        if norm > 0:
            result[i] = row / norm
    return result


def normalize_rows_backward(values: Floats, gradient: Floats) -> Floats:
    """Gradient through u = x / ||x||: dL/dx = (g - u <u, g>) / ||x|| with g = dL/du; zero for a row of zeros."""
    result = np.zeros(values.shape, dtype=np.float64)
    for i, row in enumerate(values):
        norm = math.hypot(*row)
        if norm > 0:
            unit = row / norm
            along = sum(float(u) * float(g) for u, g in zip(unit, gradient[i], strict=True))
            result[i] = (gradient[i] - unit * along) / norm
    return result


def cell_error(d: float, error: ErrorKind) -> float:
    """The error of one cell; for ``root``, whose root is taken of the mean, d^2."""
    if error == "absolute":
        return abs(d)
    return math.sqrt(d**2 + 1e-10) if error == "cell_root" else d**2


def weighted_loss(prediction: Floats, target: Floats, weights: Floats, *, normalize: bool, error: ErrorKind) -> float:
    """The loss for weights_is given per sample and attribute, with d = p - t.

    squared: mean of w d^2.   absolute: mean of w |d|.   root: sqrt(mean of w d^2).
    cell_root: mean of w sqrt(d^2 + 1e-10).
    """
    d = normalize_rows(prediction) - normalize_rows(target) if normalize else prediction - target
    total = 0.0
    for i in range(d.shape[0]):
        for s in range(d.shape[1]):
            total += float(weights[i, s]) * cell_error(float(d[i, s]), error)
    mean = total / d.size
    return math.sqrt(mean) if error == "root" else mean


def weighted_gradient(
    prediction: Floats, target: Floats, weights: Floats, *, normalize: bool, error: ErrorKind
) -> Floats:
    """d weighted_loss / d prediction for constant weights; n is the number of cells.

    squared: 2 w d / n.   absolute: w sign(d) / n.   root: w d / (n * loss), and 0 where the loss is 0.
    cell_root: w d / (n * sqrt(d^2 + 1e-10)).
    Then, if rows are normalised, through the normalisation of the prediction.
    """
    d = normalize_rows(prediction) - normalize_rows(target) if normalize else prediction - target
    loss = weighted_loss(prediction, target, weights, normalize=normalize, error=error)
    gradient = np.zeros(d.shape, dtype=np.float64)
    for i in range(d.shape[0]):
        for s in range(d.shape[1]):
            w, difference = float(weights[i, s]), float(d[i, s])
            if error == "squared":
                gradient[i, s] = 2 * w * difference / d.size
            elif error == "absolute":
                gradient[i, s] = w * np.sign(difference) / d.size
            elif error == "cell_root":
                gradient[i, s] = w * difference / (d.size * cell_error(difference, error))
            elif loss > 0:
                gradient[i, s] = w * difference / (d.size * loss)
    return normalize_rows_backward(prediction, gradient) if normalize else gradient


class ReMSE:
    """ReMSE with its memory of the class error matrix: ``remembered[c]`` is the row e_c of class c."""

    def __init__(
        self,
        *,
        class_power: float = 1.0,
        semantic_power: float = 0.1,
        normalize: bool = True,
        memory: Memory = "batch",
        decay: float = 0.9,
        unit_mean: bool = False,
        error: ErrorKind = "squared",
        weights_from: Literal["squared", "error"] = "squared",
    ) -> None:
        """Store the options; the memory is empty at first."""
        if memory not in ("batch", "running", "ema") or error not in ("squared", "absolute", "root", "cell_root"):
            raise ValueError(f"unknown memory {memory!r} or error {error!r}")
        self.weights_from: ErrorKind = error if weights_from == "error" else "squared"
        self.class_power = class_power
        self.semantic_power = semantic_power
        self.normalize = normalize
        self.memory = memory
        self.decay = decay
        self.unit_mean = unit_mean
        self.error: ErrorKind = error
        self.remembered: dict[int, Floats] = {}

    def remember(self, matrix: Floats, classes: Integers) -> None:
        """Update the memory with e of the classes present in a batch.

        batch: remove all others.   running: overwrite; the others remain.
        ema: decay * old + (1 - decay) * new, or new where there is no old value; the others remain.
        """
        if self.memory == "batch":
            self.remembered = {}
        for row, label in enumerate(classes):
            c, new = int(label), matrix[row]
            if self.memory == "ema" and c in self.remembered:
                new = self.decay * self.remembered[c] + (1 - self.decay) * new
            self.remembered[c] = new.copy()

    def sample_weights(self, labels: Integers) -> Floats:
        """w_{y_i s} from all remembered classes; with unit_mean divided by their mean over i and s."""
        classes = sorted(self.remembered)
        matrix = np.array([self.remembered[c] for c in classes], dtype=np.float64)
        table = rebalancing_weights(matrix, self.class_power, self.semantic_power)
        weights = np.array([table[classes.index(int(label))] for label in labels], dtype=np.float64)
        return weights / float(weights.mean()) if self.unit_mean else weights

    def __call__(self, prediction: Floats, target: Floats, labels: Integers) -> tuple[float, Floats]:
        """Update the memory with the errors of a batch and return (loss, d loss / d prediction)."""
        p, t = prediction.astype(np.float64), target.astype(np.float64)
        d = normalize_rows(p) - normalize_rows(t) if self.normalize else p - t
        errors = np.array([[cell_error(float(x), self.weights_from) for x in row] for row in d])
        self.remember(*class_error_matrix(errors, labels))
        weights = self.sample_weights(labels)
        loss = weighted_loss(p, t, weights, normalize=self.normalize, error=self.error)
        gradient = weighted_gradient(p, t, weights, normalize=self.normalize, error=self.error)
        return loss, gradient
