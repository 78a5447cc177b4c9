"""The errors of predicted attributes: their size, how unevenly they are spread, and what they correlate with."""

from rezsl.metrics._table import define_error, define_metric

EVERYWHERE = ("history", "table", "comparison", "page")

define_error(
    "error_mean", "error", "Mean squared error of the predicted attributes, as rows of length 1.",
    lambda evaluation: evaluation.imbalance.mean, shown_in=EVERYWHERE,
)  # fmt: skip
define_error(
    "error_spread", "spread", "Standard deviation over attributes of their mean error.",
    lambda evaluation: evaluation.imbalance.spread, shown_in=EVERYWHERE, tested=True,
)  # fmt: skip
define_metric(
    "error_gini", "Gini", "Gini coefficient over attributes of their mean error; 0 where all are equal.",
    lambda analysis: analysis.attribute_errors.gini_of_means, source="analysis", better="down",
)  # fmt: skip
define_error(
    "error_worst", "worst", "Mean error of the worst attributes.",
    lambda analysis: analysis.attribute_errors.worst_mean(analysis.options.worst), source="analysis",
)  # fmt: skip
define_error(
    "class_error_spread", "class spread", "Standard deviation over classes of their mean error.",
    lambda analysis: analysis.class_errors.spread_of_means, source="analysis",
)  # fmt: skip
define_metric(
    "class_error_gini", "class Gini", "Gini coefficient over classes of their mean error; 0 where all are equal.",
    lambda analysis: analysis.class_errors.gini_of_means, source="analysis", better="down",
)  # fmt: skip
define_error(
    "class_error_worst", "worst classes", "Mean error of the worst classes.",
    lambda analysis: analysis.class_errors.worst_mean(analysis.options.worst), source="analysis",
)  # fmt: skip
define_metric(
    "error_correlation", "corr", "Pearson correlation over classes of an attribute's value and its error, mean over "
    "attributes.",
    lambda evaluation: evaluation.imbalance.class_correlation, shown_in=("history", "table", "comparison"),
)  # fmt: skip
define_metric(
    "error_rank_correlation", "rank corr", "Spearman correlation in place of Pearson's.",
    lambda analysis: analysis.correlation_over_classes.spearman.mean, source="analysis",
)  # fmt: skip
define_metric(
    "error_correlation_within_class", "corr in class", "Pearson correlation over attributes of value and error within "
    "a class, mean over classes.",
    lambda evaluation: evaluation.imbalance.semantic_correlation,
)  # fmt: skip
define_metric(
    "error_rank_correlation_within_class", "rank corr in class", "Spearman correlation in place of Pearson's.",
    lambda analysis: analysis.correlation_over_attributes.spearman.mean, source="analysis",
)  # fmt: skip
