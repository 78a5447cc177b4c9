"""Numbers and names as text, for tables, pages and plots."""

import math

MINUS = "\N{MINUS SIGN}"

UNIT = "\N{NO-BREAK SPACE}%"
"""The unit of shares, with a space at which no line breaks."""


def number(value: float, digits: int) -> str:
    """Format a number; an undefined one becomes a dash."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", MINUS)


def percent(share: float) -> str:
    """Format a share as ``12.3 %``; an undefined one becomes a dash."""
    return "–" if math.isnan(share) else f"{100 * share:.1f}{UNIT}"


def signed(value: float, digits: int = 2) -> str:
    """Format a number with its sign; the minus is as wide as the plus."""
    return f"{value:+.{digits}f}".replace("-", MINUS)


def p_value(value: float) -> str:
    """Format the p of a statistical test, such as ``0.013``; an undefined one becomes a dash."""
    return "<0.001" if value < 0.001 else number(value, 3)


def listed(parts: list[str], most: int) -> str:
    """Join parts as in a sentence, ``a, b and c``; beyond ``most`` only their number is given."""
    more = len(parts) - most
    if more > 0:
        return f"{', '.join(parts[:most])} and {more} more"
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def named_with_protocol(name: str, protocol: str) -> str:
    """Return a name for tables and legends that shows where a number was chosen on test classes."""
    return f"{name} (oracle protocol)" if protocol == "oracle" else name
