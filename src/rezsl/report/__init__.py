"""Tables, plots and pages of what evaluations show, for people to read."""

from rezsl.errors import needs

with needs("report", "tables and pages"):
    import rich  # noqa: F401 - the modules below need it

from rezsl.report._explanation import map_note, save_explanation
from rezsl.report._findings import refusals
from rezsl.report._page import ReportedRun, family_style, render_report, reported_run, save_report, source_of
from rezsl.report._plots import save_comparison, save_curve, save_error_matrix
from rezsl.report._tables import as_csv, as_latex, as_markdown, comparison_table, results_table, runs_csv

__all__ = [
    "ReportedRun",
    "as_csv",
    "as_latex",
    "as_markdown",
    "comparison_table",
    "family_style",
    "map_note",
    "refusals",
    "render_report",
    "reported_run",
    "results_table",
    "runs_csv",
    "save_comparison",
    "save_curve",
    "save_error_matrix",
    "save_explanation",
    "save_report",
    "source_of",
]
