"""How well each attribute is predicted, over a stream of batches: classes of torchmetrics."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from rezsl.errors import ArgumentError
from rezsl.functional.attribute_quality import (
    area_under_roc,
    attribute_r_squared,
    average_precision,
    binary_attributes,
)
from rezsl.functional.scoring import class_counts, l2_normalize
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, check_labels, checked
from rezsl.functional.statistics import add_piece


class AttributeRanking(Metric):
    """Average precision and area under the ROC curve of each attribute, where the table of the classes is binary.

    The result is a dictionary with ``average_precision`` and ``area_under_roc``, ``[S]`` each, of all samples so far;
    see :func:`rezsl.functional.attribute_quality.average_precision`. The state is S numbers and a label per sample.

    Args:
        class_semantics: the attributes of each class, ``[C, S]``, see
            :func:`rezsl.functional.attribute_quality.binary_attributes`; labels lie in ``[0, C)``.
        normalize: scale predicted rows to length 1 first, as the class scores of rezsl do.

    Raises:
        ArgumentError: the table is not binary.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    present: Bool[Tensor, "C S"]
    predictions: list[Tensor]
    labels: list[Tensor]

    def __init__(self, class_semantics: ClassMatrix, normalize: bool = True) -> None:
        super().__init__()
        present = binary_attributes(class_semantics)
        if present is None:
            raise ArgumentError(
                "class_semantics: expected a binary table, in which each class has an attribute or has it not, got one "
                "with other values; pass (values > threshold).float() to set a threshold"
            )
        self.normalize = normalize
        self.register_buffer("present", present, persistent=False)
        for name in ("predictions", "labels"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    @checked
    def update(self, predictions: Predictions, labels: Labels) -> None:
        """Add a batch of predicted attributes ``[B, S]`` and true classes ``[B]``."""
        check_labels(labels, len(self.present))
        add_piece(self.predictions, l2_normalize(predictions) if self.normalize else predictions)
        add_piece(self.labels, labels)

    def compute(self) -> dict[str, Float[Tensor, "S"]]:
        """Return both measures by name; an attribute that all samples have, or none, has NaN."""
        predictions, present = dim_zero_cat(self.predictions), self.present[dim_zero_cat(self.labels)]
        return {
            "average_precision": average_precision(predictions, present),
            "area_under_roc": area_under_roc(predictions, present),
        }


class AttributeRSquared(Metric):
    """R² of each attribute: the share of its variance over classes that the predictions explain.

    See :func:`rezsl.functional.attribute_quality.attribute_r_squared`. The state has the size of the table.

    Args:
        class_semantics: the attributes of each class, ``[C, S]``; labels lie in ``[0, C)``.
        normalize: scale predicted and true rows to length 1 first, as ReMSE does.
        over_samples: count each sample the same instead of each class.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    values: Tensor
    total: Tensor
    count: Tensor

    def __init__(self, class_semantics: ClassMatrix, normalize: bool = True, over_samples: bool = False) -> None:
        super().__init__()
        self.normalize, self.over_samples = normalize, over_samples
        values = class_semantics.double()
        self.register_buffer("values", l2_normalize(values) if normalize else values, persistent=False)
        self.add_state("total", torch.zeros_like(values), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(len(values), dtype=torch.int64), dist_reduce_fx="sum")

    @checked
    def update(self, predictions: Predictions, labels: Labels) -> None:
        """Add a batch of predicted attributes ``[B, S]`` and true classes ``[B]``."""
        check_labels(labels, len(self.count))
        predicted = l2_normalize(predictions.double()) if self.normalize else predictions.double()
        self.total.index_add_(0, labels, (predicted - self.values[labels]).square())
        self.count += class_counts(labels, len(self.count))

    def compute(self) -> Float[Tensor, "S"]:
        """Return R² over the classes that have samples; NaN for an attribute that is the same in all of them."""
        present = self.count > 0
        count = self.count[present]
        weights = count.double() if self.over_samples else None
        matrix = self.total[present] / count.unsqueeze(1)
        return attribute_r_squared(matrix, self.values[present], weights)
