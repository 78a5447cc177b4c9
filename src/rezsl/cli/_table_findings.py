"""Findings on the table of class semantics, in full for ``rezsl data check`` and in a few lines for other commands."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rezsl.cli._options import show
from rezsl.semantics import Finding


def show_findings(findings: Sequence[Finding], most: int = 5) -> None:
    """Print every finding with what to do, and its first ``most`` details."""
    for number, finding in enumerate(findings, start=1):
        show(f"table, {number} of {len(findings)}: {finding.text}", f"  what to do: {finding.remedy}")
        # A single detail only repeats the sentence.
        if len(finding.details) > 1:
            show(*(f"    {line}" for line in finding.details[:most]))
        if len(finding.details) > most:
            show(f"    and {len(finding.details) - most} more; --format json lists them")


def show_worst(findings: Sequence[Finding], root: Path | None, most: int = 3) -> None:
    """Print one line for each of the gravest findings, and where the others and the remedies are.

    Without the folder ``root``, which ``rezsl data check`` could examine, each line is followed by what to do.
    """
    for finding in findings[:most]:
        show(f"  table: {finding.text}", *([f"    what to do: {finding.remedy}"] if root is None else []))
    if findings and root is not None:
        more = f"{len(findings) - most} more, and " if len(findings) > most else ""
        show(f"  {more}what to do: rezsl data check {shlex.quote(str(root))}")
