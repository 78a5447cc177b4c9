"""The accuracies of zero-shot learning; each is an average over classes."""

from rezsl.metrics._table import define_metric, define_percentage

EVERYWHERE = ("history", "table", "comparison", "page")

define_percentage(
    "T1", "T1", "Accuracy on images of unseen classes, when only the unseen classes are candidates.",
    lambda evaluation: evaluation.t1, better="up", shown_in=EVERYWHERE,
)  # fmt: skip
define_percentage(
    "U", "U", "Accuracy on images of unseen classes, when all classes are candidates.",
    lambda evaluation: evaluation.point.unseen, better="up", shown_in=EVERYWHERE,
)  # fmt: skip
define_percentage(
    "S", "S", "Accuracy on images of seen classes, when all classes are candidates.",
    lambda evaluation: evaluation.point.seen, better="up", shown_in=EVERYWHERE,
)  # fmt: skip
define_percentage(
    "H", "H", "Harmonic mean of S and U.",
    lambda evaluation: evaluation.point.harmonic_mean,
    better="up", shown_in=EVERYWHERE, tested=True, choice="harmonic_mean",
)  # fmt: skip
define_metric(
    "gamma", "γ", "Number that calibrated stacking subtracts from the scores of seen classes.",
    lambda evaluation: evaluation.point.gamma, shown_in=("history",),
)  # fmt: skip
define_percentage(
    "AUSUC", "AUSUC", "Area under the curve of S against U over all values of γ.",
    lambda evaluation: evaluation.curve.ausuc, better="up", shown_in=EVERYWHERE, choice="ausuc",
)  # fmt: skip
define_percentage(
    "H_oracle", "H_oracle", "Highest H over all values of γ on the evaluated images, as published tables report it.",
    lambda evaluation: evaluation.oracle.harmonic_mean, better="up", shown_in=("table", "comparison", "page"),
)  # fmt: skip
define_metric(
    "gamma_oracle", "γ_oracle", "Value of γ with the highest H on the evaluated images.",
    lambda evaluation: evaluation.oracle.gamma,
)  # fmt: skip
