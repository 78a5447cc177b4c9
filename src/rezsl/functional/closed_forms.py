"""Zero-shot learning by closed forms: ESZSL and SAE from second moments of the features, collected in one pass.

X [N, D] are the features, y their classes, A [K, S] the attributes of the classes. Both solutions depend on the samples
only through the Gram matrix XᵀX and the sum of each class's features, so no matrix is N × N.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import ClassMatrix, Labels

COLUMNS = 256


class ClassMoments(NamedTuple):
    """The sums over samples from which the closed forms are computed, in float64.

    Attributes:
        gram: XᵀX, ``[D, D]``.
        class_sums: sum of the features of each class, ``[K, D]``.
        counts: number of samples of each class, ``[K]``.
    """

    gram: Float[Tensor, "D D"]
    class_sums: Float[Tensor, "K D"]
    counts: Float[Tensor, "K"]

    @property
    def mean_square(self) -> float:
        """Mean of the diagonal of XᵀX, to which penalties relate; 1 where it is 0, because any size will do then."""
        return float(self.gram.diagonal().mean()) or 1.0


def class_moments(batches: Iterable[tuple[Float[Tensor, "B D"], Labels]], class_count: int) -> ClassMoments:
    """Sum the moments over batches of features and labels.

    The products of a batch are computed in the dtype of its features and summed in float64. Only the upper half of the
    Gram matrix is computed, in strips, because it takes nearly all of the time. ``class_count`` is K. It is an
    ArgumentError if there is no batch, or a feature is not a finite number.
    """
    moments: ClassMoments | None = None
    for features, labels in batches:
        dim = features.shape[1]
        if moments is None:
            sizes = ((dim, dim), (class_count, dim), (class_count,))
            moments = ClassMoments(*(features.new_zeros(size, dtype=torch.float64) for size in sizes))
        for first in range(0, dim, COLUMNS):
            strip = slice(first, first + COLUMNS)
            moments.gram[strip, first:] += features[:, strip].T @ features[:, first:]
        # A product with indicators takes a quarter of the time of adding the rows one by one in float64.
        indicators = one_hot(labels, class_count).to(features.dtype)
        moments.class_sums.add_(indicators.T @ features)
        moments.counts.add_(indicators.sum(dim=0, dtype=torch.float64))
    if moments is None:
        raise ArgumentError("batches: expected training samples, got none; give at least one batch")
    if not bool(moments.gram.diagonal().isfinite().all()):
        raise ArgumentError("features: expected finite numbers, got others; check the features for nan")
    for first in range(0, len(moments.gram), COLUMNS):
        beyond = first + COLUMNS
        moments.gram[beyond:, first:beyond] = moments.gram[first:beyond, beyond:].T
    return moments


def eszsl(
    moments: ClassMoments, class_semantics: ClassMatrix, feature_penalty: float, semantic_penalty: float
) -> Float[Tensor, "S D"]:
    """Solve ESZSL (Romera-Paredes and Torr, ICML 2015): W fits xᵀWᵀa_k to +1 for the right class, −1 for the others.

    It minimises ‖XWᵀAᵀ − Y‖² + γ‖WᵀAᵀ‖² + λ‖XWᵀ‖² + γλ‖W‖², Y = ±1, by its equation (5):
    W = (AᵀA + λI)⁻¹ AᵀYᵀX (XᵀX + γI)⁻¹, ``[S, D]``, in float64.

    Args:
        moments: moments of the features X.
        class_semantics: A, ``[K, S]``.
        feature_penalty: γ, above 0.
        semantic_penalty: λ, above 0. An ArgumentError names the penalty that is too small for a solution in float64.
    """
    semantics = class_semantics.double()
    target = semantics.T @ (2 * moments.class_sums - moments.class_sums.sum(dim=0))
    of_semantics = _shifted_solve(semantics.T @ semantics, semantic_penalty, target, "semantic_penalty")
    return _shifted_solve(moments.gram, feature_penalty, of_semantics.T, "feature_penalty").T


def sae(moments: ClassMoments, class_semantics: ClassMatrix, penalty: float) -> Float[Tensor, "S D"]:
    """Solve SAE (Kodirov, Xiang and Gong, CVPR 2017): W encodes features as attributes and decodes them again.

    It minimises ‖X − SW‖² + λ‖XWᵀ − S‖², with S the attributes of each sample. W is the solution of the Sylvester
    equation SᵀS·W + W·λXᵀX = (1 + λ)·SᵀX. The small SᵀS is diagonalised. The large XᵀX is only brought to tridiagonal
    form, which avoids its eigenvectors and leaves one tridiagonal system per eigenvalue of SᵀS. Directions in which the
    attributes of all classes are 0 have weight 0, which is the smallest of the solutions. Arguments and result are as
    for :func:`eszsl`; an ArgumentError is raised if the penalty λ is so large that float64 has no solution.
    """
    semantics = class_semantics.double()
    weighted = semantics * moments.counts[:, None]
    values, vectors = torch.linalg.eigh(semantics.T @ weighted)
    nonzero = values > len(values) * torch.finfo(torch.float64).eps * values.max()
    values, vectors = values[nonzero], vectors[:, nonzero]
    target = (1 + penalty) * (vectors.T @ (semantics.T @ moments.class_sums))
    solution: Tensor = vectors @ _shifted_rows(moments.gram, penalty, values, target)
    return solution


def _shifted_rows(
    gram: Float[Tensor, "D D"], penalty: float, shifts: Float[Tensor, "E"], target: Float[Tensor, "E D"]
) -> Float[Tensor, "E D"]:
    """Solve (shift_e + penalty · gram) w_e = target_e for every row e."""
    from scipy.linalg import lapack  # noqa: PLC0415 - the import of scipy takes long, and only SAE uses it

    if len(gram) < 3:
        systems = shifts[:, None, None] * torch.eye(len(gram), dtype=gram.dtype) + penalty * gram
        solutions: Tensor = torch.linalg.solve(systems, target)
        return solutions
    length, _ = lapack.dsytrd_lwork(len(gram), lower=1)
    reflectors, diagonal, beside, tau, _ = lapack.dsytrd(gram.cpu().numpy().T, lower=1, lwork=int(length))
    # Below the first row, dsytrd stores its reflectors like those of a QR decomposition.
    reflectors = np.asfortranarray(reflectors[1:, :-1])
    rotated = np.asfortranarray(target.cpu().numpy().T)
    work = 64 * rotated.shape[1]
    rotated[1:] = lapack.dormqr("L", "T", reflectors, tau, rotated[1:], work)[0]
    for column, shift in enumerate(shifts.tolist()):
        one = slice(column, column + 1)
        *_, solution, failed = lapack.dptsv(shift + penalty * diagonal, penalty * beside, rotated[:, one])
        if failed:
            raise ArgumentError(
                f"penalty: expected a number for which float64 has a solution, got {penalty:g}; decrease it"
            )
        rotated[:, one] = solution
    rotated[1:] = lapack.dormqr("L", "N", reflectors, tau, rotated[1:], work)[0]
    return torch.from_numpy(rotated.T.copy()).to(gram.device)


def _shifted_solve(
    matrix: Float[Tensor, "M M"], shift: float, target: Float[Tensor, "M E"], name: str
) -> Float[Tensor, "M E"]:
    """Compute (matrix + shift · I)⁻¹ target for a matrix without negative eigenvalues."""
    shifted = matrix.clone()
    shifted.diagonal().add_(shift)
    factor, failed = torch.linalg.cholesky_ex(shifted)
    if int(failed):
        raise ArgumentError(f"{name}: expected a number that outweighs rounding errors, got {shift:g}; increase it")
    solution: Tensor = torch.cholesky_solve(target, factor)
    return solution
