"""Ranking losses on class scores, in loops: h = max(0, margin + s_c - s_y) for the classes c other than y.

devise: sum of h.   sje: largest h.   ale: (1 + 1/2 + ... + 1/r) / r times the sum, r the number of h > 0.
one: sum over all classes of max(0, margin - I s)^2, where I is 1 for the right class and -1 for the others.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


Kind = Literal["devise", "sje", "ale", "one"]


def ranking(kind: Kind, scores: Floats, labels: Integers, margin: float) -> float:
    total = 0.0
    for row, label in zip(scores, labels, strict=True):
        hinges = [max(0.0, margin + float(row[c]) - float(row[label])) for c in range(len(row)) if c != label]
        if kind == "one":
            for c, score in enumerate(row):
                total += max(0.0, margin - (float(score) if c == label else -float(score))) ** 2
        elif kind == "devise":
            total += sum(hinges)
        elif kind == "sje":
            total += max(hinges, default=0.0)
        else:
            rank = sum(1 for hinge in hinges if hinge > 0)
            if rank:
                total += sum(1 / k for k in range(1, rank + 1)) / rank * sum(hinges)
    return total / len(labels)


def structured(scores: Floats, labels: Integers, semantics: Floats, margin: float) -> float:
    """Mean of the largest of margin · ‖a_c - a_y‖² + s_c - s_y over all classes c, which is 0 for c = y."""
    total = 0.0
    for row, label in zip(scores, labels, strict=True):
        terms = []
        for c in range(len(row)):
            own, other = semantics[label] / math.hypot(*semantics[label]), semantics[c] / math.hypot(*semantics[c])
            distance = sum((float(a) - float(b)) ** 2 for a, b in zip(own, other, strict=True))
            terms.append(margin * distance + float(row[c]) - float(row[label]))
        total += max(terms)
    return total / len(labels)
