"""The cost of a run."""

from rezsl.metrics._table import define_metric

define_metric(
    "seconds", "time (s)", "Seconds from the beginning of a run to its metrics.",
    lambda record: record["seconds"],
    source="run", unit="s", digits=1, better="neither", shown_in=("comparison",),
)  # fmt: skip
