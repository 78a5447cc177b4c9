"""From predictions to figures: the protocol's test, and analyses of what led to them."""

from rezsl.evaluation.analysis import Analysis
from rezsl.evaluation.compare import compare_analyses
from rezsl.evaluation.comparison import AnalysisComparison, PairedDifference
from rezsl.evaluation.evaluation import Evaluation, evaluate
from rezsl.evaluation.fall import analyse_error_fall, load_error_fall
from rezsl.evaluation.from_model import analyse_model
from rezsl.evaluation.from_predictions import analyse
from rezsl.evaluation.options import AnalysisOptions
from rezsl.evaluation.predictions import SavedPredictions, load_predictions
from rezsl.evaluation.recognition import ConfusedPair, Recognition
from rezsl.functional.binning import ValueBins
from rezsl.functional.error_fall import ErrorFall
from rezsl.functional.imbalance import QUANTILE_LEVELS, ErrorProfile
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
    "Hubness",
    "Mistakes",
    "PairedDifference",
    "Recognition",
    "Reliability",
    "SavedPredictions",
    "ValueBins",
    "analyse",
    "analyse_error_fall",
    "analyse_model",
    "compare_analyses",
    "evaluate",
    "load_error_fall",
    "load_predictions",
]
