"""Zero-shot learning without descent: ESZSL and SAE from second moments of the features, which one pass collects.

X [N, D] are the features, y their classes, A [K, S] the semantics of the classes. Nothing here is N × N, and the
samples are not needed a second time: the Gram matrix XᵀX and the sum of each class's features say all about them.
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
    """What the closed forms need to know of the features, in float64.

    Attributes:
        gram: XᵀX, ``[D, D]``.
        class_sums: the sum of each class's features, ``[K, D]``.
        counts: samples of each class, ``[K]``.
    """

    gram: Float[Tensor, "D D"]
    class_sums: Float[Tensor, "K D"]
    counts: Float[Tensor, "K"]


def class_moments(batches: Iterable[tuple[Float[Tensor, "B D"], Labels]], class_count: int) -> ClassMoments:
    """Sum up batches of features and labels in ``[0, class_count)``.

    The products of a batch are formed in the dtype of its features and summed in float64. Of the Gram matrix only the
    upper half is computed, in strips: it is nearly all of the work.

    Raises:
        ArgumentError: there is no batch, or a feature is not a finite number.
    """
    gram = torch.empty(0, 0, dtype=torch.float64)
    class_sums, counts = torch.empty(class_count, 0, dtype=torch.float64), torch.zeros(class_count, dtype=torch.float64)
    for features, labels in batches:
        if not gram.numel():
            gram = torch.zeros(features.shape[1], features.shape[1], dtype=torch.float64, device=features.device)
            class_sums, counts = gram.new_zeros(class_count, features.shape[1]), counts.to(gram.device)
        for first in range(0, features.shape[1], COLUMNS):
            strip = slice(first, first + COLUMNS)
            gram[strip, first:] += features[:, strip].T @ features[:, first:]
        # A product with indicators takes a quarter of the time that adding rows one by one in float64 does.
        indicators = one_hot(labels, class_count).to(features.dtype)
        class_sums += indicators.T @ features
        counts += indicators.sum(dim=0, dtype=torch.float64)
    if not gram.numel():
        raise ArgumentError("batches: expected samples to learn from, got none")
    if not bool(gram.diagonal().isfinite().all()):
        raise ArgumentError("features: expected finite numbers, got some that are not; check the features for nan")
    for first in range(0, len(gram), COLUMNS):
        beyond = first + COLUMNS
        gram[beyond:, first:beyond] = gram[first:beyond, beyond:].T
    return ClassMoments(gram, class_sums, counts)


def eszsl(
    moments: ClassMoments, class_semantics: ClassMatrix, feature_penalty: float, semantic_penalty: float
) -> Float[Tensor, "S D"]:
    """ESZSL (Romera-Paredes and Torr, ICML 2015): the W that fits xᵀWᵀa_k to +1 for the right class, −1 for the others.

    Minimises ‖XWᵀAᵀ − Y‖² + γ‖WᵀAᵀ‖² + λ‖XWᵀ‖² + γλ‖W‖², Y = ±1, by its equation (5):
    W = (AᵀA + λI)⁻¹ AᵀYᵀX (XᵀX + γI)⁻¹.

    Args:
        moments: of the features.
        class_semantics: A, ``[K, S]``.
        feature_penalty: γ, above 0.
        semantic_penalty: λ, above 0.

    Raises:
        ArgumentError: a penalty is not positive, or so small that rounding leaves the system without a solution.
    """
    semantics = _checked(class_semantics, feature_penalty=feature_penalty, semantic_penalty=semantic_penalty)
    wanted = semantics.T @ (2 * moments.class_sums - moments.class_sums.sum(dim=0))
    of_semantics = _shifted_solve(semantics.T @ semantics, semantic_penalty, wanted, "semantic_penalty")
    return _shifted_solve(moments.gram, feature_penalty, of_semantics.T, "feature_penalty").T


def sae(moments: ClassMoments, class_semantics: ClassMatrix, penalty: float) -> Float[Tensor, "S D"]:
    """SAE (Kodirov, Xiang and Gong, CVPR 2017): encodes features as semantics, and decodes them with the same weights.

    Minimises ‖X − SW‖² + λ‖XWᵀ − S‖², S the semantics of each sample, where W solves the Sylvester equation
    SᵀS·W + W·λXᵀX = (1 + λ)·SᵀX. The small SᵀS is diagonalised and the large XᵀX only brought to tridiagonal form: that
    spares its eigenvectors, and what remains is one tridiagonal system per eigenvalue of SᵀS. Directions of
    semantics in which the classes do not differ from zero get no weight: the least of the solutions.

    Args:
        moments: of the features.
        class_semantics: ``[K, S]``.
        penalty: λ, above 0.

    Raises:
        ArgumentError: the penalty is not positive.
    """
    semantics = _checked(class_semantics, penalty=penalty)
    weighted = semantics * moments.counts[:, None]
    values, vectors = torch.linalg.eigh(semantics.T @ weighted)
    kept = values > len(values) * torch.finfo(torch.float64).eps * values.max()
    values, vectors = values[kept], vectors[:, kept]
    wanted = (1 + penalty) * (vectors.T @ (semantics.T @ moments.class_sums))
    solution: Tensor = vectors @ _shifted_rows(moments.gram, penalty, values, wanted)
    return solution


def _shifted_rows(
    gram: Float[Tensor, "D D"], penalty: float, shifts: Float[Tensor, "E"], wanted: Float[Tensor, "E D"]
) -> Float[Tensor, "E D"]:
    """Row e of the result solves (shift_e + penalty · gram) w = wanted_e."""
    from scipy.linalg import lapack  # noqa: PLC0415 - scipy takes a while to import, and only SAE solves with it

    if len(gram) < 3:
        identity = torch.eye(len(gram), dtype=gram.dtype)
        systems = shifts[:, None, None] * identity + penalty * gram
        solutions: Tensor = torch.linalg.solve(systems, wanted[:, :, None])
        return solutions.squeeze(2)
    length, _ = lapack.dsytrd_lwork(len(gram), lower=1)
    reflectors, diagonal, beside, tau, _ = lapack.dsytrd(gram.cpu().numpy().T, lower=1, lwork=int(length))
    # Below the first row the reflectors of dsytrd are stored as those of a QR decomposition.
    reflectors = np.asfortranarray(reflectors[1:, :-1])
    turned = np.asfortranarray(wanted.cpu().numpy().T)
    work = 64 * turned.shape[1]
    turned[1:] = lapack.dormqr("L", "T", reflectors, tau, turned[1:], work)[0]
    for column, shift in enumerate(shifts.tolist()):
        one = slice(column, column + 1)
        *_, solution, failed = lapack.dptsv(shift + penalty * diagonal, penalty * beside, turned[:, one])
        if failed:
            raise ArgumentError(
                f"penalty: expected one for which the equation has a solution in float64, got {penalty:g}; lower it"
            )
        turned[:, one] = solution
    turned[1:] = lapack.dormqr("L", "N", reflectors, tau, turned[1:], work)[0]
    return torch.from_numpy(turned.T.copy()).to(gram.device)


def _shifted_solve(
    matrix: Float[Tensor, "M M"], shift: float, wanted: Float[Tensor, "M E"], name: str
) -> Float[Tensor, "M E"]:
    """(matrix + shift · I)⁻¹ wanted, of a matrix without negative eigenvalues."""
    shifted = matrix.clone()
    shifted.diagonal().add_(shift)
    factor, failed = torch.linalg.cholesky_ex(shifted)
    if int(failed):
        raise ArgumentError(f"{name}: expected one that outweighs rounding errors, got {shift:g}; raise it")
    solution: Tensor = torch.cholesky_solve(wanted, factor)
    return solution


def _checked(class_semantics: ClassMatrix, **penalties: float) -> ClassMatrix:
    """The semantics in float64, if they and the penalties are in order."""
    for name, penalty in penalties.items():
        if not 0 < penalty < float("inf"):
            raise ArgumentError(f"{name}: expected a positive number, got {penalty}")
    if not bool(class_semantics.isfinite().all()):
        raise ArgumentError("class_semantics: expected finite numbers, got some that are not")
    return class_semantics.double()
