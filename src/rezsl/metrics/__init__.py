"""torchmetrics classes that stream batch by batch and merge over processes; the mathematics is in functional."""

from rezsl.metrics.class_error import ClassError
from rezsl.metrics.mean_class_accuracy import MeanClassAccuracy
from rezsl.metrics.seen_unseen import SeenUnseen

__all__ = ["ClassError", "MeanClassAccuracy", "SeenUnseen"]
