from dataclasses import replace

import pytest
from rich.console import Console

from rezsl.data import Benchmark
from rezsl.evaluation import evaluate
from rezsl.report import results_table
from rezsl.training import Batches, fit


def test_no_figure_is_cut_short_in_a_terminal_of_80_columns(
    features: Benchmark, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fit(features, max_epochs=1, batches=Batches(per_epoch=1), accelerator="cpu", progress=False).model
    result = replace(evaluate(model, features), protocol="oracle")
    Console(width=80).print(results_table({"test": result}, "toy"))
    printed = capsys.readouterr().out
    assert "…" not in printed
    names = ("T1", "U", "S", "H", "AUSUC", "H_oracle")
    assert [f"{100 * result.figures()[name]:.1f}" for name in names] == next(
        line.split()[2:8] for line in printed.splitlines() if line.startswith(" test (oracle ")
    )
