"""The test of a model: from predicted attributes to metrics and to analyses of errors and recognition."""

from rezsl.evaluation._analysis import (
    Analysis,
    analyse,
    analyse_error_fall,
    analyse_evaluation,
    analyse_model,
    analyse_validation,
    load_error_fall,
)
from rezsl.evaluation._comparison import AnalysisComparison, PairedDifference, compare_analyses
from rezsl.evaluation._evaluation import AnalysisOptions, Evaluation, PredictedSamples, json_value
from rezsl.evaluation._evaluator import GZSLEvaluator, evaluate, evaluate_together, share_accepted
from rezsl.evaluation._hierarchy import HierarchicalErrors, hierarchical_errors, read_class_groups
from rezsl.evaluation._measures import Measures
from rezsl.evaluation._pointing import Pointing, parts_of_attributes, pointing_accuracy
from rezsl.evaluation._recognition import ConfusedPair, Recognition
from rezsl.evaluation._saved_predictions import SavedPredictions, load_predictions, save_predictions
from rezsl.functional.binning import ValueBins
from rezsl.functional.imbalance import QUANTILE_LEVELS, ErrorFall, ErrorProfile
from rezsl.functional.recognition import Hubness, Mistakes, Reliability
from rezsl.functional.statistics import CorrelationEstimate, Correlations

__all__ = [
    "QUANTILE_LEVELS",
    "Analysis",
    "AnalysisComparison",
    "AnalysisOptions",
    "ConfusedPair",
    "CorrelationEstimate",
    "Correlations",
    "ErrorFall",
    "ErrorProfile",
    "Evaluation",
    "GZSLEvaluator",
    "HierarchicalErrors",
    "Hubness",
    "Measures",
    "Mistakes",
    "PairedDifference",
    "Pointing",
    "PredictedSamples",
    "Recognition",
    "Reliability",
    "SavedPredictions",
    "ValueBins",
    "analyse",
    "analyse_error_fall",
    "analyse_evaluation",
    "analyse_model",
    "analyse_validation",
    "compare_analyses",
    "evaluate",
    "evaluate_together",
    "hierarchical_errors",
    "json_value",
    "load_error_fall",
    "load_predictions",
    "parts_of_attributes",
    "pointing_accuracy",
    "read_class_groups",
    "save_predictions",
    "share_accepted",
]
