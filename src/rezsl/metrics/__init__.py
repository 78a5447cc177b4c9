"""The table of metrics, and classes of torchmetrics that compute some of them over a stream of batches.

The classes are imported at their first use, because torchmetrics takes more than a second to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rezsl.metrics import basic  # noqa: F401 - the first import, so that tables begin with the metrics of every run
from rezsl.metrics._table import METRICS, Metric, define_metric, metrics_in, read_metrics
from rezsl.records import import_modules

if TYPE_CHECKING:
    from rezsl.metrics._attribute_streams import AttributeRanking, AttributeRSquared
    from rezsl.metrics._choice_streams import ClassF1, HierarchyError, TopKAccuracy
    from rezsl.metrics._streams import ClassError, SeenUnseen

__all__ = [
    "METRICS",
    "OBJECTIVES",
    "AttributeRSquared",
    "AttributeRanking",
    "ClassError",
    "ClassF1",
    "HierarchyError",
    "Metric",
    "SeenUnseen",
    "TopKAccuracy",
    "define_metric",
    "metrics_in",
    "read_metrics",
]

# Each module of this package adds its metrics to the table when it is imported.
import_modules(__name__)

OBJECTIVES = tuple(name for name, metric in METRICS.items() if metric.choice)
"""Names of the metrics that a sweep can maximise."""

_STREAMS = {
    "_attribute_streams": ("AttributeRSquared", "AttributeRanking"),
    "_choice_streams": ("ClassF1", "HierarchyError", "TopKAccuracy"),
    "_streams": ("ClassError", "SeenUnseen"),
}
_HOME = {name: module for module, names in _STREAMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'rezsl.metrics' has no attribute {name!r}")
    return getattr(import_module(f"rezsl.metrics.{_HOME[name]}"), name)
