"""The T1 that published tables report: the highest of any epoch, beside the U, S and H of another epoch."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rezsl
from rezsl.cli.fit import report
from rezsl.data import Benchmark, load_synthetic
from rezsl.experiments.results import _read_metrics
from rezsl.functional.shapes import Protocol
from rezsl.models import LinearRegressor
from rezsl.report import render_report, reported_run, results_table
from rezsl.training import Batches, FitResult, Optimization, RunDirectory, Training


@pytest.fixture(scope="module")
def noisy() -> Benchmark:
    return load_synthetic(classes=20, unseen=6, samples=400, noise=1.0, seed=3)


def fitted(data: Benchmark, protocol: Protocol, run: Path) -> FitResult:
    training = Training(
        max_epochs=5,
        patience=5,
        protocol=protocol,
        optimization=Optimization(learning_rate=0.1),
        batches=Batches(per_epoch=4),
        accelerator="cpu",
    )
    return rezsl.fit(data, model=LinearRegressor, training=training, run_dir=run, progress=False)


def record(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return content


def test_the_oracle_protocol_reports_the_best_t1_of_any_epoch_with_its_epoch(
    noisy: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    result = fitted(noisy, "oracle", run)
    with (run / "history.csv").open(newline="") as file:
        tried = [float(row["T1"]) for row in csv.DictReader(file) if row["stage"] == "select"]
    assert len(tried) == 5
    best, epoch, choice = max(tried), 1 + tried.index(max(tried)), result.choice
    assert epoch != choice.epochs  # or the test could not tell the two epochs apart
    assert choice.t1_oracle == pytest.approx(best, rel=1e-5)
    assert choice.t1_oracle_epoch == epoch
    assert choice.t1 < best
    assert result.test is not None
    for figures in (record(run)["test"], result.test.metrics()):
        assert (figures["T1_oracle"], figures["T1_oracle_epoch"]) == (choice.t1_oracle, epoch)
    assert record(run)["validation"]["t1_oracle_epoch"] == epoch
    assert _read_metrics(run / "metrics.json")[0]["T1_oracle"] == choice.t1_oracle  # as comparisons read it
    # A run that was interrupted after its selection goes on with the same choice.
    again = RunDirectory(tmp_path / "again")
    again.record_choice(choice)
    assert again.read_choice() == choice

    table = results_table({"test": result.test, "other": replace(result.test, t1_oracle=None)}, "noisy")
    (column,) = (column for column in table.columns if column.header == "T1_oracle")
    assert list(column.cells) == [f"{100 * best:.1f}", "–"]
    assert "T1_oracle is the highest T1 of any epoch" in str(table.caption)
    report(result, noisy, drawn=False)
    assert f"highest T1 of any epoch: {100 * best:.1f} % after epoch {epoch}" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_page_of_the_run_has_it_and_a_page_of_other_images_has_not(noisy: Benchmark, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = fitted(noisy, "oracle", run)
    page = render_report({"run": reported_run(result.model, noisy, run)})
    assert f"T1_oracle is the highest T1 of any epoch, here of epoch {result.choice.t1_oracle_epoch}," in page
    assert "epoch of T1_oracle" in page
    fewer = replace(noisy, split=replace(noisy.split, test_unseen=noisy.split.test_unseen[::2]))
    assert reported_run(result.model, fewer, run).analysis.t1_oracle is None
    assert "T1_oracle" not in rezsl.evaluate(result.model, noisy).metrics()  # the weights do not show it


def test_the_honest_protocol_has_no_such_number(
    noisy: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    result = fitted(noisy, "honest", run)
    assert result.test is not None
    assert result.choice.t1_oracle is None
    report(result, noisy, drawn=False)
    table = results_table({"test": result.test}, "noisy")
    shown = [capsys.readouterr().out, str(table.caption), *(str(column.header) for column in table.columns)]
    shown += reported_run(result.model, noisy, run).analysis.metrics()
    kept = [file.read_text() for file in run.iterdir() if file.suffix in (".json", ".csv", ".yaml")]
    assert not any("t1_oracle" in text.lower() for text in shown + kept)
