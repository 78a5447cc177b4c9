"""The arithmetic of the examination of a table of class semantics, and the thresholds of its findings.

The thresholds lie beyond the tables on which the field's methods work: CUB, AWA1, AWA2, SUN and FLO (with the unseen
classes of a proposed split, or with a fifth of the classes drawn by a seed), traffic signs, and rezsl's digits and
synthetic data. The one finding on them is a traffic sign with a digit that no other sign has.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.functional import l2_normalize, varied_attributes
from rezsl.semantics.table import ClassSemantics

UNVARIED_SHARE = 0.05
DOMINANT_SHARE = 0.5
SCALE_RATIO = 10.0
OUTSIDE_SHARE = 0.75
CLOSE_DEGREES = 5.0
CONFUSED_SHARE = 0.25

WORST = 20
"""Most pairs and classes that a finding lists."""


def squared_shares(values: Float[Tensor, "C S"]) -> Float[Tensor, "C S"]:
    """Return the share of each row's squared length that each attribute has, ``[C, S]``."""
    return l2_normalize(values.double()).square()


def dominant_attributes(semantics: ClassSemantics) -> list[int]:
    """Return the columns that together outweigh all others in the rows' squared lengths, averaged over classes.

    Where attributes outweigh the others, cosines between rows are decided by them: two rows that have a share p there
    with equal signs have a cosine of at least 2p - 1, whatever the others are. It takes 5 of 51 attributes to
    outweigh the others for traffic signs, 6 of 102 in SUN and 20 of 85 in AWA, because rows have many attributes. At
    most three attributes, and at most a tenth of all (one of fewer than 20), are therefore called dominant. Tables of
    fewer than four attributes are not examined, because one of them soon outweighs the others.
    """
    count = len(semantics.attributes)
    share, order = squared_shares(semantics.values).mean(dim=0).sort(descending=True)
    most = min(3, max(1, count // 10))
    needed = int((share.cumsum(0) <= DOMINANT_SHARE).sum()) + 1
    return order[:needed].tolist() if needed <= most and count >= 4 else []


def constant_attributes(semantics: ClassSemantics) -> list[int]:
    """Return the columns in which all classes of the table are equal, so that they tell none apart.

    They are no fault, because no class is described wrongly by them: in a part of a data set, an attribute of the other
    classes is constant.
    """
    return (~varied_attributes(semantics.values)).nonzero().squeeze(1).tolist()


def other_scales(semantics: ClassSemantics) -> list[int]:
    """Return the columns on another scale: their largest magnitude is ten times that of the median column or more.

    It is at most 1.8 times in CUB, AWA and SUN, and 9 times in sentence vectors of CUB. Small columns are returned only
    where they have a 1, nothing above it, and the median column reaches ten times as far: yes or no beside numbers of
    another unit. Rare attributes are small without being on another scale; in CUB they reach a 26th of the median.
    """
    values = semantics.values
    reach = values.abs().amax(dim=0)
    typical = float(reach[reach > 0].median())
    return ((reach >= SCALE_RATIO * typical) | ((reach == 1) & (typical >= SCALE_RATIO))).nonzero().squeeze(1).tolist()


def unvaried_attributes(
    semantics: ClassSemantics, seen: Int[Tensor, "K"], unseen: Int[Tensor, "U"]
) -> tuple[list[int], Float[Tensor, "U"]]:
    """Return the columns in which all training classes are equal, and an unseen class differs; and what rests on them.

    No image shows how such an attribute looks, so it says nothing about unseen classes. The second result is the share
    of the squared length of each unseen row that lies in attributes in which all training classes are equal, ``[U]``.

    A share p turns the row by the angle arcsin √p when they are left out. At 5 %, the least that is reported, these
    are 13°: half the angle between nearest neighbours in CUB, AWA and AWA2 (26° in the median), where a decision falls.
    """
    unvaried = ~varied_attributes(semantics.values[seen])
    rows = semantics.values[unseen]
    differs = (rows - semantics.values[seen[:1]]).abs().amax(dim=0) > 0 if len(rows) else torch.zeros_like(unvaried)
    columns = (unvaried & differs).nonzero().squeeze(1).tolist()
    return columns, squared_shares(rows)[:, unvaried].sum(dim=1)


def undetermined_shares(
    semantics: ClassSemantics, seen: Int[Tensor, "K"], unseen: Int[Tensor, "U"]
) -> Float[Tensor, "U"]:
    """Return how much of what sets each unseen class apart the training classes do not determine, ``[U]``, 0 to 1.

    K training classes determine how attributes look only in the K - 1 directions in which they differ. The result is
    the share of the squared distance between an unseen row (of unit length) and the mean of the training rows that is
    orthogonal to these directions. Attributes in which all training classes are equal are left out.

    The number of attributes alone does not decide: 100 classes of CUB determine 94 % in 312 correlated attributes. The
    median over unseen classes is 6 % for CUB, 15 to 24 % for AWA and traffic signs, 56 % for synthetic data and 72 %
    for the digits, where seven classes still suffice. Ten classes of 100 independent attributes leave about 90 %. More
    than 75 % is reported.
    """
    kept = varied_attributes(semantics.values[seen])
    directions = l2_normalize(semantics.values.double() * kept)
    middle = directions[seen].mean(dim=0)
    differences, apart = directions[seen] - middle, directions[unseen] - middle
    _, lengths, axes = torch.linalg.svd(differences, full_matrices=False)
    axes = axes[lengths > 1e-6 * lengths[:1].clamp_min(1e-6)]
    whole = apart.square().sum(dim=1)
    return torch.where(whole > 0, 1 - (apart @ axes.T).square().sum(dim=1) / whole, 0.0).clamp(0, 1)


def close_classes(
    semantics: ClassSemantics, squared_errors: Float[Tensor, "S"] | None = None
) -> tuple[int, list[tuple[int, int, float]]]:
    """Return how many pairs of classes are hard to separate, and the worst of them with a number each.

    Without errors of a model, the number is the angle between the rows in degrees. Pairs below 5° count: the closest
    pair is at 5.1° in CUB, 6° in FLO, 11° in SUN and 17° in AWA. An error of 0.5 spread over 100 attributes already
    has a standard deviation of 2.9° along the line between two classes, more than half of 5°.

    With errors e_s, it is the probability that a model takes an image of one class for the other. A prediction a + ε
    is nearer to b than to a, where a and b have unit length, if ε·(b - a) > ‖b - a‖² / 2. For independent normal errors
    of mean 0 the probability is Φ(-‖b - a‖² / (2 √Σ_s e_s (b_s - a_s)²)). Pairs above one in four count.
    """
    directions = l2_normalize(semantics.values.double())
    weighted = None if squared_errors is None else directions * squared_errors.double().sqrt()
    count, worst = 0, []
    # The rows are compared in slices, because the cosines of all pairs of 20,000 classes would take 3 GB.
    for start in range(0, len(directions), 1024):
        cosines = directions[start : start + 1024] @ directions.T
        pairs = torch.ones_like(cosines, dtype=torch.bool).triu(start + 1) & (cosines < 1 - 1e-6)
        if weighted is None:
            badness = -cosines.clamp(-1, 1).acos().rad2deg()
            pairs &= badness > -CLOSE_DEGREES
        else:
            part = weighted[start : start + 1024]
            squares = part.square().sum(dim=1, keepdim=True) + weighted.square().sum(dim=1) - 2 * part @ weighted.T
            badness = torch.special.ndtr(-(1 - cosines) / squares.clamp_min(1e-30).sqrt())
            pairs &= badness > CONFUSED_SHARE
        count += int(pairs.sum())
        found = badness.masked_fill(~pairs, -math.inf).flatten().topk(min(WORST, pairs.numel()))
        worst += [
            (value, start + place // len(directions), place % len(directions))
            for value, place in zip(found.values.tolist(), found.indices.tolist(), strict=True)
            if value > -math.inf
        ]
    return count, [(row, column, abs(value)) for value, row, column in sorted(worst, reverse=True)[:WORST]]
