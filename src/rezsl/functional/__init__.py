"""Pure functions from tensors to tensors: every formula of rezsl."""

from rezsl.functional.attention import CollapsedAttention, attend, attention_map, place_shares
from rezsl.functional.curves import (
    CurvePoint,
    SeenUnseenCurve,
    average_curves,
    curve_from_margins,
    seen_unseen_curve,
)
from rezsl.functional.imbalance import Imbalance, class_error_matrix, imbalance, rebalancing_weights
from rezsl.functional.scoring import (
    class_accuracies,
    class_scores,
    l2_normalize,
    seen_unseen_margins,
    varied_attributes,
)

__all__ = [
    "CollapsedAttention",
    "CurvePoint",
    "Imbalance",
    "SeenUnseenCurve",
    "attend",
    "attention_map",
    "average_curves",
    "class_accuracies",
    "class_error_matrix",
    "class_scores",
    "curve_from_margins",
    "imbalance",
    "l2_normalize",
    "place_shares",
    "rebalancing_weights",
    "seen_unseen_curve",
    "seen_unseen_margins",
    "varied_attributes",
]
