"""Class scores, margins and choices between seen and unseen classes, and class-averaged accuracies."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rezsl.functional.shapes import ClassMask, ClassMatrix, Labels, Predictions, Scores, check_labels, checked


@checked
def l2_normalize(rows: Float[Tensor, "*N S"]) -> Float[Tensor, "*N S"]:
    """Scale each row ``[…, S]`` to Euclidean length 1; a row of zeros stays zero.

    Rows are divided by their largest magnitude first, so that the squares of huge or tiny rows neither overflow nor
    vanish. The result does not depend on that magnitude, so the gradient is exact although it is left out of the graph.
    """
    peak = rows.detach().abs().amax(dim=-1, keepdim=True)
    rows = rows / torch.where(peak > 0, peak, 1.0)
    length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    return rows / torch.where(length > 0, length, 1.0)


def row_scales(rows: Float[Tensor, "N S"]) -> tuple[Float[Tensor, "N 1"], Float[Tensor, "N 1"]]:
    """Return the numbers by which :func:`l2_normalize` divides each row, one after the other.

    Single columns can so be normalised without a copy of all rows.
    """
    scales = []
    for part in rows.split(max(1, _SLICE // max(1, rows.shape[1]))):
        peak = part.abs().amax(dim=1, keepdim=True)
        peak = torch.where(peak > 0, peak, 1.0)
        length = torch.linalg.vector_norm(part / peak, dim=1, keepdim=True)
        scales.append((peak, torch.where(length > 0, length, 1.0)))
    peak, length = map(torch.cat, zip(*scales, strict=True))
    return peak, length


@checked
def class_scores(predictions: Predictions, class_semantics: ClassMatrix, scale: float = 20.0) -> Scores:
    """Compute the cosine between predicted attributes and the attributes of each class, times ``scale``.

    Args:
        predictions: predicted attributes, ``[B, S]``.
        class_semantics: attributes of each class, ``[C, S]``.
        scale: inverse temperature of the scores; the paper (Rebalanced Zero-shot Learning) uses 20, and 25 for SUN.

    Returns:
        Scores ``[B, C]`` in ``[-scale, scale]``.

    >>> class_scores(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    tensor([[20.,  0.]])
    """
    return scale * l2_normalize(predictions) @ l2_normalize(class_semantics.to(predictions.dtype)).T


@checked
def varied_attributes(class_semantics: ClassMatrix) -> Bool[Tensor, "S"]:
    """Return in which attributes the classes ``[C, S]`` differ; in the others training shows no difference, ``[S]``.

    Values within 1e-6 of the largest magnitude of the table count as equal.

    >>> varied_attributes(torch.tensor([[1.0, 0.0], [1.0, 3.0]]))
    tensor([False,  True])
    """
    spread = class_semantics.amax(dim=0) - class_semantics.amin(dim=0)
    return spread > 1e-6 * class_semantics.abs().max()


@checked
def class_accuracies(predicted: Labels, target: Labels) -> tuple[Float[Tensor, "K"], Int[Tensor, "K"]]:
    """Compute the accuracy within each class that occurs in ``target``.

    A class that is predicted but absent from ``target`` is left out. The "macro" averages of general libraries count it
    as 0, which is wrong for zero-shot learning.

    Args:
        predicted: predicted class of each sample, ``[B]``.
        target: true class of each sample, ``[B]``.

    Returns:
        ``accuracy [K]`` in ``[0, 1]`` (float64) and ``classes [K]``, ascending.

    >>> class_accuracies(torch.tensor([0, 5, 1]), torch.tensor([0, 0, 1]))
    (tensor([0.5000, 1.0000], dtype=torch.float64), tensor([0, 1]))
    """
    classes, position, count = torch.unique(target, return_inverse=True, return_counts=True)
    right = torch.zeros(len(classes), dtype=torch.float64, device=target.device)
    right.index_add_(0, position, (predicted == target).to(torch.float64))
    return right / count, classes


@checked
def calibrated_choice(
    scores: Scores, is_seen: ClassMask, gamma: float, temperature: float = 1.0
) -> tuple[Int[Tensor, "B"], Float[Tensor, "B"], Scores]:
    """Choose a class for each sample among all classes by calibrated stacking, as the seen-unseen curve does.

    Args:
        scores: class scores, ``[B, C]``.
        is_seen: whether each class is seen, ``[C]``.
        gamma: γ, in units of the scores.
        temperature: T, positive.

    Returns:
        The chosen class ``[B]``, its probability by the softmax of the calibrated scores / T ``[B]``, and the
        calibrated scores, which are not divided by T, ``[B, C]`` (float64).
    """
    calibrated = scores.double() - gamma * is_seen
    seen_score, seen_class, unseen_score, unseen_class = _best_of_both(scores, is_seen)
    # The argmax of the calibrated scores is not used: their rounding could contradict the rule γ < δ of the curve.
    chosen = torch.where(seen_score.double() - unseen_score.double() > gamma, seen_class, unseen_class)
    confidence = (calibrated / temperature).softmax(dim=1).gather(1, chosen.unsqueeze(1)).squeeze(1)
    return chosen, confidence, calibrated


@checked
def confusion_counts(truth: Labels, chosen: Labels, classes: int) -> Int[Tensor, "C C"]:
    """Count the samples of each true class (row) for which each class (column) was chosen, ``[C, C]``.

    >>> confusion_counts(torch.tensor([0, 0, 1]), torch.tensor([1, 0, 1]), 2)
    tensor([[1, 1],
            [0, 1]])
    """
    return torch.bincount(truth * classes + chosen, minlength=classes**2).reshape(classes, classes)


def class_counts(labels: Int[Tensor, "N"], classes: int, of: Bool[Tensor, "N"] | None = None) -> Int[Tensor, "C"]:
    """Count the samples of each class, ``[C]``, or those ``of`` them that are marked.

    Unlike ``torch.bincount``, and a mask as an index, this makes no GPU finish its queue.
    """
    counted = torch.ones_like(labels) if of is None else of.to(labels.dtype)
    return labels.new_zeros(classes).index_add_(0, labels, counted)


@checked
def seen_unseen_margins(
    scores: Scores, labels: Labels, is_seen: ClassMask
) -> tuple[Float[Tensor, "B"], Bool[Tensor, "B"]]:
    """Reduce the scores ``[B, C]`` of samples with labels in ``[0, C)`` to margins and whether the samples are right.

    Returns:
        ``margin [B]`` = best seen score − best unseen score (float64), and ``right [B]``: for a sample of a seen class,
        whether its best seen class is its label; for others, whether their best unseen class is their label. Where all
        classes are seen, the margins are ∞, and where none is, −∞.
    """
    check_labels(labels, scores.shape[1])
    if scores.device.type != "cpu":  # where a search for columns or rows would wait for the device
        seen, seen_class, unseen, unseen_class = _best_by_masks(scores, is_seen)
        return seen.double() - unseen.double(), torch.where(is_seen[labels], seen_class, unseen_class) == labels
    sides = _columns_of(is_seen), _columns_of(~is_seen)
    parts = [
        _margins(part, of_part, is_seen[of_part], sides)
        for part, of_part in zip(*(_sliced(tensor, scores) for tensor in (scores, labels)), strict=True)
    ]
    margin, right = (torch.cat(side) for side in zip(*parts, strict=True))
    return margin, right


_SLICE = 1 << 18
"""Scores that are compared at a time: so few that what is computed of them stays in the cache of a processor."""

_Columns = slice | Tensor


def _sliced(rows: Tensor, scores: Scores) -> Sequence[Tensor]:
    """Split rows so that each part has :data:`_SLICE` scores."""
    parts: Sequence[Tensor] = rows.split(max(1, _SLICE // max(1, scores.shape[1])))
    return parts


def _columns_of(mask: ClassMask) -> _Columns:
    """Return the columns of a mask: where they are neighbours as a slice, which needs no copy."""
    columns = mask.nonzero().squeeze(1)
    if len(columns) and int(columns[-1]) - int(columns[0]) == len(columns) - 1:
        return slice(int(columns[0]), int(columns[-1]) + 1)
    return columns


def _at(scores: Scores, columns: _Columns) -> Tensor:
    return scores[:, columns] if isinstance(columns, slice) else scores.index_select(1, columns)


def _highest(scores: Scores, columns: _Columns) -> Tensor:
    """Return the highest score of each row among some columns; −∞ where there is no column."""
    part = _at(scores, columns)
    return part.amax(dim=1) if part.shape[1] else scores.new_full((len(scores),), -torch.inf)


def _first_highest(scores: Scores, columns: _Columns) -> Labels:
    """Return the class of the highest score of each row among some columns, the first one of equal scores."""
    part = _at(scores, columns)
    if not part.shape[1]:
        return torch.full((len(scores),), -1, device=scores.device)
    place = part.argmax(dim=1)
    return place + columns.start if isinstance(columns, slice) else columns[place]


def _margins(
    scores: Scores, labels: Labels, from_seen: Bool[Tensor, "B"], sides: tuple[_Columns, _Columns]
) -> tuple[Tensor, Tensor]:
    """Return :func:`seen_unseen_margins` of a slice; of classes with equal scores the first one is the winner.

    A maximum without its position is found several times faster than one with it. So a sample is right if its label has
    the highest score of its side, and the best rival there a lower one; only equal scores need positions.
    """
    seen, unseen = (_highest(scores, columns) for columns in sides)
    own = torch.where(from_seen, seen, unseen)
    right = scores.gather(1, labels.unsqueeze(1)).squeeze(1) == own
    rows = right.nonzero().squeeze(1)
    rivals = scores.index_select(0, rows).scatter_(1, labels[rows].unsqueeze(1), -torch.inf)
    rival = torch.where(from_seen[rows], *(_highest(rivals, columns) for columns in sides))
    tied = rows[rival == own[rows]]
    if len(tied):
        seen_class, unseen_class = (_first_highest(scores[tied], columns) for columns in sides)
        right[tied] = torch.where(from_seen[tied], seen_class, unseen_class) == labels[tied]
    return seen.double() - unseen.double(), right


def _best_of_both(scores: Scores, is_seen: ClassMask) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the best seen class of each sample as score and class, and the best unseen class in the same way."""
    if scores.device.type != "cpu":
        return _best_by_masks(scores, is_seen)
    found: list[Tensor] = []
    for columns in (_columns_of(is_seen), _columns_of(~is_seen)):
        part = _at(scores, columns)
        if part.shape[1]:
            score, place = part.max(dim=1)
            found += [score, columns.start + place if isinstance(columns, slice) else columns[place]]
        else:
            found += [scores.new_full((len(scores),), -torch.inf), torch.zeros_like(scores[:, 0], dtype=torch.int64)]
    seen_score, seen_class, unseen_score, unseen_class = found
    return seen_score, seen_class, unseen_score, unseen_class


def _best_by_masks(scores: Scores, is_seen: ClassMask) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what :func:`_best_of_both` returns, by operations that read no number from a device."""
    found: list[Tensor] = []
    for mask in (is_seen, ~is_seen):
        masked = scores.masked_fill(~mask, -torch.inf)
        place = masked.argmax(dim=1)
        found += [masked.gather(1, place.unsqueeze(1)).squeeze(1), place]
    seen_score, seen_class, unseen_score, unseen_class = found
    return seen_score, seen_class, unseen_score, unseen_class
