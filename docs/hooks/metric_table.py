"""Add a table of every metric to the page on metrics while the site is built."""

from typing import Any

from rezsl.metrics import METRICS

PAGE = "api/metrics.md"
PLACE = "<!-- the table of metrics -->"
HEADER = ["| name | | metric | unit | shown in |", "|---|---|---|---|---|"]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replace the comment that marks the table's place by the table."""
    if page.file.src_uri != PAGE:
        return markdown
    rows = [
        f"| `{metric.name}` | {metric.title} | {metric.description} | {metric.unit} | {', '.join(metric.shown_in)} |"
        for metric in METRICS.values()
    ]
    return markdown.replace(PLACE, "\n".join([*HEADER, *rows]))
