import math

import pytest

from rezsl.errors import ArgumentError
from rezsl.metrics import METRICS, OBJECTIVES, Metric, define_metric, metrics_in, read_metrics

BASIC = list(METRICS)[: list(METRICS).index("seconds") + 1]
"""The metrics of every run; those of other files follow."""


def names(*metrics: Metric) -> list[str]:
    return [metric.name for metric in metrics if metric.name in BASIC]


def test_files_of_runs_keep_their_names() -> None:
    assert BASIC[0] == "T1"
    accuracies = ["T1", "U", "S", "H"]
    errors = ["error_mean", "error_spread", "error_correlation_over_classes", "error_correlation_over_attributes"]
    assert names(*metrics_in("history")) == [*accuracies, "gamma", "AUSUC", *errors]
    best = ["AUSUC", "H_oracle", "T1_oracle"]
    assert names(*metrics_in("table")) == [*accuracies, *best, *errors]
    assert names(*metrics_in("comparison")) == [*accuracies, *best, *errors, "seconds"]
    assert names(*metrics_in("page")) == [*accuracies, *best, "T1_oracle_epoch", *errors, "ece_generalized"]
    assert names(*(metric for metric in METRICS.values() if metric.source == "evaluation")) == [
        *accuracies, "gamma", "AUSUC", "H_oracle", "gamma_oracle", "T1_oracle", "T1_oracle_epoch", *errors,
        "false_reject_seen", "false_reject_unseen", "false_accept",
    ]  # fmt: skip
    assert OBJECTIVES[:2] == ("H", "AUSUC")
    assert all(metric.description.endswith(".") for metric in METRICS.values())


def test_values_are_shown_in_their_unit() -> None:
    shown = {
        name: METRICS[name].show(0.12345) for name in ("H", "error_mean", "error_correlation_over_classes", "seconds")
    }
    assert shown == {"H": "12.3", "error_mean": "123.5", "error_correlation_over_classes": "0.12", "seconds": "0.1"}
    assert METRICS["error_correlation_over_classes"].show(0.12345, signed=True) == "+0.12"
    assert METRICS["H"].show(math.nan) == "–"


def test_a_new_metric_is_read_and_shown_like_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rezsl.metrics._table.METRICS", {name: METRICS[name] for name in BASIC})
    define_metric("days", "days", "Days of a run.", lambda record: record["seconds"] / 86400, source="run",
                  shown_in=("comparison",))  # fmt: skip
    assert [metric.name for metric in metrics_in("comparison")][-2:] == ["seconds", "days"]
    assert read_metrics({"seconds": 43200}, "run") == {"seconds": 43200.0, "days": 0.5}
    with pytest.raises(ArgumentError, match="name: expected a new name of a metric, got 'H', which is taken; choose"):
        define_metric("H", "H", "Another one.", lambda evaluation: 0.0)
    message = "shown_in: expected page for 'late', which is read from the analysis, got 'table'; leave it out"
    with pytest.raises(ArgumentError, match=message):
        define_metric("late", "late", "A metric.", lambda analysis: 0.0, source="analysis", shown_in=("page", "table"))
