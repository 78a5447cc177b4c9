"""Results for people to read: tables and figures."""

from rezsl.report.explanation import save_explanation
from rezsl.report.figures import save_curve, save_error_matrix
from rezsl.report.table import results_table

__all__ = ["results_table", "save_curve", "save_error_matrix", "save_explanation"]
