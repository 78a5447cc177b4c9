"""The metrics of every run: accuracies, errors, the quality of probabilities and choices, and the cost."""

import math
from collections.abc import Callable
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

from rezsl.metrics._table import define_metric

EVERYWHERE = ("history", "table", "comparison", "page")

define_percentage = partial(define_metric, unit="%", factor=100.0, digits=1)
define_accuracy = partial(define_percentage, better="up", shown_in=EVERYWHERE)
define_error = partial(define_metric, unit="×10⁻³", factor=1000.0, digits=1, better="down")

# Accuracies are averages over classes.
define_accuracy(
    "T1", "T1", "Accuracy on images of unseen classes, when only the unseen classes are candidates.", attrgetter("t1")
)
define_accuracy(
    "U", "U", "Accuracy on images of unseen classes, when all classes are candidates.", attrgetter("point.unseen")
)
define_accuracy(
    "S", "S", "Accuracy on images of seen classes, when all classes are candidates.", attrgetter("point.seen")
)
define_accuracy(
    "H", "H", "Harmonic mean of S and U.", attrgetter("point.harmonic_mean"), tested=True, choice="harmonic_mean"
)
define_metric(
    "gamma", "γ", "Number that calibrated stacking subtracts from the scores of seen classes.",
    attrgetter("gamma"), shown_in=("history",),
)  # fmt: skip
define_accuracy(
    "AUSUC", "AUSUC", "Area under the curve of S against U over all values of γ.", attrgetter("ausuc"), choice="ausuc"
)
define_accuracy(
    "H_oracle", "H_oracle", "Highest H over all values of γ on the evaluated images, as published tables report it.",
    attrgetter("oracle.harmonic_mean"), shown_in=("table", "comparison", "page"),
)  # fmt: skip
define_metric(
    "gamma_oracle", "γ_oracle", "Value of γ with the highest H on the evaluated images.", attrgetter("oracle.gamma")
)
define_accuracy(
    "T1_oracle", "T1_oracle", "Highest T1 of any epoch on the evaluated images, as published tables report it beside "
    "the U, S and H of another epoch; under the oracle protocol only.", attrgetter("t1_oracle"),
    shown_in=("table", "comparison", "page"), optional=True,
)  # fmt: skip
define_metric(
    "T1_oracle_epoch", "epoch of T1_oracle", "The epoch of T1_oracle, counted from 1.", attrgetter("t1_oracle_epoch"),
    digits=0, shown_in=("page",), optional=True,
)  # fmt: skip

define_error(
    "error_mean", "error", "Mean squared error of the predicted attributes, as rows of length 1.",
    attrgetter("imbalance.mean_of_means"), shown_in=EVERYWHERE,
)  # fmt: skip
define_error(
    "error_spread", "spread", "Standard deviation over attributes of their mean error.",
    attrgetter("imbalance.spread_of_means"), shown_in=EVERYWHERE, tested=True,
)  # fmt: skip
define_metric(
    "error_gini", "Gini", "Gini coefficient over attributes of their mean error; 0 where all are equal.",
    attrgetter("attribute_errors.gini_of_means"), source="analysis", better="down",
)  # fmt: skip
define_error(
    "error_worst", "worst", "Mean error of the worst attributes.",
    lambda analysis: analysis.attribute_errors.worst_mean(analysis.options.worst), source="analysis",
)  # fmt: skip
define_error(
    "class_error_spread", "class spread", "Standard deviation over classes of their mean error.",
    attrgetter("class_errors.spread_of_means"), source="analysis",
)  # fmt: skip
define_metric(
    "class_error_gini", "class Gini", "Gini coefficient over classes of their mean error; 0 where all are equal.",
    attrgetter("class_errors.gini_of_means"), source="analysis", better="down",
)  # fmt: skip
define_error(
    "class_error_worst", "worst classes", "Mean error of the worst classes.",
    lambda analysis: analysis.class_errors.worst_mean(analysis.options.worst), source="analysis",
)  # fmt: skip
define_metric(
    "error_correlation_over_classes", "corr_c", "Pearson correlation, over the classes, of an attribute's value with "
    "its error; mean over attributes.", attrgetter("imbalance.class_correlation"), shown_in=EVERYWHERE,
)  # fmt: skip
define_metric(
    "error_rank_correlation_over_classes", "rank corr_c", "Spearman's correlation in place of Pearson's in corr_c.",
    attrgetter("correlation_over_classes.spearman.mean"), source="analysis",
)  # fmt: skip
define_metric(
    "error_correlation_over_attributes", "corr_a", "Pearson correlation, over the attributes of a class, of their "
    "values with their errors; mean over classes. The published code prints this one, times 100.",
    attrgetter("imbalance.attribute_correlation"), shown_in=EVERYWHERE,
)  # fmt: skip
define_metric(
    "error_rank_correlation_over_attributes", "rank corr_a", "Spearman's correlation in place of Pearson's in corr_a.",
    attrgetter("correlation_over_attributes.spearman.mean"), source="analysis",
)  # fmt: skip


def _read_from(recognition: str, value: str) -> Callable[[Any], float]:
    """Make a function that reads a value of one recognition of an analysis; NaN where the analysis has none."""

    def read(analysis: Any) -> float:
        found = getattr(analysis, recognition)
        return math.nan if found is None else attrgetter(value)(found)

    return read


for _name, _candidates in (("generalized", "all classes"), ("conventional", "the unseen classes")):
    define_percentage(
        f"ece_{_name}", "ECE", f"Expected calibration error of the probabilities among {_candidates}.",
        _read_from(_name, "reliability.ece"),
        source="analysis", better="down", shown_in=("page",) if _name == "generalized" else (),
    )  # fmt: skip
    define_metric(
        f"hub_skewness_{_name}", "hubs", f"Skewness of how often each of {_candidates} is among an image's nearest.",
        _read_from(_name, "hubness.skewness"), source="analysis", better="down",
    )  # fmt: skip
    define_percentage(
        f"nearest_share_{_name}", "nearest", "Share of the mistakes that choose the true class's nearest neighbour "
        f"among {_candidates}.", _read_from(_name, "mistakes.nearest_share"), source="analysis",
    )  # fmt: skip

for _name in ("seen", "unseen"):
    define_percentage(
        f"false_reject_{_name}", f"refused {_name}",
        f"Share of the images of {_name} classes that are refused as far from every description.",
        attrgetter(f"false_reject_{_name}"), better="down",
    )  # fmt: skip
define_percentage(
    "false_accept", "accepted foreign", "Share of foreign images that are not refused.",
    attrgetter("false_accept"), better="down",
)  # fmt: skip

define_metric(
    "seconds", "time (s)", "Seconds from the beginning of a run to its metrics.",
    itemgetter("seconds"), source="run", unit="s", digits=1, shown_in=("comparison",),
)  # fmt: skip
