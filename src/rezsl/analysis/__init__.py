"""Studies of a model's predictions: how uneven its errors are, what it confuses, and why it says what it says."""

from rezsl.analysis.analysis import Analysis
from rezsl.analysis.compare import compare_analyses
from rezsl.analysis.comparison import AnalysisComparison, PairedDifference
from rezsl.analysis.explanation import Explanation, explain
from rezsl.analysis.fall import analyse_error_fall, load_error_fall
from rezsl.analysis.from_model import analyse_model
from rezsl.analysis.from_predictions import analyse
from rezsl.analysis.options import AnalysisOptions
from rezsl.analysis.predictions import SavedPredictions, load_predictions
from rezsl.analysis.recognition import ConfusedPair, Recognition
from rezsl.functional.correlation import CorrelationEstimate, Correlations
from rezsl.functional.error_fall import ErrorFall
from rezsl.functional.hubness import Hubness
from rezsl.functional.mistakes import Mistakes
from rezsl.functional.reliability import Reliability
from rezsl.functional.unevenness import QUANTILE_LEVELS, ErrorProfile
from rezsl.functional.value_bins import ValueBins

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
    "Explanation",
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
    "explain",
    "load_error_fall",
    "load_predictions",
]
