import csv
import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rezsl.experiments.plan import Plan
from rezsl.experiments.results import COMPARED, Comparison, Row
from rezsl.metrics import METRICS, Metric
from rezsl.report import as_csv, as_latex, as_markdown, comparison_table, runs_csv, save_comparison
from rezsl.report._tables import notes

BASIC = COMPARED[: COMPARED.index(METRICS["seconds"]) + 1]
"""The metrics of rezsl's own; each further one takes a column more."""


WORST = Metric("worst", "worst", "A metric of another file.", float, unit="%", factor=100.0, digits=1, tested=True)


@pytest.fixture(autouse=True)
def compared(monkeypatch: pytest.MonkeyPatch) -> None:
    show_metrics(BASIC, monkeypatch)


def test_a_picture_distinguishes_failed_runs_from_figures_that_a_model_does_not_have(
    comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Any] = []
    monkeypatch.setattr("rezsl.report._plots.save_figure", lambda figure, path: figures.append(figure))
    without_errors = row("own_scores", [0.5, 0.6, 0.7], spread=math.nan)
    save_comparison(replace(comparison, rows=(comparison.rows[0], without_errors, comparison.rows[3])), tmp_path)
    recognition, spread = ([text.get_text() for text in axes.texts] for axes in figures[0].axes)
    assert (recognition, spread) == (["failed"], ["not defined", "failed"])


