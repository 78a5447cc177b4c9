"""Plots of Matplotlib as SVG inside a page, with the colours and fonts of the page."""

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rezsl.errors import needs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = ("ink", "soft", "line", "first", "second", "paper")
THEME = {f"#0102{number:02x}": name for number, name in enumerate(NAMES)}
"""Each of these colours is replaced by a colour of the page's light or dark theme; no plot uses them otherwise."""

INK, SOFT, GRID, FIRST, SECOND, PAPER = THEME


def inline_svg(width: float, height: float, draw: Callable[["Figure"], str], prefix: str) -> str:
    """Draw a plot and return it as an ``<svg>`` element.

    Args:
        width: in inches.
        height: in inches.
        draw: function that draws on an empty figure of Matplotlib, and returns the plain text for screen readers.
        prefix: begins all ids, so that the ids of two plots of one page differ.
    """
    from markupsafe import escape  # noqa: PLC0415 - comes with Jinja, which only pages need

    with needs("report", "plots"):
        from matplotlib import rc_context  # noqa: PLC0415 - an import that training without figures never needs
        from matplotlib.figure import Figure  # noqa: PLC0415 - the same

    settings: Any = {
        "svg.fonttype": "none", "svg.hashsalt": prefix, "text.parse_math": False, "font.size": 10,
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT,
        "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.8, "axes.axisbelow": True, "legend.frameon": False,
    }  # fmt: skip
    stream = io.StringIO()
    with rc_context(settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        label = draw(figure)
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s+xmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href=", "href=")
    text = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'(href="#|url\(#)', rf"\1{prefix}-", text)
    text = re.sub(r"font:[^;\"]*?([\d.]+)px[^;\"]*", r"font-size: \1px", text)
    for color, name in THEME.items():
        text = text.replace(color, f"var(--{name})")
    view, points = re.search(r'viewBox="[^"]*"', text), re.search(r'width="([\d.]+)pt"', text)
    assert view is not None
    assert points is not None
    style = f"max-width: {float(points[1]) * 4 / 3:.0f}px"
    opening = f'<svg role="img" aria-label="{escape(label)}" {view[0]} style="{style}">'
    return re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)
