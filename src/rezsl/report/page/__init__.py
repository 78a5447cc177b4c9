"""A report as one HTML file that needs no network: the answer in words, the figures, and what they came from."""

from rezsl.report.page.examples import ClassExamples, Example
from rezsl.report.page.page import render_report, save_report
from rezsl.report.page.reported_run import ReportedRun, reported_run

__all__ = ["ClassExamples", "Example", "ReportedRun", "render_report", "reported_run", "save_report"]
