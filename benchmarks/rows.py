"""The rows of the speed table: how they are measured and shown."""

import json
import platform
from dataclasses import asdict
from types import ModuleType

import torch

from benchmarks.timing import Comparison

NAMES = ("attention", "step", "remse", "curve", "training", "region_store", "closed_forms")
"""The files of this package that have rows, in the order of the table."""


def measure(module: ModuleType) -> list[Comparison]:
    """Return the rows of a file, with random numbers that do not depend on the others."""
    torch.manual_seed(0)
    return list(module.measure())


def heading() -> str:
    """Return a sentence on the machine."""
    return f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def to_markdown(rows: list[Comparison]) -> str:
    """Return a table of Markdown: times in milliseconds."""
    lines = ["| what | literal | rezsl | ratio | difference |", "|---|---|---|---|---|"]
    for row in rows:
        ratio = row.literal_seconds / row.seconds
        times = f"{1e3 * row.literal_seconds:,.2f} ms | {1e3 * row.seconds:,.3f} ms"
        lines.append(f"| {row.what} | {times} | {ratio:,.{1 if ratio >= 10 else 2}f} × | {row.difference} |")
    return "\n".join(lines)


def to_json(rows: list[Comparison]) -> str:
    """Return the rows as one line of JSON, with times in seconds."""
    return json.dumps({"machine": heading(), "rows": [asdict(row) for row in rows]}, ensure_ascii=False)
