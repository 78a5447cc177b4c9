from dataclasses import replace

import pytest
from rich.console import Console

from rezsl.data import Benchmark
from rezsl.evaluation import evaluate
from rezsl.report import results_table
from rezsl.training import Batches, Training, fit


def test_no_figure_is_cut_short_in_a_terminal_of_80_columns(
    features: Benchmark, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fit(
        features, training=Training(max_epochs=1, batches=Batches(per_epoch=1), accelerator="cpu"), progress=False
    ).model
    result = replace(evaluate(model, features), protocol="oracle")
    Console(width=80).print(results_table({"test": result}, "toy"))
    printed = capsys.readouterr().out
    assert "…" not in printed
    names = ("T1", "U", "S", "H", "AUSUC", "H_oracle")
    shown = " ".join(f"{100 * result.metrics()[name]:.1f}" for name in names)
    assert [line for line in printed.splitlines() if line.startswith(" test ") and shown in " ".join(line.split())]
    # With a longer name the columns come closer, and only where that is not enough are they folded.
    for length, rows in ((13, 1), (30, 2)):
        Console(width=80).print(results_table({"a" * length: replace(result, protocol="honest")}, "toy"))
        found = [line for line in capsys.readouterr().out.splitlines() if line.startswith(" aaa")]
        assert len(found) == rows
        assert len(found[0]) <= 80


def test_what_is_not_known_is_a_dash_and_the_table_says_why(
    features: Benchmark, capsys: pytest.CaptureFixture[str]
) -> None:
    split = replace(features.split, test_seen=features.split.test_seen[:0])
    model = fit(
        features, training=Training(max_epochs=1, batches=Batches(per_epoch=1), accelerator="cpu"), progress=False
    ).model
    Console(width=80).print(results_table({"test": evaluate(model, replace(features, split=split))}, "toy"))
    printed = capsys.readouterr().out
    (row,) = [line.split() for line in printed.splitlines() if line.startswith(" test")]
    assert row[3:7] == ["–"] * 4
    assert "note: there are no test images of seen classes, so S, H and AUSUC are not known" in " ".join(
        printed.split()
    )