def show_metrics(metrics: tuple[Metric, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rezsl.experiments.results.COMPARED", metrics)


def row(method: str, h: list[float], failed: int = 0, spread: float = 0.0123) -> Row:
    figures = dict.fromkeys([metric.name for metric in (*BASIC, WORST)], 0.5) | {
        "error_mean": 0.1234,
        "error_spread": spread,
        "seconds": 1234.0,
    }
    figures["error_correlation_over_classes"] = -0.25
    figures["T1_oracle"] = math.nan  # no run chose its epoch on test classes
    return Row(
        "data & co", method, "none", {}, {}, {seed: figures | {"H": value} for seed, value in enumerate(h)},
        {len(h) + seed: "a reason" for seed in range(failed)},
    )  # fmt: skip


def test_what_must_be_known_of_a_models_figures_stands_below_its_table() -> None:
    rows = (row("base_line", [0.4, 0.4, 0.6]), replace(row("careful", [0.5, 0.6, 0.9]), caution="it has seen them"))
    plan = Plan(
        datasets={"data & co": None}, methods={"base_line": None, "careful": None}, losses={"none": None},
        seeds=[0, 1, 2], baseline={"method": "base_line", "loss": "none"},
    )  # fmt: skip
    found = Comparison(plan, rows, ("honest",), "t")
    assert "- careful + none: it has seen them.\n" in as_markdown(found)
    assert "% careful + none: it has seen them." in as_latex(found)


def test_runs_that_have_collapsed_are_named_beside_their_row_and_below_the_table() -> None:
    reasons = {0: "only 'zebra' is recognised", 2: "only 'zebra' is recognised"}
    rows = (row("base_line", [0.4, 0.4, 0.6]), replace(row("generator", [0.0, 0.6, 0.0]), collapses=reasons))
    plan = Plan(
        datasets={"data & co": None}, methods={"base_line": None, "generator": None}, losses={"none": None},
        seeds=[0, 1, 2], baseline={"method": "base_line", "loss": "none"},
    )  # fmt: skip
    found = Comparison(plan, rows, ("honest",), "t")
    assert "| generator + none (2 of 3 collapsed) |" in as_markdown(found)
    assert "- Collapsed: data & co, generator + none, seed 0, 2: only 'zebra' is recognised\n" in as_markdown(found)
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(comparison_table(found, "data & co"))
    assert "(2 of 3 collapsed)" in " ".join(console.export_text().split())
    lines = list(csv.DictReader(io.StringIO(runs_csv(found))))
    assert [line["collapse"] for line in lines] == [
        "",
        "",
        "",
        "only 'zebra' is recognised",
        "",
        "only 'zebra' is recognised",
    ]


@pytest.fixture
def comparison() -> Comparison:
    rows = (
        row("base_line", [0.4, 0.4, 0.6]),
        row("better", [0.5, 0.6, 0.9]),
        row("partly", [0.1], 2),
        row("not", [], 3),
    )
    plan = Plan(
        datasets={"data & co": None},
        methods={row.method: None for row in rows},
        losses={"none": None},
        seeds=[0, 1, 2],
        baseline={"method": "base_line", "loss": "none"},
    )
    return Comparison(plan, rows, ("honest",), "t")


def test_no_figure_is_cut_short_in_a_terminal_of_80_columns(
    comparison: Comparison, capsys: pytest.CaptureFixture[str]
) -> None:
    Console(width=80).print(comparison_table(comparison, "data & co"))
    printed = capsys.readouterr().out
    assert "…" not in printed.replace("data…", "")
    line = next(line for line in printed.splitlines() if " 66.7 " in line)
    assert line.split()[-11:] == [
        "50.0", "50.0", "50.0", "66.7", "50.0", "50.0", "123.4", "12.3", "-0.25", "0.50", "1234"
    ]  # fmt: skip
    assert "p .074" in printed


def test_titles_stay_whole_where_there_is_room_and_break_after_the_underscore(
    comparison: Comparison, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = "T1 U S H AUSUC H_oracle error spread corr_c corr_a (s)"
    above, below = "H_ corr_ corr_ time", "T1 U S H AUSUC oracle error spread c a (s)"
    for width, expected in ((80, ["time", whole]), (78, [above, below])):
        Console(width=width).print(comparison_table(comparison, "data & co"))
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        title = next(place for place, line in enumerate(lines) if line.startswith("T1 "))
        assert lines[title - 1 : title + 1] == expected
    # A name is not broken for a title.
    longer = replace(comparison, rows=(replace(comparison.rows[0], method="attention_of_places"),))
    Console(width=84).print(comparison_table(longer, "data & co"))
    assert f" {above}" in " ".join(capsys.readouterr().out.split())


def test_every_format_says_the_same(comparison: Comparison) -> None:
    # Differences 0.1, 0.2, 0.3: t = 2√3 with two degrees of freedom.
    t = 2 * math.sqrt(3)
    p = 1 - t / math.sqrt(2 + t**2)
    better = list(csv.DictReader(io.StringIO(as_csv(comparison))))[1]
    assert float(better["H_p"]) == pytest.approx(p, rel=1e-4)
    assert float(better["H_mean"]) == pytest.approx(2 / 3, rel=1e-4)
    assert float(better["H_sd"]) == pytest.approx(math.sqrt(13 / 300), rel=1e-4)

    assert "| 66.7 ± 20.8 |" in as_markdown(comparison)  # p is above 0.05
    assert f"| {p:.3f} | 1.000 |" in as_markdown(comparison)
    latex = as_latex(comparison)
    assert r"$66.7 \pm 20.8$" in latex
    assert r"\emph{data \& co}" in latex
    assert r"base\_line + none & " in latex
    assert "T1_oracle" not in latex + as_markdown(comparison) + as_csv(comparison) + runs_csv(comparison)
    assert all(
        line.count("&") - line.count(r"\&") == 13 for line in latex.splitlines() if line.endswith(r"\\") and "+" in line
    )


@pytest.mark.parametrize(
    ("best", "second", "third", "bold"),
    [
        ([0.5, 0.6, 0.7], [0.4, 0.51, 0.59], [0.1, 0.5, 0.6], True),  # paired over seeds, p = 0.004
        ([0.5, 0.6, 0.7], [0.4, 0.4, 0.9], [0.1, 0.2, 0.31], False),  # better than the third alone
        ([0.5, 0.6], [0.4, 0.51], [0.1, 0.2], False),  # two seeds
        ([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], [0.1, 0.2, 0.3], False),
    ],
)
def test_bold_is_only_what_differs_by_more_than_chance(
    comparison: Comparison, best: list[float], second: list[float], third: list[float], bold: bool
) -> None:
    rows = (row("base_line", third), row("better", best), row("partly", second))
    found = replace(comparison, rows=rows)
    for text, mark in ((as_markdown(found), "**"), (as_latex(found), r"\mathbf")):
        marked = [line for line in text.splitlines() if mark in line and not line.startswith("%")]
        assert len(marked) == bold
        assert all("better" in line for line in marked)
    (note,) = (note for note in notes(found) if note.startswith("Bold: "))
    assert "differs from the second best by more than chance (the same test, p < 0.05); never below 3 seeds" in note


def test_a_further_metric_is_one_more_column_everywhere(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show_metrics((*BASIC, WORST), monkeypatch)
    Console(width=90).print(comparison_table(comparison, "data & co"))
    line = next(line for line in capsys.readouterr().out.splitlines() if " 66.7 " in line)
    assert line.split()[-2:] == ["1234", "50.0"]
    # In a narrower terminal the columns continue below, beside the names, so that no number is cut short.
    Console(width=60).print(comparison_table(comparison, "data & co"))
    printed = capsys.readouterr().out
    numbers = [line.split()[-4:] for line in printed.splitlines() if "better" in line]
    assert numbers == [["66.7", "50.0", "50.0", "123.4"], ["-0.25", "0.50", "1234", "50.0"]]
    assert max(map(len, printed.splitlines())) == 60
    assert "…" not in printed
    assert printed.count("data & co") == 1 + printed.count("Failed: data & co")
    assert printed.count("H_oracle takes the γ that is best on test, as published") == 1
    assert "| time (s) | worst | p (H) | p (spread) | p (worst) |" in as_markdown(comparison)
    assert "time (s) & worst & $p$ ($H$) & $p$ (spread) & $p$ (worst)" in as_latex(comparison)
    better = list(csv.DictReader(io.StringIO(as_csv(comparison))))[1]
    assert [better[f"worst_{kind}"] for kind in ("mean", "sd", "p")] == ["0.5", "0", "1"]
    assert [run["worst"] for run in csv.DictReader(io.StringIO(runs_csv(comparison)))][:4] == ["0.5"] * 4


def test_the_best_t1_of_any_epoch_is_shown_where_a_run_has_it(comparison: Comparison) -> None:
    first, *others = comparison.rows
    figures = {seed: run | {"T1_oracle": 0.7} for seed, run in first.runs.items()}
    found = replace(comparison, rows=(replace(first, runs=figures), *others), protocols=("oracle",))
    table = as_markdown(found)
    assert "| H_oracle | T1_oracle |" in table
    assert "| 70.0 ± 0.0 |" in table
    assert "T1_oracle is the highest T1 of any epoch, as published tables report." in table
    assert [row["T1_oracle_mean"] for row in csv.DictReader(io.StringIO(as_csv(found)))] == ["0.7", "", "", ""]


def test_what_is_missing_is_said(comparison: Comparison) -> None:
    for written in (as_markdown(comparison), as_latex(comparison)):
        assert r"partly + none (1 of 3 seeds) " in written
        assert r"not + none (failed) " in written
    text = "\n".join(notes(comparison))
    assert "Failed: data & co, partly + none, seed 1, 2: a reason" in text
    assert "Failed: data & co, not + none, seed 0, 1, 2: a reason" in text
    assert "paired t-test over seeds against base_line + none, two-sided, n = 1 to 3 seeds in common" in text
    assert "No search: every row has the settings of the plan." in text
