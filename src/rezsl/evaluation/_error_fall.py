"""Measure how fast the errors of a run fall from epoch to epoch."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, RunDirectoryError
from rezsl.evaluation._evaluation import AnalysisOptions
from rezsl.files import read_npz, reading
from rezsl.functional.binning import bin_by_value
from rezsl.functional.imbalance import ErrorFall, error_fall_rate
from rezsl.functional.statistics import bootstrap_weights, correlations


@torch.inference_mode()
def analyse_error_fall(
    error_matrices: Float[Tensor, "E K S"],
    class_semantics: Float[Tensor, "K S"],
    epochs: Sequence[float] | None = None,
    options: AnalysisOptions = AnalysisOptions(),
) -> ErrorFall:
    """Measure how fast each error falls from epoch to epoch, and whether that depends on the attribute value.

    Args:
        error_matrices: class error matrix of each epoch, ``[E, K, S]``, such as :attr:`Analysis.error_matrix`.
        class_semantics: attribute values of the same classes, ``[K, S]``, such as :attr:`Analysis.class_semantics`.
        epochs: number of each epoch, E of them, ascending; None counts them from 1.
        options: bins and intervals.

    Raises:
        ArgumentError: fewer than two epochs, epochs out of order or of another number, or an error that is negative
            or not finite.

    >>> matrices = torch.tensor([[[0.4, 0.4]], [[0.2, 0.4]]])
    >>> analyse_error_fall(matrices, torch.tensor([[1.0, 0.0]])).rate
    tensor([[0.6931, 0.0000]], dtype=torch.float64)
    """
    numbers = range(1, len(error_matrices) + 1) if epochs is None else epochs
    if len(numbers) != len(error_matrices):
        raise ArgumentError(f"epochs: expected one per error matrix, {len(error_matrices)}, got {len(numbers)}")
    if error_matrices.shape[1:] != class_semantics.shape:
        expected, got = (" × ".join(map(str, shape)) for shape in (class_semantics.shape, error_matrices.shape[1:]))
        raise ArgumentError(f"error_matrices: expected a cell per class and attribute, {expected}, got {got}")
    time = torch.tensor(numbers, dtype=torch.float64)
    rate = error_fall_rate(error_matrices, time)
    weights = bootstrap_weights(len(rate), options.resamples, options.seed)
    return ErrorFall(
        epochs=time,
        rate=rate,
        mean_error=error_matrices.double().mean(dim=(1, 2)),
        by_value=bin_by_value(rate, class_semantics, weights, options.value_bins, options.value_binning, options.level),
        correlation_over_classes=correlations(class_semantics, rate, weights, options.level),
    )


def load_error_fall(run_dir: str | Path, options: AnalysisOptions = AnalysisOptions()) -> ErrorFall | None:
    """Measure how fast the validation errors of a run fell, from its ``validation_errors.npz``.

    Args:
        run_dir: directory of a run.
        options: bins and intervals.

    Returns:
        None where the run has no such file, as after a method in closed form, or has a single epoch.

    Raises:
        RunDirectoryError: the file is damaged.
    """
    path = Path(run_dir) / "validation_errors.npz"
    if not path.exists():
        return None
    expected = "the error matrices of a run's epochs"
    content = read_npz(path, RunDirectoryError, expected)
    with reading(path, expected, RunDirectoryError):
        epochs = content["epochs"].astype(float).tolist()
        errors, values = (torch.from_numpy(content[name]).double() for name in ("errors", "class_semantics"))
        return analyse_error_fall(errors, values, epochs, options) if len(epochs) > 1 else None
