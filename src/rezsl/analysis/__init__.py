"""Why a model says what it says."""

from rezsl.analysis.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
