"""Ranking losses on class scores, in loops: h = max(0, margin + s_c - s_y) for the classes c other than y.

devise: sum of h.   sje: largest h.   ale: (1 + 1/2 + ... + 1/r) / r times the sum, r the number of h > 0.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def ranking(kind: Literal["devise", "sje", "ale"], scores: Floats, labels: Integers, margin: float) -> float:
    total = 0.0
    for row, label in zip(scores, labels, strict=True):
        hinges = [max(0.0, margin + float(row[c]) - float(row[label])) for c in range(len(row)) if c != label]
        if kind == "devise":
            total += sum(hinges)
        elif kind == "sje":
            total += max(hinges, default=0.0)
        else:
            rank = sum(1 for hinge in hinges if hinge > 0)
            if rank:
                total += sum(1 / k for k in range(1, rank + 1)) / rank * sum(hinges)
    return total / len(labels)
